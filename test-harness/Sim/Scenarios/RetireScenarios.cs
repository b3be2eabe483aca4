// Scenarios of cores that GOMAXPROCS takes away and gives back, with what they had.
using System;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class RetireScenarios
{
    private const int MostSteps = 400;
    private const long LongNs = 1_000_000;

    /// <summary>Sleepers, time-outs that are called off, timers that are stopped and goroutines locked to a core: all go to the cores that stay.</summary>
    internal static void HandedOver()
    {
        WaitGroup done = new();
        for (int i = 0; i < 2; i++)
        {
            done.Go(() =>
            {
                for (int round = 0; round < 3; round++)
                {
                    long due = Machine.NanoTime() + 3_000;
                    Go.Sleep(TimeSpan.FromMicroseconds(3));
                    SimFailure.Unless(Machine.NanoTime() >= due, "woken early");
                }
            });
            done.Go(CallOff);
            done.Go(StopOften);
        }
        done.Go(() =>
        {
            Go.LockOSThread();
            for (int round = 0; round < 3; round++)
            {
                Go.Gosched();
                Simulation.Compute(700);
                Go.Sleep(TimeSpan.FromMicroseconds(1));
            }
        });
        for (int i = 0; i < 5; i++)
        {
            int n = 1 + Simulation.Draw(Machine.CoresStarted);
            _ = Go.SetGoMaxProcs(n);
            SimFailure.Unless(Go.GoMaxProcs == n, "GOMAXPROCS is not what was set");
            Simulation.Compute(Simulation.Draw(4) * 800);
        }
        done.Wait();
    }

    // Waits with a time-out far ahead, and is woken long before.
    private static void CallOff()
    {
        Call call = new();
        WaitGroup done = new();
        done.Go(() =>
        {
            for (int round = 0; round < 4; round++)
            {
                Simulation.Compute(Simulation.Draw(3) * 300);
                call.Make();
            }
        });
        for (int round = 0; round < 4; round++)
        {
            SimFailure.Unless(call.Await(), "a time-out came a minute early");
        }
        done.Wait();
    }

    private static void StopOften()
    {
        for (int round = 0; round < 4; round++)
        {
            GoTimer timer = GoTime.AfterFunc(TimeSpan.FromMinutes(1), () => throw new SimFailure("a stopped function ran"));
            if (Simulation.Draw(2) == 0)
            {
                Simulation.Compute(400);
            }
            SimFailure.Unless(timer.Stop(), "a timer that is not due could not be stopped");
        }
    }

    /// <summary>Calls, counted, and one goroutine that waits for them.</summary>
    private sealed class Call
    {
        private SpinLock _lock;
        private G* _waiting;
        private int _made;

        internal void Make()
        {
            _lock.Acquire(LockRank.Monitor);
            G* gp = _waiting;
            _waiting = null;
            if (gp == null)
            {
                _made++;
            }
            _lock.Release();
            if (gp != null)
            {
                SimFailure.Unless(Proc.GoReadyInTime(gp), "its time is over");
            }
        }

        internal bool Await()
        {
            _lock.Acquire(LockRank.Monitor);
            if (_made > 0)
            {
                _made--;
                _lock.Release();
                return true;
            }
            _waiting = Proc.GetG();
            return Proc.GoParkUntil(_lock.Word, WaitReason.Sleep, Machine.NanoTime() + 60_000_000_000);
        }
    }

    /// <summary>One core alone, whose queue needs no locked instructions, and then several, some of whom steal from it.</summary>
    internal static void AloneAndNot()
    {
        for (int round = 0; round < 3; round++)
        {
            _ = Go.SetGoMaxProcs(round == 1 ? Machine.CoresStarted : 1);
            int ran = 0;
            WaitGroup done = new();
            for (int i = 0; i < 5; i++)
            {
                done.Go(() =>
                {
                    _ = Atomic.Add(ref ran, 1);
                    Simulation.Compute(Simulation.Draw(3) * 300);
                });
            }
            Simulation.Compute(Simulation.Draw(3) * 4_000);
            done.Wait();
            SimFailure.Unless(ran == 5, ran + " of 5 have run");
        }
    }

    /// <summary>
    /// A core beyond GOMAXPROCS is to wake somebody for what an interrupt has readied there, finds all busy and is held up; then
    /// another takes that and goes idle, and a third makes work.
    /// </summary>
    internal static void HandsOverLate()
    {
        int retired = Machine.CoresStarted - 1;
        _ = Go.SetGoMaxProcs(retired);
        Notifier* notifier = (Notifier*)NativeMemory.AllocZeroed((nuint)sizeof(Notifier));
        _ = Atomic.Add(ref Proc.ConsoleWaiters, 1);
        for (int round = 0; round < 3; round++)
        {
            WaitGroup done = new();
            int started = 0;
            done.Go(() =>
            {
                _ = Atomic.Add(ref started, 1);
                notifier->Wait(WaitReason.IoWait);
            });
            done.Go(() =>
            {
                _ = Atomic.Add(ref started, 1);
                AwaitCounted();
            });
            for (int i = 0; i < MostSteps && started < 2; i++)
            {
                Simulation.Step();
            }
            Devices.Add(Machine.NanoTime(), retired, () => notifier->Notify());
            if (AwaitCounted())
            {
                Simulation.HoldUp(retired);
            }
            for (int i = 0; i < MostSteps && Proc.IdleCores == 0; i++)
            {
                Simulation.Step();
            }
            done.Go(() => Simulation.Compute(LongNs));
            Simulation.Compute(LongNs);
            done.Wait();
        }
        _ = Atomic.Add(ref Proc.ConsoleWaiters, -1);
        NativeMemory.Free(notifier);
    }

    private static bool AwaitCounted()
    {
        for (int i = 0; i < MostSteps; i++)
        {
            if (Proc.IsAnyWakerCounted)
            {
                return true;
            }
            Simulation.Step();
        }
        return false;
    }
}
