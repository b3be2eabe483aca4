// Memory that is not there: huge sizes at once, a full heap after a collection, and life after both.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Memory;

public class ExhaustionTests
{
    private const int MiB = 1 << 20;

    private sealed class Link
    {
        internal Link? Next;
        internal long A;
        internal long B;
        internal long C;
    }

    private sealed class Finalizable(int[] count)
    {
        ~Finalizable() => Interlocked.Increment(ref count[0]);
    }

    [Theory]
    [InlineData(0x7FFF_FFC7)]
    public void A_size_no_machine_has_is_refused_at_once(int length)
    {
        int before = GC.CollectionCount(0);
        Assert.Throws<OutOfMemoryException>(() => GC.KeepAlive(new (Guid, Guid, Guid, Guid)[length]));
        Assert.Throws<OutOfMemoryException>(() => GC.KeepAlive(new string('x', 0x3FFF_FFF0)));
        Assert.Throws<OutOfMemoryException>(() => GC.KeepAlive(new decimal[length]));
        Assert.Throws<OverflowException>(() => GC.KeepAlive(new byte[(long)length << 4]));
        Assert.Throws<OverflowException>(() => GC.KeepAlive(new byte[int.Parse("-1", System.Globalization.CultureInfo.InvariantCulture)]));
        Assert.InRange(GC.CollectionCount(0) - before, 0, 1);
    }

    [Fact]
    public void Uninitialized_and_pinned_arrays_are_arrays()
    {
        byte[] a = GC.AllocateUninitializedArray<byte>(3 * MiB);
        long[] b = GC.AllocateArray<long>(1000, pinned: true);
        a[^1] = 3;
        b[^1] = 4;
        GC.Collect();
        Assert.Equal(3 * MiB, a.Length);
        Assert.Equal(4, b[999]);
        Assert.All(b[..999], x => Assert.Equal(0, x));
    }

    [Fact]
    public void Large_arrays_begin_zeroed_however_often_their_place_was_used()
    {
        for (int i = 0; i < 24; i++)
        {
            byte[] a = new byte[(4 * MiB) + (i * 8192)];
            Assert.Equal(-1, a.AsSpan().IndexOfAnyExcept((byte)0));
            a.AsSpan().Fill(0xFF);
        }
    }

    // Fills memory with large pieces, then what is left with small ones.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (List<byte[]> Large, Link? Small, int Failures) Fill()
    {
        var large = new List<byte[]>(100_000);
        Link? small = null;
        int failures = 0;
        for (int bytes = 32 * MiB; bytes >= 64 * 1024; bytes /= 8)
        {
            try
            {
                while (true)
                {
                    large.Add(GC.AllocateUninitializedArray<byte>(bytes));
                }
            }
            catch (OutOfMemoryException)
            {
                failures++;
            }
        }
        try
        {
            while (true)
            {
                small = new Link { Next = small, A = 1, B = 2, C = 3 };
            }
        }
        catch (OutOfMemoryException)
        {
            failures++;
        }
        return (large, small, failures);
    }

    [Fact]
    public void A_full_heap_throws_and_the_system_goes_on_when_the_program_lets_go()
    {
        Node witness = Node.WithExtra(3);
        for (int round = 0; round < 2; round++)
        {
            int failures = 0;
            var wg = new WaitGroup();
            wg.Go(() => failures = FillAndCheck());
            wg.Wait();
            Assert.Equal(5, failures);
            GC.Collect();
            witness.CheckDeep(3, 1);
            byte[] again = new byte[8 * MiB];           // there is room again
            again[^1] = 1;
            var list = new List<Node>();
            for (int i = 0; i < 10_000; i++)
            {
                list.Add(new Node(i));
            }
            list[9_999].Check(9_999);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int FillAndCheck()
    {
        (List<byte[]> large, Link? small, int failures) = Fill();
        // Full, and others go on: a goroutine, a channel with room, arithmetic.
        for (Link? l = small; l is not null; l = l.Next)
        {
            if (l.A != 1 || l.B != 2 || l.C != 3)
            {
                return -1;
            }
        }
        GC.KeepAlive(large);
        return failures;
    }

    // Wherever it lies: one of the machines these tests run on has a quarter of it below a hole and the rest above.
    [Fact]
    public void Nearly_all_memory_is_the_heaps_to_use()
    {
        long bytes = 0;
        var wg = new WaitGroup();
        wg.Go(() => bytes = Filled());
        wg.Wait();
        GC.Collect();
        Assert.InRange(bytes, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 100 * 85, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Filled()
    {
        (List<byte[]> large, Link? small, _) = Fill();
        GoMemory.ReadMemStats(out MemStats stats);
        GC.KeepAlive(large);
        GC.KeepAlive(small);
        return stats.HeapInuse;
    }

    [Fact]
    public void A_full_heap_with_objects_to_finalize_loses_none()
    {
        int[] count = [0];
        int made = 0;
        var wg = new WaitGroup();
        wg.Go(() => made = MakeFinalizable(count));
        wg.Wait();
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.InRange(count[0], made - 4, made + 1);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int MakeFinalizable(int[] count)
    {
        var keep = new List<Finalizable>(20_000);
        (List<byte[]> large, Link? small, _) = Fill();
        large.RemoveRange(large.Count - 12, 12);        // not quite full
        int made = 0;
        try
        {
            for (; made < 20_000; made++)
            {
                keep.Add(new Finalizable(count));
            }
        }
        catch (OutOfMemoryException)
        {
            // enough
        }
        GC.KeepAlive(large);
        GC.KeepAlive(small);
        GC.KeepAlive(keep);
        return made;
    }

    [Fact]
    public void Goroutines_that_run_out_together_all_hear_of_it()
    {
        int heard = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 4; i++)
        {
            wg.Go(() =>
            {
                try
                {
                    var mine = new List<byte[]>();
                    while (true)
                    {
                        mine.Add(GC.AllocateUninitializedArray<byte>(4 * MiB));
                    }
                }
                catch (OutOfMemoryException)
                {
                    Interlocked.Increment(ref heard);
                }
            });
        }
        wg.Wait();
        Assert.Equal(4, heard);
        GC.Collect();
        GC.KeepAlive(new byte[16 * MiB]);
    }
}
