// System.GC and GoMemory: what is asked of the collector and what it says about itself.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Memory;

public class CollectTests
{
    private const int MiB = 1 << 20;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Garbage(long bytes)
    {
        for (long done = 0; done < bytes; done += 1024)
        {
            GC.KeepAlive(new byte[1000]);
        }
    }

    [Fact]
    public void A_collection_is_counted_for_every_generation_and_stamped()
    {
        GoMemory.ReadMemStats(out MemStats before);
        int count = GC.CollectionCount(0);
        GC.Collect();
        Assert.True(GC.CollectionCount(0) > count);
        GoMemory.ReadMemStats(out MemStats after);
        Assert.True(after.NumGC > before.NumGC);
        Assert.True(after.NumForcedGC > before.NumForcedGC);
        Assert.InRange(after.LastGC, before.LastGC + TimeSpan.FromTicks(1), GoTime.Now);
        Assert.True(after.NumPauses >= before.NumPauses + 2);
        Assert.True(after.PauseTotalNs > before.PauseTotalNs);
        Assert.Equal(2, GC.MaxGeneration);
        Assert.Equal(2, GC.GetGeneration(new object()));
        count = GC.CollectionCount(2);
        GC.Collect(0, GCCollectionMode.Forced, blocking: true, compacting: true);
        Assert.True(GC.CollectionCount(2) > count);
    }

    [Fact]
    public void A_collection_in_the_background_comes_by_itself()
    {
        int count = GC.CollectionCount(0);
        GC.Collect(2, GCCollectionMode.Optimized, blocking: false);
        while (GC.CollectionCount(0) == count)
        {
            Go.Gosched();
        }
    }

    [Fact]
    public void Collections_asked_for_by_many_at_once_all_end()
    {
        var wg = new WaitGroup();
        int count = GC.CollectionCount(0);
        for (int i = 0; i < 8; i++)
        {
            wg.Go(() =>
            {
                for (int k = 0; k < 5; k++)
                {
                    int seen = GC.CollectionCount(0);
                    GC.Collect();
                    Assert.True(GC.CollectionCount(0) > seen);
                    GoMemory.ReadMemStats(out _);
                    Go.Gosched();
                }
            });
        }
        wg.Wait();
        Assert.True(GC.CollectionCount(0) >= count + 5);
    }

    [Fact]
    public void Total_memory_follows_what_lives()
    {
        long empty = GC.GetTotalMemory(true);
        var wg = new WaitGroup();
        wg.Go(() => Hold(empty));           // in a goroutine of its own: no stack refers to it afterwards
        wg.Wait();
        Assert.InRange(GC.GetTotalMemory(true) - empty, -2 * MiB, 2 * MiB);
    }

