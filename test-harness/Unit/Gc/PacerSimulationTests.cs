// The pacer in its loop: the heap at the end of a cycle meets the goal, with few assists, and memory stays within the limit.
using System;
using Unikernel.Runtime.Gc;
using Xunit;

namespace Unikernel.Tests.Gc;

public class PacerSimulationTests
{
    private const double MiB = 1 << 20;

    // live MiB, GOGC, cores, bytes allocated per ns and core, share that may hold references
    [Theory]
    [InlineData(16, 100, 4, 0.2, 1.0)]
    [InlineData(64, 100, 1, 0.1, 1.0)]
    [InlineData(64, 100, 4, 0.3, 0.5)]
    [InlineData(256, 100, 2, 0.2, 1.0)]
    [InlineData(256, 50, 4, 0.05, 0.7)]
    [InlineData(64, 400, 8, 0.5, 1.0)]
    [InlineData(1024, 100, 4, 0.2, 1.0)]
    public void A_steady_program_meets_its_goal_without_assists(double live, int gcPercent, int cores, double allocPerNs, double scannable)
    {
        var sim = new PacerSimulation(gcPercent, cores: cores)
        {
            LiveBytes = live * MiB,
            AllocPerNs = allocPerNs,
            ScannableShare = scannable,
        };
        PacerSimulation.Cycle cycle = sim.RunMany(12);
        for (int i = 0; i < 8; i++)
        {
            cycle = sim.Run();
            Assert.InRange(cycle.End / cycle.Goal, 0.93, 1.01);
            Assert.InRange(cycle.AssistShare, 0, 0.02);
        }
    }

    // More than three quarters of the CPU can mark away: the trigger is at its lower bound, and assists hold the goal.
    [Theory]
    [InlineData(1.0)]
    [InlineData(4.0)]
    [InlineData(20.0)]
    public void A_program_that_allocates_too_fast_is_held_at_the_goal_by_assists(double allocPerNs)
    {
        var sim = new PacerSimulation(100) { LiveBytes = 64 * MiB, AllocPerNs = allocPerNs };
        PacerSimulation.Cycle cycle = sim.RunMany(10);
        for (int i = 0; i < 5; i++)
        {
            double marked = sim.Pacer.MarkedBytes;
            cycle = sim.Run();
            Assert.InRange((cycle.Start - marked) / (cycle.Goal - marked), 0.69, 0.72);
            Assert.InRange(cycle.End / cycle.Goal, 0.9, 1.02);
        }
        Assert.True(cycle.AssistShare > 0.03, $"{cycle.AssistShare}");
    }

    [Fact]
    public void A_small_heap_is_collected_at_four_mebibytes()
    {
        var sim = new PacerSimulation(100) { LiveBytes = 0.1 * MiB };
        for (int i = 0; i < 5; i++)
        {
            PacerSimulation.Cycle cycle = sim.Run();
            Assert.Equal(4 * MiB, cycle.Goal);
            Assert.InRange(cycle.Start, 0.7 * 4 * MiB, 4 * MiB);
            Assert.True(cycle.End <= 4.2 * MiB, $"{cycle.End}");
        }
    }

    [Theory]
    [InlineData(1.05)]
    [InlineData(1.3)]
    [InlineData(2.0)]
    public void A_growing_heap_stays_under_what_the_next_cycle_will_use_anyway(double growth)
    {
        var sim = new PacerSimulation(100) { LiveBytes = 8 * MiB, AllocPerNs = 0.2 };
        _ = sim.RunMany(8);
        while (sim.LiveBytes < 512 * MiB)
        {
            sim.LiveBytes *= growth;
            PacerSimulation.Cycle cycle = sim.Run();
            Assert.True(cycle.End <= Math.Max(cycle.Goal * 1.1, 2 * sim.LiveBytes * 1.1), $"{cycle} {sim.LiveBytes}");
        }
        PacerSimulation.Cycle steady = sim.RunMany(8);
        Assert.InRange(steady.End / steady.Goal, 0.9, 1.01);
    }

