// The pacer's formulas, one by one and at their ends.
using System;
using CsCheck;
using Unikernel.Runtime.Gc;
using Xunit;

namespace Unikernel.Tests.Gc;

public class PacerTests
{
    private const long MiB = 1 << 20;
    private const long GiB = 1 << 30;

    private static Pacer After(int gcPercent, long limit, CycleResult cycle, long started = 0, long stacks = 0)
    {
        Pacer p = default;
        p.Init(gcPercent, limit);
        p.StartCycle(started, started, 4, default);
        cycle.StackScanWork = stacks;
        p.EndCycle(cycle);
        return p;
    }

    private static Pacer Marked(int gcPercent, long marked, long stacks = 0, long limit = Pacer.None) =>
        After(gcPercent, limit, new CycleResult { MarkedBytes = marked, HeapScanWork = marked }, 0, stacks);

    // GOGC, marked, stacks, goal
    [Theory]
    [InlineData(100, 0, 0, 4 * MiB)]
    [InlineData(100, 2 * MiB, 0, 4 * MiB)]
    [InlineData(100, 100 * MiB, 0, 200 * MiB)]
    [InlineData(100, 100 * MiB, 10 * MiB, 210 * MiB)]
    [InlineData(50, 100 * MiB, 10 * MiB, 155 * MiB)]
    [InlineData(200, 1 * MiB, 0, 8 * MiB)]
    [InlineData(1000, GiB, 0, 11 * GiB)]
    [InlineData(0, 100 * MiB, 5 * MiB, 100 * MiB)]
    [InlineData(-1, 100 * MiB, 0, Pacer.None)]
    [InlineData(-5, 100 * MiB, 0, Pacer.None)]
    [InlineData(int.MaxValue, 100 * MiB, 0, (100 * MiB) + (MiB * int.MaxValue))]
    [InlineData(int.MaxValue, 1024 * GiB, 0, Pacer.None)]
    public void Goal_is_what_lives_and_a_share_of_it(int gcPercent, long marked, long stacks, long goal)
    {
        Pacer p = Marked(gcPercent, marked, stacks);
        Assert.Equal(goal, p.Goal(default));
        Assert.Equal(Math.Max(gcPercent, -1), p.GcPercent);
    }

    [Fact]
    public void Roots_count_before_the_first_cycle()
    {
        Pacer p = default;
        p.Init(100, Pacer.None);
        Assert.Equal(4 * MiB, p.Trigger(default, out long goal) + (4 * MiB) - (4 * MiB * 61 / 64));
        Assert.Equal(4 * MiB, goal);
        p.SetRoots(3 * MiB, 5 * MiB);
        Assert.Equal(8 * MiB, p.Goal(default));
    }

    [Fact]
    public void Setting_returns_what_was_set()
    {
        Pacer p = default;
        p.Init(100, Pacer.None);
        Assert.Equal(100, p.SetGcPercent(-7));
        Assert.Equal(-1, p.SetGcPercent(200));
        Assert.Equal(8 * MiB, p.HeapMinimumBytes);
        Assert.Equal(Pacer.None, p.SetMemoryLimit(GiB));
        Assert.Equal(GiB, p.SetMemoryLimit(-1));
        Assert.Equal(GiB, p.MemoryLimitBytes);
    }

    // limit, other memory, free, objects → goal with 100 MiB marked and GOGC off
    [Theory]
    [InlineData(1000, 0, 0, 0, 970)]                // 3 % headroom
    [InlineData(1000, 100, 0, 0, 873)]
    [InlineData(1000, 100, 50, 200, 873)]           // free pages may become objects
    [InlineData(1000, 700, 0, 400, 194)]            // 1100 in all: 100 over, so 200, less 3 %
    [InlineData(120, 5, 0, 100, 111)]               // (120 - 5) less 3 % (3.45)
    [InlineData(101, 0, 0, 100, 100)]               // never below what lives, and a 128th
    [InlineData(50, 0, 0, 100, 100)]
    [InlineData(50, 60, 0, 100, 100)]
    [InlineData(0, 10, 0, 100, 100)]
    public void Memory_limit_leaves_a_goal(int limit, int other, int free, int objects, int goal)
    {
        Pacer p = Marked(-1, 100 * MiB, 0, limit * MiB);
        var memory = new PacerMemory
        {
            TotalBytes = (other + free + objects) * MiB,
            HeapFreeBytes = free * MiB,
            HeapAllocBytes = objects * MiB,
        };
        Assert.InRange(p.Goal(memory) / (double)MiB, goal - 0.01, goal + 1);
        Assert.True(p.Goal(memory) >= 100 * MiB + (100 * MiB / 128));
    }

