// Scenarios of deadlines, timers and interrupts.
using System;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class TimeScenarios
{
    /// <summary>Nobody wakes early; on one core those due later wake later.</summary>
    internal static void Sleepers()
    {
        WaitGroup done = new();
        long lastDue = 0;
        bool isAlone = Go.GoMaxProcs == 1;
        for (int i = 0; i < 5; i++)
        {
            TimeSpan time = TimeSpan.FromMicroseconds(10 + (Simulation.Draw(20) * 50));
            done.Go(() =>
            {
                long due = Machine.NanoTime() + (time.Ticks * TimeSpan.NanosecondsPerTick);
                Go.Sleep(time);
                SimFailure.Unless(Machine.NanoTime() >= due, "woken early");
                if (isAlone)
                {
                    SimFailure.Unless(due + 50_000 >= lastDue, "woken after one who was due later");
                    lastDue = due;
                }
            });
        }
        done.Wait();
    }

    /// <summary>Sleepers that are due interrupt those that compute, who then wait behind them: not while a core is idle.</summary>
    internal static void SleepersBesideHogs()
    {
        WaitGroup done = new();
        for (int i = 0; i < 2; i++)
        {
            done.Go(() =>
            {
                Go.Sleep(TimeSpan.FromMicroseconds(3));
                Simulation.Compute(2_000_000);
            });
        }
        done.Go(() => Simulation.Compute(1_000 + (Simulation.Draw(20) * 150)));
        Simulation.Compute(1_000_000);
        done.Wait();
    }

    /// <summary>A time-out and a wake-up that come together: one of the two wins, and both sides know which.</summary>
    internal static void TimeOutAgainstReady()
    {
        for (int round = 0; round < 3; round++)
        {
            Waiter waiter = new();
            WaitGroup done = new();
            long delay = 2000 + (Simulation.Draw(40) * 100);
            done.Go(() => waiter.Wait(Machine.NanoTime() + 3000));
            done.Go(() =>
            {
                Simulation.Compute(delay);
                waiter.Wake();
            });
            done.Wait();
            SimFailure.Unless(waiter.WasWoken == waiter.HasWoken, "the two sides disagree");
        }
    }

    private sealed class Waiter
    {
        private SpinLock _lock;
        private G* _waiting;
        private bool _isWoken;
        private bool _isOver;

        internal bool WasWoken { get; private set; }

        internal bool HasWoken { get; private set; }

        internal void Wait(long untilNs)
        {
            _lock.Acquire(LockRank.Monitor);
            if (_isWoken)
            {
                _lock.Release();
                WasWoken = true;
                return;
            }
            _waiting = Proc.GetG();
            WasWoken = Proc.GoParkUntil(_lock.Word, WaitReason.Sleep, untilNs);
            SimFailure.Unless(WasWoken || Machine.NanoTime() >= untilNs, "timed out early");
            _lock.Acquire(LockRank.Monitor);
            _waiting = null;
            _isOver = true;
            _lock.Release();
        }

        internal void Wake()
        {
            _lock.Acquire(LockRank.Monitor);
            if (_waiting != null)
            {
                HasWoken = Proc.GoReadyInTime(_waiting);
            }
            else if (!_isOver)
            {
                _isWoken = true;
                HasWoken = true;
            }
            _lock.Release();
        }
    }

    /// <summary>Functions run once each, never early, and not at all once Stop has said so.</summary>
    internal static void Functions()
    {
        const int count = 5;
        int[] ran = new int[count];
        bool[] wasStopped = new bool[count];
        GoTimer[] timers = new GoTimer[count];
        WaitGroup done = new();
        for (int i = 0; i < count; i++)
        {
            int self = i;
            TimeSpan time = TimeSpan.FromMicroseconds(5 + Simulation.Draw(10));
            long due = Machine.NanoTime() + (time.Ticks * TimeSpan.NanosecondsPerTick);
            timers[i] = GoTime.AfterFunc(time, () =>
            {
                SimFailure.Unless(Machine.NanoTime() >= due, "a function ran early");
                _ = Atomic.Add(ref ran[self], 1);
            });
        }
        for (int i = 0; i < count; i++)
        {
            int self = i;
            done.Go(() =>
            {
                Simulation.Compute(4000 + (Simulation.Draw(12) * 1000));
                wasStopped[self] = timers[self].Stop();
            });
        }
        done.Wait();
        Go.Sleep(TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < count; i++)
        {
            SimFailure.Unless(ran[i] == (wasStopped[i] ? 0 : 1), $"stopped: {wasStopped[i]}, ran {ran[i]} times");
        }
    }

    /// <summary>After Stop or Reset no value of before; each setting gives one value at most.</summary>
    internal static void ChannelTimer()
    {
        long notBefore = Machine.NanoTime() + 10_000;
        GoTimer timer = new(TimeSpan.FromMicroseconds(10));
        int received = 0;
        int gone = 0;
        Chan<int> stop = new(0);
        WaitGroup done = new();
        done.Go(() =>
        {
            while (Volatile(ref gone) == 0)
            {
                _ = timer.C.Receive();
                SimFailure.Unless(Machine.NanoTime() >= Volatile(ref notBefore), "a value of before came after Reset");
                received++;
            }
        });
        int settings = 1;
        for (int i = 0; i < 4; i++)
        {
            Simulation.Compute(6_000 + (Simulation.Draw(9) * 1000));
            bool wasRunning = timer.Stop();
            int before = received;
            if (wasRunning)
            {
                settings--;
            }
            Go.Sleep(TimeSpan.FromMicroseconds(40));
            SimFailure.Unless(received <= before + 1 && (!wasRunning || received == before), "a value came after Stop");
            SimFailure.Unless(received == settings, $"{received} values of {settings} settings");
            Atomic.Store(ref notBefore, Machine.NanoTime() + 10_000);
            timer.Reset(TimeSpan.FromMicroseconds(11));
            settings++;
        }
        Go.Sleep(TimeSpan.FromMicroseconds(40));
        Atomic.Store(ref gone, 1);
        timer.Reset(TimeSpan.FromMicroseconds(11));
        done.Wait();
        SimFailure.Unless(received == settings + 1, "not one value for each setting");
    }

    private static int Volatile(ref int word) => Atomic.Load(ref word);

    private static long Volatile(ref long word) => Atomic.Load(ref word);

    /// <summary>Interrupts notify a goroutine that waits, is about to, or is still busy with the last one.</summary>
    internal static void Interrupts()
    {
        const int count = 5;
        Notifier* notifier = (Notifier*)NativeMemory.AllocZeroed((nuint)sizeof(Notifier));
        int raised = 0;
        int seen = 0;
        _ = Atomic.Add(ref Proc.ConsoleWaiters, 1);
        long at = Machine.NanoTime();
        for (int i = 0; i < count; i++)
        {
            at += 100 + Simulation.Draw(3000);
            Devices.Add(at, Simulation.Draw(Machine.CoresStarted), () =>
            {
                raised++;
                notifier->Notify();
            });
        }
        while (Atomic.Load(ref seen) < count)
        {
            notifier->Wait(WaitReason.IoWait);
            SimFailure.Unless(raised > 0, "notified by nobody");
            seen = raised;
            if (Simulation.Draw(2) == 0)
            {
                Simulation.Compute(500);
            }
        }
        _ = Atomic.Add(ref Proc.ConsoleWaiters, -1);
        NativeMemory.Free(notifier);
    }
}
