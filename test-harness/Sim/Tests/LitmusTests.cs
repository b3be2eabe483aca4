// What the simulated cores may and may not see, and the protocol of sleeping and waking with each of its steps left out.
// References: x86-TSO (Sewell et al., 2010) for the names; PF3 and PF4 of the scheduler for the protocol.
using System;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Tests.Sim.Harness;
using Xunit;

namespace Unikernel.Tests.Sim.Tests;

public class LitmusTests
{
    private const ulong Seeds = 3000;

    private static bool IsLost(Shared seen, RunResult result) => result.Ending == Ending.Hang;

    [Fact]
    public void SB_stores_are_seen_late()
    {
        ulong? seed = Litmus.Find(
            Seeds, (s, _) => s.Left == 0 && s.Right == 0,
            s => { Atomic.Store(ref s.X, 1); s.Left = Atomic.Load(ref s.Y); },
            s => { Atomic.Store(ref s.Y, 1); s.Right = Atomic.Load(ref s.X); });
        Assert.NotNull(seed);
    }

    [Fact]
    public void SB_with_fences_one_sees_the_other()
    {
        ulong? seed = Litmus.Find(
            Seeds, (s, _) => s.Left == 0 && s.Right == 0,
            s => { Atomic.Store(ref s.X, 1); Atomic.Fence(); s.Left = Atomic.Load(ref s.Y); },
            s => { _ = Atomic.Exchange(ref s.Y, 1); s.Right = Atomic.Load(ref s.X); });
        Assert.Null(seed);
    }

    [Fact]
    public void SB_each_outcome_with_a_store_seen_occurs()
    {
        foreach ((int left, int right) in new[] { (0, 1), (1, 0), (1, 1) })
        {
            ulong? seed = Litmus.Find(
                Seeds, (s, _) => s.Left == left && s.Right == right,
                s => { Atomic.Store(ref s.X, 1); s.Left = Atomic.Load(ref s.Y); },
                s => { Atomic.Store(ref s.Y, 1); s.Right = Atomic.Load(ref s.X); });
            Assert.NotNull(seed);
        }
    }

    [Fact]
    public void MP_stores_are_seen_in_order()
    {
        ulong? seed = Litmus.Find(
            Seeds, (s, _) => s.Left == 1 && s.Right == 0,
            s => { Atomic.Store(ref s.X, 1); Atomic.Store(ref s.Y, 1); },
            s => { s.Left = Atomic.Load(ref s.Y); s.Right = Atomic.Load(ref s.X); });
        Assert.Null(seed);
    }

    [Fact]
    public void LB_loads_do_not_see_the_future()
    {
        ulong? seed = Litmus.Find(
            Seeds, (s, _) => s.Left == 1 && s.Right == 1,
            s => { s.Left = Atomic.Load(ref s.X); Atomic.Store(ref s.Y, 1); },
            s => { s.Right = Atomic.Load(ref s.Y); Atomic.Store(ref s.X, 1); });
        Assert.Null(seed);
    }

    [Fact]
    public void A_core_sees_its_own_store_at_once()
    {
        ulong? seed = Litmus.Find(
            Seeds, (s, _) => s.Left != 1,
            s => { Atomic.Store(ref s.X, 1); s.Left = Atomic.Load(ref s.X); },
            s => s.Right = Atomic.Load(ref s.X));
        Assert.Null(seed);
    }

    [Fact]
    public void Additions_are_not_lost_and_two_steps_are()
    {
        void Atomically(Shared s)
        {
            for (int i = 0; i < 5; i++)
            {
                _ = Atomic.Add(ref s.X, 1);
            }
        }

        void InTwoSteps(Shared s)
        {
            for (int i = 0; i < 5; i++)
            {
                Atomic.Store(ref s.X, Atomic.Load(ref s.X) + 1);
            }
        }

        Assert.Null(Litmus.Find(Seeds, (s, _) => s.X != 10, Atomically, Atomically));
        Assert.NotNull(Litmus.Find(Seeds, (s, _) => s.X != 10, InTwoSteps, InTwoSteps));
    }

    // ---- sleeping and waking: X is the work, Y says that core 1 is idle

    private static void SleepThenWork(Shared s, bool looksTwice, bool interruptsOff)
    {
        if (Atomic.Load(ref s.X) != 0)
        {
            return;
        }
        _ = Atomic.Exchange(ref s.Y, 1);
        if (looksTwice && Atomic.Load(ref s.X) != 0)
        {
            return;
        }
        while (Atomic.Load(ref s.Y) != 0)
        {
            nuint flags = interruptsOff ? Machine.DisableInterrupts() : 0;
            if (Atomic.Load(ref s.Y) != 0)
            {
                Machine.Halt();
            }
            Machine.RestoreInterrupts(flags);
        }
    }

    private static void MakeWork(Shared s, bool hasFence)
    {
        Atomic.Store(ref s.X, 1);
        if (hasFence)
        {
            Atomic.Fence();
        }
        Wake(s);
    }

    private static void Wake(Shared s)
    {
        if (Atomic.Load(ref s.Y) != 0)
        {
            Atomic.Store(ref s.Y, 0);
            Machine.WakeCore(1);
        }
    }

    [Fact]
    public void Sleeping_and_waking_loses_nothing() =>
        Assert.Null(Litmus.Find(10 * Seeds, IsLost, s => MakeWork(s, true), s => SleepThenWork(s, true, true)));

    [Fact]
    public void Lost_without_the_second_look() =>
        Assert.NotNull(Litmus.Find(Seeds, IsLost, s => MakeWork(s, true), s => SleepThenWork(s, false, true)));

    [Fact]
    public void Lost_without_the_makers_fence() =>
        Assert.NotNull(Litmus.Find(Seeds, IsLost, s => MakeWork(s, false), s => SleepThenWork(s, true, true)));

    [Fact]
    public void Lost_when_the_wake_up_comes_before_the_work() =>
        Assert.NotNull(Litmus.Find(Seeds, IsLost, s => { Wake(s); _ = Atomic.Exchange(ref s.X, 1); }, s => SleepThenWork(s, true, true)));

    [Fact]
    public void Lost_with_interrupts_on_before_the_halt() =>
        Assert.NotNull(Litmus.Find(Seeds, IsLost, s => MakeWork(s, true), s => SleepThenWork(s, true, false)));

    // ---- seeds

    [Fact]
    public void A_seed_gives_the_same_run_again()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            Action<Shared> wake = s => MakeWork(s, false);
            Action<Shared> sleep = s => SleepThenWork(s, true, true);
            RunResult first = Litmus.Run(seed, wake, sleep).Result;
            RunResult second = Litmus.Run(seed, wake, sleep).Result;
            Assert.Equal(first, second);
        }
    }
}