    [Fact]
    public void The_lower_of_limit_and_percentage_is_the_goal()
    {
        Pacer p = Marked(100, 100 * MiB, 0, 400 * MiB);
        Assert.Equal(200 * MiB, p.Goal(default));
        Assert.Equal(400 * MiB, p.SetMemoryLimit(150 * MiB));
        Assert.InRange(p.Goal(default), 144 * MiB, 146 * MiB);
        Assert.Equal(150 * MiB, p.SetMemoryLimit(2 * MiB));
        Pacer small = Marked(-1, 0, 0, 2 * MiB);
        Assert.Equal(MiB, small.Goal(default));         // the least headroom is the least goal
    }

    [Fact]
    public void Nobody_allocates_far_beyond_the_goal()
    {
        Assert.Equal(5 * MiB, Marked(100, 1 * MiB).Most(default));              // of 4 MiB at least
        Assert.Equal(220 * MiB, Marked(100, 100 * MiB).Most(default));
        Assert.Equal(Pacer.None, Marked(-1, 100 * MiB).Most(default));
        Pacer limited = Marked(100, 100 * MiB);
        _ = limited.SetMemoryLimit(150 * MiB);
        Assert.InRange(limited.Most(default), limited.Goal(default), 150 * MiB);
        _ = limited.SetMemoryLimit(20 * MiB);                                   // what lives may stay
        Assert.InRange(limited.Most(default), 100 * MiB, 102 * MiB);
        Assert.Equal(11 * MiB, Pacer.MostWhileSweeping(10 * MiB));
    }

    [Fact]
    public void A_late_start_moves_the_goal_while_the_cycle_runs()
    {
        Pacer p = Marked(100, 10 * MiB);
        p.StartCycle(50 * MiB, 50 * MiB, 4, default);
        Assert.Equal((50 * MiB) + (64 << 10), p.Goal(default));
        p.EndCycle(new CycleResult { MarkedBytes = 10 * MiB });
        Assert.Equal(20 * MiB, p.Goal(default));
    }

    // cores → dedicated workers, share of the others' time
    [Theory]
    [InlineData(1, 0, 0.25)]
    [InlineData(2, 0, 0.25)]
    [InlineData(3, 0, 0.25)]
    [InlineData(4, 1, 0)]
    [InlineData(5, 1, 0)]
    [InlineData(6, 1, 0.5 / 6)]
    [InlineData(8, 2, 0)]
    [InlineData(64, 16, 0)]
    public void A_quarter_of_the_cores_marks(int cores, int dedicated, double fractional)
    {
        Pacer p = Marked(100, MiB);
        p.StartCycle(4 * MiB, 4 * MiB, cores, default);
        Assert.Equal(dedicated, p.DedicatedWorkers);
        Assert.Equal(fractional, p.FractionalUtilization, 1e-9);
    }