    private static void Hold(long empty)
    {
        var kept = new byte[8][];
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = new byte[MiB];
        }
        long full = GC.GetTotalMemory(true);
        Assert.InRange(full - empty, 7 * MiB, 10 * MiB);
        GC.KeepAlive(kept);
    }

    [Fact]
    public void Memory_info_is_plausible()
    {
        var kept = new byte[4 * MiB];
        GC.Collect();
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        Assert.Equal(GC.CollectionCount(2), info.Index, 8.0);
        Assert.Equal(2, info.Generation);
        Assert.InRange(info.HeapSizeBytes, 4 * MiB, info.TotalCommittedBytes);
        Assert.InRange(info.TotalCommittedBytes, 4 * MiB, info.TotalAvailableMemoryBytes);
        Assert.InRange(info.MemoryLoadBytes, info.TotalCommittedBytes, info.TotalAvailableMemoryBytes);
        Assert.InRange(info.HighMemoryLoadThresholdBytes, 1, info.TotalAvailableMemoryBytes);
        Assert.InRange(info.FragmentedBytes, 0, info.HeapSizeBytes);
        Assert.True(info.PromotedBytes >= 4 * MiB);
        Assert.False(info.Compacted);
        Assert.Equal(2, info.PauseDurations.Length);
        Assert.True(info.PauseDurations[0] > TimeSpan.Zero);
        Assert.InRange(info.PauseTimePercentage, 0.0, 100.0);
        Assert.True(GC.GetTotalPauseDuration() >= info.PauseDurations[0]);
        GC.KeepAlive(kept);
    }

    [Fact]
    public void What_a_goroutine_allocates_is_counted_to_it()
    {
        const int pieces = 2000;
        var done = new Chan<long>();
        Go.Run(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < pieces; i++)
            {
                GC.KeepAlive(new byte[1000]);
            }
            GC.KeepAlive(new byte[3 * MiB]);
            done.Send(GC.GetAllocatedBytesForCurrentThread() - before);
        });
        long idle = GC.GetAllocatedBytesForCurrentThread();
        long counted = done.Receive();
        // Sizes are rounded up to classes; what another took of a window last may have been counted to that one.
        Assert.InRange(counted, (pieces * 1000) + (3 * MiB) - 16_384, (pieces * 1200) + (3 * MiB) + 65_536);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - idle, 0, 65_536);
    }

    [Fact]
    public void What_everybody_allocates_adds_up_and_never_goes_back()
    {
        long before = GC.GetTotalAllocatedBytes(true);
        Garbage(10 * MiB);
        long after = GC.GetTotalAllocatedBytes(true);
        Assert.InRange(after - before, 10 * MiB * 95L / 100, 14L * MiB);
        for (int i = 0; i < 20; i++)
        {
            GC.Collect();                   // what is left of the caches' windows is not counted again
        }
        Assert.InRange(GC.GetTotalAllocatedBytes(true) - after, 0, MiB);
    }

    [Fact]
    public void A_region_without_collections_has_none()
    {
        Assert.True(GC.TryStartNoGCRegion(8 * MiB));
        Assert.Equal(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
        int count = GC.CollectionCount(0);
        Garbage(7 * MiB);
        Assert.Equal(count, GC.CollectionCount(0));
        GC.EndNoGCRegion();
        Assert.NotEqual(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
        Assert.Throws<InvalidOperationException>(GC.EndNoGCRegion);
    }

    [Fact]
    public void A_region_without_collections_cannot_be_too_large_nor_nested_and_ends_by_a_collection()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => GC.TryStartNoGCRegion(1L << 50));
        Assert.True(GC.TryStartNoGCRegion(MiB));
        Assert.Throws<InvalidOperationException>(() => GC.TryStartNoGCRegion(MiB));
        GC.Collect();
        Assert.Throws<InvalidOperationException>(GC.EndNoGCRegion);
        Assert.Throws<InvalidOperationException>(GC.EndNoGCRegion);
    }

    [Fact]
    public void Latency_modes_are_kept()
    {
        GCLatencyMode before = GCSettings.LatencyMode;
        GCSettings.LatencyMode = GCLatencyMode.SustainedLowLatency;
        Assert.Equal(GCLatencyMode.SustainedLowLatency, GCSettings.LatencyMode);
        GCSettings.LatencyMode = before;
        Assert.Equal(before, GCSettings.LatencyMode);
        Assert.False(GCSettings.IsServerGC);
    }

    [Fact]
    public void With_GOGC_off_only_who_asks_gets_a_collection()
    {
        int percent = GoMemory.SetGCPercent(-1);
        try
        {
            GC.Collect();
            int count = GC.CollectionCount(0);
            Garbage(16 * MiB);
            Assert.Equal(count, GC.CollectionCount(0));
            GoMemory.ReadMemStats(out MemStats before);
            GC.Collect();
            GoMemory.ReadMemStats(out MemStats after);
            Assert.Equal(before.NumForcedGC + 1, after.NumForcedGC);
            Assert.Equal(-1, GoMemory.SetGCPercent(50));
            Assert.Equal(50, GoMemory.SetGCPercent(-1));
        }
        finally
        {
            GoMemory.SetGCPercent(percent);
        }
    }

    [Fact]
    public void The_goal_follows_the_percentage()
    {
        var kept = new byte[32 * MiB];
        int percent = GoMemory.SetGCPercent(100);
        try
        {
            GC.Collect();
            GoMemory.ReadMemStats(out MemStats at100);
            _ = GoMemory.SetGCPercent(300);
            GC.Collect();
            GoMemory.ReadMemStats(out MemStats at300);
            Assert.InRange(at100.NextGC, 64L * MiB, 100L * MiB);
            Assert.InRange(at300.NextGC, 128L * MiB, 200L * MiB);
        }
        finally
        {
            GoMemory.SetGCPercent(percent);
        }
        GC.KeepAlive(kept);
    }

    // Go: TestGcSys.
    [Fact]
    public void The_machine_gives_no_more_for_garbage()
    {
        Garbage(8 * MiB);
        GC.Collect();
        GoMemory.ReadMemStats(out MemStats before);
        Garbage(128 * MiB);
        GoMemory.ReadMemStats(out MemStats after);
        Assert.True(after.HeapSys - before.HeapSys <= 16 * MiB, $"{before.HeapSys} bytes grew to {after.HeapSys}");
    }

    // Go: TestMemoryLimit and TestMemoryLimitNoGCPercent. Pages of the heap that are in no span count as free.
    [Theory]
    [InlineData(100)]
    [InlineData(-1)]
    // Within 16 MiB, the bound of Go's own test: the limit is soft.
    public void The_memory_limit_is_obeyed(int percent)
    {
        GC.Collect();
        GoMemory.ReadMemStats(out MemStats start);
        long limit = start.Sys - start.HeapIdle + (24L * MiB);
        int percentBefore = GoMemory.SetGCPercent(percent);
        long limitBefore = GoMemory.SetMemoryLimit(limit);
        try
        {
            Assert.Equal(limit, GoMemory.SetMemoryLimit(-1));
            var kept = new byte[6][];
            for (int i = 0; i < kept.Length; i++)
            {
                kept[i] = new byte[MiB];
            }
            int count = GC.CollectionCount(0);
            for (int i = 0; i < 32; i++)
            {
                Garbage(5 * MiB);
                GoMemory.ReadMemStats(out MemStats now);
                Assert.True(now.Sys - now.HeapIdle <= limit + (16 * MiB), $"limit {limit}, in use {now.Sys - now.HeapIdle}, before {start.Sys - start.HeapIdle}");
            }
            GC.KeepAlive(kept);
            Assert.True(GC.CollectionCount(0) > count);
        }
        finally
        {
            GoMemory.SetMemoryLimit(limitBefore);
            GoMemory.SetGCPercent(percentBefore);
        }
    }

    [Fact]
    public void A_limit_below_what_lives_is_slow_but_not_for_ever()
    {
        var kept = new byte[24][];
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = new byte[MiB];
        }
        long before = GoMemory.SetMemoryLimit(MiB);
        try
        {
            Garbage(4 * MiB);
        }
        finally
        {
            GoMemory.SetMemoryLimit(before);
        }
        GC.KeepAlive(kept);
    }

    // Go: TestMemStats.
    [Fact]
    public void Statistics_are_consistent()
    {
        GC.Collect();
        GoMemory.ReadMemStats(out MemStats s);
        Assert.InRange(s.HeapInuse, 1, s.HeapSys);
        Assert.InRange(s.HeapSys, 1, s.Sys);
        Assert.Equal(s.HeapSys - s.HeapInuse, s.HeapIdle);
        Assert.InRange(s.HeapAlloc, 1, s.TotalAlloc);
        Assert.InRange(s.LiveObjects, 100, s.HeapInuse / 16);
        Assert.True(s.NextGC >= s.HeapAlloc / 2);
        Assert.InRange(s.PauseP50Ns, 1, s.PauseP99Ns);
        Assert.InRange(s.PauseMaxNs, s.PauseP50Ns * 7 / 8, s.PauseTotalNs);
        Assert.InRange(s.MarkCpuNs, 1, long.MaxValue);
        Span<long> pauses = stackalloc long[300];
        int n = MemStats.ReadPauses(pauses);
        Assert.InRange(n, (int)Math.Min(s.NumPauses, 256), 256);
        for (int i = 0; i < n; i++)
        {
            Assert.InRange(pauses[i], 0, s.PauseMaxNs);
        }
    }

    // Go: TestPrintGC, TestStopTheWorldDeadlock.
    [Fact]
    public void Statistics_and_collections_and_GoMaxProcs_go_together()
    {
        bool stop = false;
        int before = Go.GoMaxProcs;
        var wg = new WaitGroup();
        wg.Go(() => { while (!Volatile.Read(ref stop)) { GoMemory.ReadMemStats(out _); Go.Gosched(); } });
        wg.Go(() => { while (!Volatile.Read(ref stop)) { Garbage(10_000); } });
        for (int i = 0; i < 10; i++)
        {
            _ = Go.SetGoMaxProcs((i % Go.NumCpu) + 1);
            GC.Collect();
        }
        stop = true;
        wg.Wait();
        _ = Go.SetGoMaxProcs(before);
    }

    private sealed class Leaf(int id)
    {
        internal readonly int Id = id;
    }

    // A core that was told to run nothing had gone on marking, while the other one, now alone, set marks without locking.
    [Fact]
    public void No_mark_is_lost_while_cores_come_and_go()
    {
        var leaves = new Leaf[100_000];
        for (int i = 0; i < leaves.Length; i++)
        {
            leaves[i] = new Leaf(i);
        }
        new Random(1).Shuffle(leaves);                  // cores that mark at once are to meet in words of the bitmap
        int[] ids = Array.ConvertAll(leaves, l => l.Id);
        bool stop = false;
        int before = Go.GoMaxProcs;
        var wg = new WaitGroup();
        wg.Go(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                _ = Go.SetGoMaxProcs(before);
                Go.Sleep(TimeSpan.FromMicroseconds(300));
                _ = Go.SetGoMaxProcs(1);
                Go.Sleep(TimeSpan.FromMicroseconds(300));
            }
        });
        int lost = 0;
        for (int i = 0; i < 40 && lost == 0; i++)
        {
            GC.Collect();
            for (int k = 0; k < 1000; k++)
            {
                GC.KeepAlive(new Leaf(-1));             // takes the place of what was freed
            }
            for (int k = 0; k < leaves.Length; k++)
            {
                lost += leaves[k].Id == ids[k] ? 0 : 1;
            }
        }
        stop = true;
        wg.Wait();
        _ = Go.SetGoMaxProcs(before);
        Assert.Equal(0, lost);
    }
}