    [Fact]
    public void A_burst_is_absorbed_and_forgotten_after_five_cycles()
    {
        var sim = new PacerSimulation(100) { LiveBytes = 64 * MiB, AllocPerNs = 0.1 };
        double usual = sim.RunMany(12).Start;
        sim.AllocPerNs = 2;
        PacerSimulation.Cycle burst = sim.Run();
        Assert.True(burst.End <= burst.Goal * 1.1, $"{burst}");
        sim.AllocPerNs = 0.1;
        PacerSimulation.Cycle after = sim.Run();
        Assert.True(after.Start < usual, "the burst is remembered for a while");
        after = sim.RunMany(8);
        Assert.InRange(after.Start / usual, 0.99, 1.01);
    }

    [Fact]
    public void A_heap_that_shrinks_has_a_goal_that_shrinks()
    {
        var sim = new PacerSimulation(100) { LiveBytes = 512 * MiB, AllocPerNs = 0.2 };
        _ = sim.RunMany(8);
        sim.LiveBytes = 32 * MiB;
        PacerSimulation.Cycle cycle = sim.RunMany(6);
        Assert.True(cycle.Goal < 100 * MiB, $"{cycle}");
    }

    [Fact]
    public void A_cycle_begun_late_by_a_large_object_still_ends()
    {
        var sim = new PacerSimulation(100) { LiveBytes = 64 * MiB, AllocPerNs = 0.2 };
        _ = sim.RunMany(8);
        sim.LiveBytes += 500 * MiB;
        PacerSimulation.Cycle cycle = sim.Run(500 * MiB);
        Assert.True(cycle.End < cycle.Start * 1.25, $"{cycle}");
        cycle = sim.RunMany(8);
        Assert.InRange(cycle.End / cycle.Goal, 0.9, 1.01);
    }

    // GOGC, limit MiB, bytes allocated per ns and core
    [Theory]
    [InlineData(-1, 256, 0.2)]
    [InlineData(-1, 256, 2.0)]
    [InlineData(400, 256, 0.2)]
    [InlineData(400, 180, 1.0)]
    [InlineData(100, 1024, 0.2)]
    public void Memory_stays_within_the_limit(int gcPercent, double limit, double allocPerNs)
    {
        var sim = new PacerSimulation(gcPercent, (long)(limit * MiB))
        {
            LiveBytes = 64 * MiB,
            OtherBytes = 20 * MiB,
            AllocPerNs = allocPerNs,
        };
        PacerSimulation.Cycle cycle = default;
        for (int i = 0; i < 30; i++)
        {
            cycle = sim.Run();
            Assert.True(sim.TakePeak() <= limit * MiB, $"{i}: {cycle}");
        }
        if (gcPercent < 0)
        {
            Assert.InRange(cycle.End + (20 * MiB), 0.85 * limit * MiB, limit * MiB);    // and uses what there is
        }
    }

    // Live is twice the limit: the collector runs all the time, the program keeps half of the CPU, and the heap does not run away.
    [Theory]
    [InlineData(100)]
    [InlineData(-1)]
    public void A_limit_below_the_live_heap_is_slow_but_no_death_spiral(int gcPercent)
    {
        var sim = new PacerSimulation(gcPercent, (long)(50 * MiB)) { LiveBytes = 100 * MiB, OtherBytes = 10 * MiB, AllocPerNs = 0.2 };
        _ = sim.RunMany(200);
        double mutatorNs = 0;
        double totalNs = 0;
        for (int i = 0; i < 1000; i++)
        {
            PacerSimulation.Cycle cycle = sim.Run();
            mutatorNs += cycle.MutatorNs;
            totalNs += cycle.TotalNs;
            Assert.True(cycle.End < 200 * MiB, $"{cycle}");
        }
        Assert.InRange(mutatorNs / totalNs, 0.48, 0.8);
    }

    [Fact]
    public void Without_goal_and_limit_no_cycle_starts_but_a_forced_one_ends()
    {
        var sim = new PacerSimulation(-1) { LiveBytes = 64 * MiB };
        PacerSimulation.Cycle cycle = sim.Run(64 * MiB);
        Assert.Equal(0, cycle.AssistShare, 0.01);
        Assert.Throws<InvalidOperationException>(() => sim.Run());
        Assert.Equal(-1, sim.Pacer.SetGcPercent(100));
        cycle = sim.RunMany(10);
        Assert.InRange(cycle.End / cycle.Goal, 0.9, 1.02);
    }
}
