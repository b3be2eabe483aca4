// What System.GC, its handles and Go's counterparts promise.
//
// Stacks are guessed, so a word left over on one may keep an object: objects that are to die are made by goroutines of
// their own that have ended, and a few of many may survive.
using System;
using System.Collections.Generic;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Unikernel.Runtime.Gc;
using Xunit;

namespace Unikernel.Tests.Memory;

public class CollectorTests
{
    private const int Many = 100;
    private const int Nearly = 90;

    private static object? s_sink;          // what is stored here is really made

    private static int s_finalized;
    private static object? s_resurrected;

    private sealed class Finalizable(bool resurrects = false)
    {
        ~Finalizable()
        {
            Interlocked.Increment(ref s_finalized);
            if (resurrects)
            {
                s_resurrected = this;
            }
        }
    }

    private static void InGoroutine(Action body)
    {
        var wg = new WaitGroup();
        wg.Go(body);
        wg.Wait();
        for (int i = 0; i < 8; i++)
        {
            wg.Go(static () => { });            // others take its stack
            wg.Wait();
        }
    }

    private static void CollectAndFinalize()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void Collect_counts_and_frees()
    {
        int before = GC.CollectionCount(2);
        GC.Collect();
        Assert.True(GC.CollectionCount(2) > before);
        Assert.Equal(2, GC.GetGeneration(new object()));
        long allocated = GC.GetTotalAllocatedBytes();
        long mine = GC.GetAllocatedBytesForCurrentThread();
        byte[] block = new byte[1 << 20];
        Assert.True(GC.GetTotalAllocatedBytes() - allocated >= block.Length);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - mine >= block.Length);
        Assert.True(GC.GetTotalMemory(false) >= block.Length);
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        Assert.True(info.Index > 0 && info.HeapSizeBytes > 0 && info.TotalCommittedBytes >= info.HeapSizeBytes);
        Assert.True(GC.GetTotalPauseDuration() > TimeSpan.Zero);
        GC.KeepAlive(block);
    }

    [Fact]
    public void Garbage_does_not_need_more_memory()
    {
        GC.Collect();
        GoMemory.ReadMemStats(out MemStats before);
        for (int i = 0; i < 200_000; i++)
        {
            s_sink = new byte[100 + (i % 50)];
        }
        for (int i = 0; i < 200; i++)
        {
            s_sink = new byte[200_000];
        }
        GoMemory.ReadMemStats(out MemStats after);
        Assert.True(after.NumGC > before.NumGC);
        Assert.True(after.HeapSys - before.HeapSys < 48 << 20, $"grew by {after.HeapSys - before.HeapSys}");
        Assert.True(after.HeapInuse <= after.HeapSys && after.HeapAlloc > 0 && after.PauseMaxNs >= after.PauseP50Ns);
        long[] pauses = new long[4];
        Assert.Equal(4, MemStats.ReadPauses(pauses));
        Assert.All(pauses, static ns => Assert.True(ns > 0));
    }

    // Go: TestPeriodicGC, whose period is made short too.
    [Fact]
    public void A_busy_machine_collects_from_time_to_time()
    {
        long period = Mgc.ForcePeriodNs;
        int before = GC.CollectionCount(2);
        Mgc.ForcePeriodNs = 5_000_000;
        try
        {
            while (GC.CollectionCount(2) == before)
            {
                // allocates nothing; ends by the collection or not at all
            }
        }
        finally
        {
            Mgc.ForcePeriodNs = period;
        }
    }

    [Fact]
    public void Weak_references_die_with_their_objects()
    {
        var shorts = new List<WeakReference>();
        var longs = new List<WeakReference>();
        object kept = new();
        shorts.Add(new WeakReference(kept));
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                object o = new int[3];
                shorts.Add(new WeakReference(o));
                longs.Add(new WeakReference(o, trackResurrection: true));
            }
        });
        GC.Collect();
        Assert.Same(kept, shorts[0].Target);
        Assert.InRange(shorts.FindAll(static w => !w.IsAlive).Count, Nearly, Many);
        Assert.InRange(longs.FindAll(static w => !w.IsAlive).Count, Nearly, Many);
    }

    [Fact]
    public void Finalizers_run_once_and_can_be_suppressed()
    {
        s_finalized = 0;
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                s_sink = new Finalizable();
#pragma warning disable CA1816      // it is what is tested
                GC.SuppressFinalize(new Finalizable());
#pragma warning restore CA1816
            }
            s_sink = null;
        });
        CollectAndFinalize();
        Assert.InRange(s_finalized, Nearly, Many);
        CollectAndFinalize();
        Assert.InRange(s_finalized, Nearly, Many);
    }

    [Fact]
    public void A_finalizer_resurrects_and_a_registration_makes_it_run_again()
    {
        var weak = new WeakReference(null);
        var longWeak = new WeakReference(null, trackResurrection: true);
        s_resurrected = null;
        for (int attempt = 0; attempt < 10 && s_resurrected is null; attempt++)
        {
            InGoroutine(() =>
            {
                var o = new Finalizable(resurrects: true);
                weak.Target = o;
                longWeak.Target = o;
            });
            CollectAndFinalize();
        }
        Assert.NotNull(s_resurrected);
        Assert.False(weak.IsAlive);
        Assert.Same(s_resurrected, longWeak.Target);
        s_finalized = 0;
        GC.ReRegisterForFinalize(s_resurrected);
        s_resurrected = null;
        for (int attempt = 0; attempt < 10 && s_finalized == 0; attempt++)
        {
            InGoroutine(static () => { });
            CollectAndFinalize();
        }
        Assert.Equal(1, s_finalized);
    }

    [Fact]
    public void A_table_keeps_a_value_while_its_key_lives()
    {
        var table = new ConditionalWeakTable<object, int[]>();
        object key = new();
        table.Add(key, [42]);
        var keys = new List<WeakReference>();
        var values = new List<WeakReference>();
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                int[] k = [i];
                int[] v = [i];
                table.Add(k, v);
                keys.Add(new WeakReference(k));
                values.Add(new WeakReference(v));
            }
        });
        GC.Collect();
        GC.Collect();
        Assert.True(table.TryGetValue(key, out int[]? value) && value[0] == 42);
        Assert.InRange(keys.FindAll(static w => !w.IsAlive).Count, Nearly, Many);
        Assert.InRange(values.FindAll(static w => !w.IsAlive).Count, Nearly, Many);
        GC.KeepAlive(key);
    }

    [Fact]
    public void A_value_that_refers_to_its_key_does_not_keep_it()
    {
        var weak = new List<WeakReference>();
        var table = new ConditionalWeakTable<object, object>();
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                object k = new int[1];
                table.Add(k, new[] { k });
                weak.Add(new WeakReference(k));
            }
        });
        GC.Collect();
        Assert.InRange(weak.FindAll(static w => !w.IsAlive).Count, Nearly, Many);
        GC.KeepAlive(table);
    }

    [Fact]
    public void Handles_hold_what_their_kind_says()
    {
        var strong = new List<GCHandle>();
        var weak = new List<GCHandle>();
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                strong.Add(GCHandle.Alloc(new int[] { i }, i % 2 == 0 ? GCHandleType.Normal : GCHandleType.Pinned));
                weak.Add(GCHandle.Alloc(new int[] { i }, i % 2 == 0 ? GCHandleType.Weak : GCHandleType.WeakTrackResurrection));
            }
        });
        GC.Collect();
        for (int i = 0; i < Many; i++)
        {
            Assert.Equal(i, ((int[])strong[i].Target!)[0]);
        }
        Assert.InRange(weak.FindAll(static h => h.Target is null).Count, Nearly, Many);
        strong[0] = SetTarget(strong[0]);
        GC.Collect();
        Assert.Equal(-1, ((int[])strong[0].Target!)[0]);
        strong.ForEach(static h => h.Free());
        weak.ForEach(static h => h.Free());
        using var dependent = new DependentHandle(strong, new int[] { 9 });
        GC.Collect();
        Assert.Equal(9, ((int[])dependent.Dependent!)[0]);

        static GCHandle SetTarget(GCHandle h)
        {
            h.Target = new int[] { -1 };
            return h;
        }
    }

    [Fact]
    public void A_region_without_collections_has_none()
    {
        Assert.True(GC.TryStartNoGCRegion(4 << 20));
        Assert.Equal(GCLatencyMode.NoGCRegion, GCSettings.LatencyMode);
        Assert.Throws<InvalidOperationException>(static () => GC.TryStartNoGCRegion(1 << 20));
        int before = GC.CollectionCount(2);
        for (int i = 0; i < 3000; i++)
        {
            s_sink = new byte[1000];
        }
        Assert.Equal(before, GC.CollectionCount(2));
        GC.EndNoGCRegion();
        Assert.Throws<InvalidOperationException>(static () => GC.EndNoGCRegion());
        Assert.Throws<ArgumentOutOfRangeException>(static () => GC.TryStartNoGCRegion(1L << 50));
    }

    [Fact]
    public void Percentage_and_limit_are_Gos()
    {
        int percent = GoMemory.SetGCPercent(-1);
        try
        {
            int before = GC.CollectionCount(2);
            for (int i = 0; i < 20_000; i++)
            {
                s_sink = new byte[1000];
            }
            Assert.Equal(before, GC.CollectionCount(2));
            GoMemory.ReadMemStats(out MemStats stats);
            Assert.Equal(long.MaxValue, GoMemory.SetMemoryLimit(stats.Sys - stats.HeapIdle + (8 << 20)));
            for (int i = 0; i < 40_000; i++)
            {
                s_sink = new byte[1000];
            }
            Assert.True(GC.CollectionCount(2) > before);        // the limit alone asks for them
            GoMemory.ReadMemStats(out MemStats after);
            Assert.True(after.Sys - stats.Sys < 24 << 20, $"{after.Sys - stats.Sys} over a limit of 8 MiB more");
        }
        finally
        {
            GoMemory.SetMemoryLimit(long.MaxValue);
            Assert.Equal(-1, GoMemory.SetGCPercent(percent));
        }
    }

    [Fact]
    public void Cleanups_run_after_death_unless_stopped()
    {
        int ran = 0;
        var cleanups = new List<Cleanup>();
        var targets = new List<int[]>();
        InGoroutine(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                int[] target = [i];
                targets.Add(target);                        // none dies before its third cleanup is stopped
                GoMemory.AddCleanup(target, n => Interlocked.Add(ref ran, n), 1);
                GoMemory.AddCleanup(target, n => Interlocked.Add(ref ran, n), 1);
                cleanups.Add(GoMemory.AddCleanup(target, n => Interlocked.Add(ref ran, n), 1000));
            }
        });
        cleanups.ForEach(static c => c.Stop());
        targets.Clear();
        int[] kept = [1];
        GoMemory.AddCleanup(kept, n => Interlocked.Add(ref ran, n), 100_000);
        for (int i = 0; i < 5; i++)
        {
            CollectAndFinalize();
            Go.Sleep(TimeSpan.FromMilliseconds(1));         // they run in goroutines of their own
        }
        Assert.InRange(ran, 2 * Nearly, 2 * Many);
        GC.KeepAlive(kept);
        object self = new();
        Assert.Throws<GoPanicException>(() => GoMemory.AddCleanup(self, static _ => { }, self));
    }

    [Fact]
    public void Too_much_at_once_is_refused_and_harms_nobody()
    {
        object kept = new int[] { 3 };
        Assert.Throws<OutOfMemoryException>(static () => new long[0x7FFF_FFC7]);
        Assert.Equal(3, ((int[])kept)[0]);
    }

    [Fact]
    public void Exhaustion_is_an_exception_and_memory_comes_back()
    {
        Assert.Throws<OutOfMemoryException>(static () => Exhaust());
        GC.Collect();
        Assert.Equal(32 << 20, new byte[32 << 20].Length);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Exhaust()
        {
            var all = new List<byte[]>();
            while (true)
            {
                all.Add(new byte[16 << 20]);
            }
        }
    }
}