    // 100 allocated in 30 of program time, 50 scanned in 10 of marking: (100/30) / (50/10).
    [Fact]
    public void Cons_mark_is_measured_and_the_largest_of_five_is_used()
    {
        Pacer p = default;
        p.Init(100, Pacer.None);
        double Cycle(long allocated, long idleNs)
        {
            p.StartCycle(1000, 1000, 4, default);
            p.EndCycle(new CycleResult
            {
                MarkedBytes = 500,
                LiveEndBytes = 1000 + allocated,
                HeapScanWork = 30,
                StackScanWork = 15,
                GlobalsScanWork = 5,
                TotalCpuNs = 40,
                MarkCpuNs = 10,
                IdleMarkNs = idleNs,
            });
            return p.ConsMark;
        }

        Assert.Equal(100.0 / 30 / 5, Cycle(100, 0), 1e-9);
        Assert.Equal(300.0 / 30 / 2.5, Cycle(300, 10), 1e-9);       // idle marking counts as marking only
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(300.0 / 30 / 2.5, Cycle(30, 0), 1e-9);
        }
        Assert.Equal(30.0 / 30 / 5, Cycle(30, 0), 1e-9);
        Assert.Equal(30.0 / 30 / 5, Cycle(0, 0), 1e-9);             // told nothing
    }

    [Fact]
    public void Trigger_leaves_the_runway_that_was_measured()
    {
        // A fifteenth of a byte allocated per byte scanned at equal CPU, so a fifth at a quarter; 1 GiB to scan.
        Pacer p = After(100, Pacer.None, new CycleResult
        {
            MarkedBytes = GiB,
            LiveEndBytes = GiB + (GiB / 5),
            HeapScanWork = GiB,
            TotalCpuNs = 400,
            MarkCpuNs = 100,
        }, GiB);
        Assert.Equal(1 / 15.0, p.ConsMark, 1e-9);
        long trigger = p.Trigger(default, out long goal);
        Assert.Equal(2 * GiB, goal);
        Assert.InRange(trigger, (2 * GiB) - (GiB / 5) - 2, (2 * GiB) - (GiB / 5) + 2);
    }

    private static readonly Gen<long> s_size = Gen.OneOf(
        Gen.Const(0L), Gen.Long[0, 10_000], Gen.Long[0, 64 * MiB], Gen.Long[0, 1L << 40]);

    private static readonly Gen<CycleResult> s_cycle =
        Gen.Select(s_size.Array[5], Gen.Long[0, 10_000_000_000].Array[3], (b, t) => new CycleResult
        {
            MarkedBytes = b[0],
            LiveEndBytes = b[1],
            HeapScanWork = b[2],
            StackScanWork = b[3],
            GlobalsScanWork = b[4],
            TotalCpuNs = t[0],
            MarkCpuNs = t[1],
            IdleMarkNs = t[2],
        });

    // Whatever has been measured: PC3's bounds, PC5's ratios.
    [Fact]
    public void Bounds_hold_whatever_was_measured() =>
        Gen.Select(
            Gen.Int[-1, 1000], Gen.OneOf(Gen.Const(Pacer.None), s_size), s_cycle.Array[1, 4], s_size.Array[6], Gen.Int[1, 64])
        .Sample((gcPercent, limit, cycles, sizes, cores) =>
        {
            Pacer p = default;
            p.Init(gcPercent, limit);
            var memory = new PacerMemory { TotalBytes = sizes[0] + sizes[1] + sizes[2], HeapFreeBytes = sizes[1], HeapAllocBytes = sizes[2] };
            foreach (CycleResult cycle in cycles)
            {
                long trigger = p.Trigger(memory, out long goal);
                long marked = p.MarkedBytes;
                if (goal == Pacer.None)
                {
                    Assert.Equal((Pacer.None, true), (trigger, gcPercent < 0 && limit == Pacer.None));
                }
                else
                {
                    Assert.InRange(trigger, marked, goal);
                    double way = goal - marked;
                    Assert.InRange(trigger - marked, (0.7 * way) - 64, Math.Max((0.96 * way) + 64, way - (4 * MiB)));
                }
                p.StartCycle(sizes[3], sizes[4], cores, memory);
                foreach (long work in new[] { 0, sizes[5], long.MaxValue >> 2 })
                {
                    p.Revise(Math.Max(sizes[3], work / 2), work, memory);
                    Assert.True(p.AssistWorkPerByte is > 0 and < double.PositiveInfinity, $"{p.AssistWorkPerByte}");
                    Assert.True(p.AssistBytesPerWork is > 0 and < double.PositiveInfinity, $"{p.AssistBytesPerWork}");
                    long debt = 1;
                    Assert.True(p.AssistWork(ref debt) >= Pacer.OverAssistWork);
                    Assert.True(debt >= 0);
                }
                p.EndCycle(cycle);
                Assert.True(p.ConsMark is >= 0 and < double.PositiveInfinity, $"{p.ConsMark}");
            }
        }, iter: 20_000);

    [Fact]
    public void Assists_pay_in_proportion_and_at_least_64_kibibytes()
    {
        Pacer p = Marked(100, 100 * MiB);
        p.StartCycle(150 * MiB, 150 * MiB, 4, default);         // 100 MiB of work, 50 MiB of room
        Assert.Equal(2.0, p.AssistWorkPerByte, 1e-6);
        Assert.Equal(0.5, p.AssistBytesPerWork, 1e-6);
        long debt = 1 * MiB;
        Assert.Equal(2 * MiB, p.AssistWork(ref debt));
        Assert.Equal(1 * MiB, debt);
        debt = 100;
        Assert.Equal(64 << 10, p.AssistWork(ref debt));
        Assert.Equal(32 << 10, debt);                           // credited beyond what was asked for
        p.Revise(175 * MiB, 50 * MiB, default);                 // half of each
        Assert.Equal(2.0, p.AssistWorkPerByte, 1e-6);
        p.Revise(160 * MiB, 90 * MiB, default);                 // ahead
        Assert.Equal(0.25, p.AssistWorkPerByte, 1e-6);
    }

    // More work than last time: the ratio stays, for the goal is stretched with it; at most to what comes next anyway.
    [Fact]
    public void A_heap_that_has_grown_stretches_the_goal()
    {
        Pacer p = Marked(100, 100 * MiB);
        p.StartCycle(150 * MiB, 150 * MiB, 4, default);
        p.Revise(175 * MiB, (100 * MiB) + 1, default);          // expected 100, may be 150: 75 MiB of room in all
        Assert.Equal(50.0 / 50.0, p.AssistWorkPerByte, 1e-3);
        p.Revise(240 * MiB, 140 * MiB, default);                // past the stretched goal of 225
        Assert.Equal(10.0 / ((225 * 1.1) - 240), p.AssistWorkPerByte, 1e-3);
        Pacer limited = Marked(100, 100 * MiB, 0, 210 * MiB);
        limited.StartCycle(150 * MiB, 150 * MiB, 4, default);
        limited.Revise(175 * MiB, (100 * MiB) + 1, default);    // the limit's goal is 210 less 3 %
        Assert.Equal(50 / ((210 * 0.97) - 175), limited.AssistWorkPerByte, 0.01);
    }
}
