// Scenarios of parking, readying, stealing, yielding.
using System.Collections.Generic;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class SchedScenarios
{
    private const long ShortNs = 300;
    private const long LongNs = 30_000_000;     // three slices

    /// <summary>A lock with a list behind it: two goroutines park and ready each other by hand.</summary>
    internal static void ParkReady()
    {
        const int rounds = 5;
        Gate gate = new();
        WaitGroup done = new();
        for (int i = 0; i < 2; i++)
        {
            done.Go(() =>
            {
                for (int round = 0; round < rounds; round++)
                {
                    gate.Meet();
                }
            });
        }
        done.Wait();
        SimFailure.Unless(gate.Meetings == rounds, "they have not met as often as they should");
    }

    /// <summary>The first of two to come waits for the second.</summary>
    private sealed class Gate
    {
        private SpinLock _lock;
        private G* _waiting;

        internal int Meetings { get; private set; }

        internal void Meet()
        {
            _lock.Acquire(LockRank.Monitor);
            if (_waiting == null)
            {
                _waiting = Proc.GetG();
                Proc.GoPark(_lock.Word, WaitReason.SyncCondWait);
                return;
            }
            G* gp = _waiting;
            _waiting = null;
            Meetings++;
            _lock.Release();
            Proc.GoReady(gp);
        }
    }

    /// <summary>One makes many and then computes: the others have to take them, runnext included.</summary>
    internal static void StealFromBusy()
    {
        const int count = 7;
        int[] ran = new int[count];
        WaitGroup done = new();
        for (int i = 0; i < count; i++)
        {
            int self = i;
            done.Go(() =>
            {
                Simulation.Compute(ShortNs * self);
                _ = Atomic.Add(ref ran[self], 1);
            });
            if (Simulation.Draw(3) == 0)
            {
                Simulation.Compute(ShortNs);
            }
        }
        Simulation.Compute(LongNs / 3);
        done.Wait();
        foreach (int n in ran)
        {
            SimFailure.Unless(n == 1, "a goroutine ran " + n + " times");
        }
    }

    /// <summary>Readies somebody, now and then, while others go idle: who is readied must run though its maker computes.</summary>
    internal static void IdleAgainstReady()
    {
        const int pairs = 3;
        WaitGroup done = new();
        for (int i = 0; i < pairs; i++)
        {
            Chan<int> requests = new(1);
            Chan<int> answers = new(0);
            done.Go(() =>
            {
                for (int round = 0; round < 3; round++)
                {
                    requests.Send(round);
                    Simulation.Compute(Simulation.Draw(4) * ShortNs);
                    SimFailure.Unless(answers.Receive() == -round, "wrong answer");
                }
                requests.Close();
            });
            done.Go(() =>
            {
                foreach (int request in requests)
                {
                    if (Simulation.Draw(2) == 0)
                    {
                        Simulation.Compute(ShortNs);
                    }
                    answers.Send(-request);
                }
            });
        }
        done.Wait();
    }

    /// <summary>More that compute than cores, for several slices each: they are preempted and go to the global queue.</summary>
    internal static void Slices()
    {
        WaitGroup done = new();
        int running = 0;
        for (int i = 0; i < 5; i++)
        {
            done.Go(() =>
            {
                _ = Atomic.Add(ref running, 1);
                Simulation.Compute(LongNs);
                _ = Atomic.Add(ref running, -1);
            });
        }
        done.Wait();
        SimFailure.Unless(running == 0, "not all have ended");
    }

    /// <summary>Everybody yields: nobody is lost, and the order on one core is a circle.</summary>
    internal static void Yields()
    {
        const int count = 4;
        const int rounds = 6;
        WaitGroup done = new();
        int[] at = new int[count];
        for (int i = 0; i < count; i++)
        {
            int self = i;
            done.Go(() =>
            {
                for (int round = 0; round < rounds; round++)
                {
                    at[self]++;
                    Go.Gosched();
                }
            });
        }
        done.Wait();
        foreach (int n in at)
        {
            SimFailure.Unless(n == rounds, "a goroutine has not had all its turns");
        }
    }

    /// <summary>More than a ring holds: half of it goes to the global queue.</summary>
    internal static void Overflow()
    {
        const int count = RunQueue.Capacity + 20;
        int ran = 0;
        WaitGroup done = new();
        done.Add(count);
        for (int i = 0; i < count; i++)
        {
            Go.Run(() =>
            {
                _ = Atomic.Add(ref ran, 1);
                done.Done();
            });
        }
        done.Wait();
        SimFailure.Unless(ran == count, ran + " of " + count + " have run");
    }

    /// <summary>Goroutines come and go and come again on the same stacks.</summary>
    internal static void ComeAndGo()
    {
        int alive = 0;
        WaitGroup done = new();
        void Family(int depth)
        {
            _ = Atomic.Add(ref alive, 1);
            for (int child = 0; child < 2 && depth > 0; child++)
            {
                done.Add(1);
                Go.Run(Family, depth - 1);
                if (Simulation.Draw(4) == 0)
                {
                    Go.Gosched();
                }
            }
            _ = Atomic.Add(ref alive, -1);
            done.Done();
        }
        done.Add(1);
        Family(3);
        done.Wait();
        SimFailure.Unless(alive == 0, "somebody is left");
        SimFailure.Unless(Go.NumGoroutine >= 1, "main is not counted");
    }

    /// <summary>Several wait for the same group, while others end.</summary>
    internal static void Groups()
    {
        WaitGroup first = new();
        WaitGroup second = new();
        first.Add(3);
        second.Add(3);
        int ended = 0;
        for (int i = 0; i < 3; i++)
        {
            Go.Run(() =>
            {
                _ = Atomic.Add(ref ended, 1);
                first.Done();
            });
            Go.Run(() =>
            {
                first.Wait();
                SimFailure.Unless(Atomic.Load(ref ended) == 3, "the wait was over too early");
                second.Done();
            });
        }
        second.Wait();
    }

    /// <summary>Tied to a core: seen nowhere else, whatever it waits for.</summary>
    internal static void Pinned()
    {
        WaitGroup done = new();
        List<Chan<int>> chans = [];
        for (int i = 0; i < 3; i++)
        {
            Chan<int> c = new(0);
            chans.Add(c);
            done.Go(() =>
            {
                Go.LockOSThread();
                int core = CoreNow();
                for (int round = 0; round < 4; round++)
                {
                    switch (round)
                    {
                        case 0:
                            Go.Gosched();
                            break;
                        case 1:
                            _ = c.Receive();
                            break;
                        case 2:
                            Go.Sleep(System.TimeSpan.FromMicroseconds(20));
                            break;
                        default:
                            Simulation.Compute(ShortNs);
                            break;
                    }
                    SimFailure.Unless(CoreNow() == core, "a goroutine left the core it is locked to");
                }
                Go.UnlockOSThread();
            });
        }
        foreach (Chan<int> c in chans)
        {
            c.Send(1);
        }
        done.Wait();
    }

    internal static int CoreNow()
    {
        ThisCore.Acquire();
        int id = Machine.CurrentCore->Id;
        ThisCore.Release();
        return id;
    }
}
