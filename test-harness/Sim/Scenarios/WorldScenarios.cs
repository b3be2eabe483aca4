// Scenarios of the cores as a whole: stopping the world, GOMAXPROCS, deadlock.
using System;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class WorldScenarios
{
    internal const string Deadlock = "all goroutines are asleep - deadlock!";
    internal const string NoGoroutines = "no goroutines (main called runtime.Goexit) - deadlock!";

    /// <summary>While the world is stopped no goroutine does a step on another core.</summary>
    internal static void StopTheWorld()
    {
        int steps = 0;
        int isOver = 0;
        WaitGroup done = new();
        for (int i = 0; i < 3; i++)
        {
            int kind = i;
            done.Go(() =>
            {
                while (Atomic.Load(ref isOver) == 0)
                {
                    _ = Atomic.Add(ref steps, 1);
                    switch (kind)
                    {
                        case 0:
                            Go.Gosched();
                            break;
                        case 1:
                            Simulation.Compute(700);
                            break;
                        default:
                            Go.Sleep(TimeSpan.FromMicroseconds(1));
                            break;
                    }
                }
            });
        }
        for (int i = 0; i < 3; i++)
        {
            Simulation.Compute(Simulation.Draw(4) * 500);
            Proc.StopTheWorld();
            int before = steps;
            for (int n = 0; n < 20; n++)
            {
                Machine.SpinYield();
            }
            SimFailure.Unless(steps == before, "a goroutine ran while the world was stopped");
            Proc.StartTheWorld();
        }
        Atomic.Store(ref isOver, 1);
        done.Wait();
    }

    /// <summary>Two who want to stop it: one after the other.</summary>
    internal static void TwoStoppers()
    {
        int stopped = 0;
        WaitGroup done = new();
        for (int i = 0; i < 3; i++)
        {
            done.Go(() =>
            {
                for (int round = 0; round < 2; round++)
                {
                    Proc.StopTheWorld();
                    SimFailure.Unless(Atomic.Add(ref stopped, 1) == 1, "two have stopped the world");
                    _ = Atomic.Add(ref stopped, -1);
                    Proc.StartTheWorld();
                    Go.Gosched();
                }
            });
        }
        done.Wait();
    }

    /// <summary>GOMAXPROCS goes up and down under goroutines that compute, wait and sleep.</summary>
    internal static void MaxProcs()
    {
        WaitGroup done = new();
        Chan<int> c = new(0);
        done.Go(() =>
        {
            for (int i = 0; i < 5; i++)
            {
                c.Send(i);
                Simulation.Compute(400);
            }
            c.Close();
        });
        done.Go(() =>
        {
            int expected = 0;
            foreach (int value in c)
            {
                SimFailure.Unless(value == expected++, "a value is missing");
            }
        });
        done.Go(() =>
        {
            for (int i = 0; i < 3; i++)
            {
                Go.Sleep(TimeSpan.FromMicroseconds(2));
                Simulation.HoldUpWithin(64);
                Go.Gosched();
            }
        });
        for (int i = 0; i < 4; i++)
        {
            int n = 1 + Simulation.Draw(Machine.CoresStarted);
            _ = Go.SetGoMaxProcs(n);
            SimFailure.Unless(Go.GoMaxProcs == n, "GOMAXPROCS is not what was set");
            Simulation.Compute(Simulation.Draw(3) * 1000);
        }
        done.Wait();
    }

    /// <summary>GOMAXPROCS takes cores away that goroutines are locked to: these are locked to another then, and stay there.</summary>
    internal static void PinnedRetired()
    {
        int left = 1 + Simulation.Draw(Machine.CoresStarted - 1);
        WaitGroup done = new();
        Chan<int> c = new(0);
        for (int i = 0; i < 3; i++)
        {
            done.Go(() =>
            {
                Go.LockOSThread();
                int core = SchedScenarios.CoreNow();
                Simulation.Compute(2000);
                Go.Gosched();
                _ = c.Receive();
                Go.Sleep(TimeSpan.FromMicroseconds(1));
                int now = SchedScenarios.CoreNow();
                SimFailure.Unless(now == core || (core >= left && now == core % left), $"locked to core {core} and on core {now}");
            });
        }
        Simulation.Compute(1000);
        _ = Go.SetGoMaxProcs(left);
        for (int i = 0; i < 3; i++)
        {
            c.Send(i);
        }
        done.Wait();
    }

    /// <summary>All wait for one another: found, whoever is last to go idle.</summary>
    internal static void AllWait()
    {
        Chan<int> never = new(0);
        for (int i = 0; i < 3; i++)
        {
            int self = i;
            Go.Run(() =>
            {
                Simulation.Compute(self * 300);
                if (self == 2)
                {
                    Go.Sleep(TimeSpan.FromMicroseconds(3));
                }
                _ = never.Receive();
            });
        }
        _ = never.Receive();
    }

    /// <summary>The same, while cores are taken away that still have timers or goroutines.</summary>
    internal static void AllWaitOnFewer()
    {
        Chan<int> never = new(0);
        for (int i = 0; i < 4; i++)
        {
            Go.Run(() =>
            {
                Simulation.Compute(Simulation.Draw(4) * 200);
                Go.Sleep(TimeSpan.FromMicroseconds(2));
                _ = never.Receive();
            });
        }
        Simulation.Compute(Simulation.Draw(6) * 300);
        _ = Go.SetGoMaxProcs(1 + Simulation.Draw(Machine.CoresStarted - 1));
        _ = never.Receive();
    }

    /// <summary>Main is gone by Goexit and the others end.</summary>
    internal static void MainGone()
    {
        for (int i = 0; i < 2; i++)
        {
            Go.Run(() => Simulation.Compute(500));
        }
        Go.Goexit();
    }

    /// <summary>Three that wake together, one of whom is taken to another core and sleeps on there, while a third core goes idle.</summary>
    internal static void Wanderers()
    {
        const int rounds = 4;
        TimeSpan time = TimeSpan.FromMicroseconds(200);       // until after the naps
        Chan<int> c = new(0);
        WaitGroup done = new();
        for (int i = 0; i < 2; i++)
        {
            done.Go(() =>
            {
                for (int round = 0; round < rounds; round++)
                {
                    Go.Sleep(time);
                    _ = c.Receive();
                }
            });
        }
        done.Go(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                Go.Sleep(time);
                Go.Sleep(time);
                c.Send(i);
                c.Send(i);
            }
        });
        done.Go(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                Simulation.Compute(190_000 + (Simulation.Draw(150) * 100));
                Go.Sleep(TimeSpan.FromMicroseconds(Simulation.Draw(3)));
            }
        });
        done.Wait();
    }

    /// <summary>Everybody sleeps at times, and no one is taken for dead.</summary>
    internal static void NoFalseDeadlock()
    {
        WaitGroup done = new();
        for (int i = 0; i < 3; i++)
        {
            done.Go(() =>
            {
                for (int round = 0; round < 3; round++)
                {
                    Go.Sleep(TimeSpan.FromMicroseconds(1 + Simulation.Draw(3)));
                }
            });
        }
        done.Wait();
    }
}
