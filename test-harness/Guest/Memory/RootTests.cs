// References that only a stack, a register, a static or the runtime itself has.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Memory;

public class RootTests
{
    private sealed class Marked(int value)
    {
        internal readonly int Value = value;
        internal readonly int[] Numbers = [value, value + 1];

        internal bool IsWhole => Numbers[0] == Value && Numbers[1] == Value + 1;
    }

    private struct Four
    {
        internal Marked A;
        internal Marked B;
        internal Marked C;
        internal Marked D;

        internal readonly int Sum => A.Value + B.Value + C.Value + D.Value;
    }

    private static object? s_sink;          // what is stored here is really made

    private static Marked? s_static;

    [ThreadStatic]
    private static Marked? t_static;

    // Runs body while collections follow each other.
    private static void UnderCollections(Action body)
    {
        bool stop = false;
        var collector = new WaitGroup();
        collector.Go(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                GC.Collect();
                for (int i = 0; i < 200; i++)
                {
                    s_sink = new Marked(-i);         // takes the place of whatever is freed wrongly
                }
            }
        });
        try
        {
            body();
        }
        finally
        {
            Volatile.Write(ref stop, true);
            collector.Wait();
        }
    }

    [Fact]
    public void A_span_keeps_its_array()
    {
        Span<int> middle = Middle();
        Span<int> end = middle[middle.Length..];
        for (int i = 0; i < 5; i++)
        {
            GC.Collect();
            s_sink = new int[100];
        }
        Assert.Equal(100, middle.Length);
        for (int i = 0; i < middle.Length; i++)
        {
            Assert.Equal(i + 50, middle[i]);
        }
        Assert.True(end.IsEmpty);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static Span<int> Middle()
        {
            int[] all = new int[200];
            for (int i = 0; i < all.Length; i++)
            {
                all[i] = i;
            }
            return all.AsSpan(50, 100);
        }
    }

    [Fact]
    public void The_empty_end_of_an_array_keeps_it()
    {
        var weak = new WeakReference(null);
        Span<byte> end = End(weak);
        GC.Collect();
        Assert.NotNull(weak.Target);
        Assert.Equal(0, end.Length);
        Assert.True(Unsafe.IsAddressGreaterThan(ref MemoryMarshal.GetReference(end), ref Unsafe.NullRef<byte>()));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static Span<byte> End(WeakReference weak)
        {
            byte[] all = new byte[1000 - 16];       // fills its slot but for the header and the length's word
            weak.Target = all;
            return all.AsSpan(all.Length);
        }
    }

    [Fact]
    public void A_loop_without_calls_keeps_what_its_registers_have() => UnderCollections(() =>
    {
        var wg = new WaitGroup();
        for (int g = 0; g < 2; g++)
        {
            wg.Go(() =>
            {
                int[] numbers = Numbers();
                long sum = 0;
                for (int round = 0; round < 20_000; round++)
                {
                    for (int i = 0; i < numbers.Length; i++)
                    {
                        sum += numbers[i];
                    }
                }
                Assert.Equal(20_000L * 100 * 99 / 2, sum);
            });
        }
        wg.Wait();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static int[] Numbers()
        {
            int[] n = new int[100];
            for (int i = 0; i < n.Length; i++)
            {
                n[i] = i;
            }
            return n;
        }
    });

    [Fact]
    public void Copies_of_structures_keep_what_passes_through_vector_registers() => UnderCollections(() =>
    {
        Four[] places = new Four[8];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = new Four { A = new Marked(i), B = new Marked(i), C = new Marked(i), D = new Marked(i) };
        }
        for (int round = 0; round < 30_000; round++)
        {
            Four moved = places[round % 8];
            places[round % 8] = places[(round + 3) % 8];
            places[(round + 3) % 8] = moved;
        }
        int sum = 0;
        foreach (Four f in places)
        {
            Assert.True(f.A.IsWhole && f.B.IsWhole && f.C.IsWhole && f.D.IsWhole);
            sum += f.Sum;
        }
        Assert.Equal(4 * 28, sum);
    });

    [Fact]
    public void Statics_of_all_kinds_are_roots()
    {
        s_static = new Marked(7);
        var wg = new WaitGroup();
        for (int g = 0; g < 8; g++)
        {
            int number = g;
            wg.Go(() =>
            {
                t_static = new Marked(number);
                for (int i = 0; i < 3; i++)
                {
                    GC.Collect();
                    Go.Gosched();
                }
                // Goroutines share the block of the G they run on, but not at the same time.
                Assert.True(t_static.IsWhole);
                Assert.Equal(number, t_static.Value);
            });
        }
        wg.Wait();
        Assert.True(s_static.IsWhole);
        Assert.Equal(7, s_static.Value);
    }

    [Fact]
    public void What_waits_in_channels_is_kept()
    {
        var buffered = new Chan<Marked>(3);
        var unbuffered = new Chan<Marked>();
        for (int i = 0; i < 3; i++)
        {
            buffered.Send(new Marked(i));
        }
        var sent = new WaitGroup();
        for (int i = 0; i < 4; i++)
        {
            int number = i;
            sent.Go(() => unbuffered.Send(new Marked(number)));
        }
        for (int i = 0; i < 5; i++)
        {
            Go.Gosched();
            GC.Collect();
        }
        for (int i = 0; i < 3; i++)
        {
            Assert.True(buffered.Receive() is { IsWhole: true } m && m.Value == i);
        }
        int sum = 0;
        for (int i = 0; i < 4; i++)
        {
            Marked m = unbuffered.Receive();
            Assert.True(m.IsWhole);
            sum += m.Value;
        }
        Assert.Equal(6, sum);
        sent.Wait();
    }

    [Fact]
    public void A_goroutine_that_has_not_run_keeps_its_argument() => UnderCollections(() =>
    {
        int sum = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 500; i++)
        {
            var m = new Marked(i);
            wg.Go(() => Interlocked.Add(ref sum, m.IsWhole ? m.Value : 1_000_000));
        }
        wg.Wait();
        Assert.Equal(500 * 499 / 2, sum);
    });

    [Fact]
    public void A_function_timer_keeps_its_function() => UnderCollections(() =>
    {
        var values = new Chan<int>(20);
        for (int i = 0; i < 20; i++)
        {
            var m = new Marked(i);
            GoTime.AfterFunc(TimeSpan.FromMilliseconds(1 + (i % 3)), () => values.Send(m.IsWhole ? m.Value : -1));
        }
        int sum = 0;
        for (int i = 0; i < 20; i++)
        {
            sum += values.Receive();
        }
        Assert.Equal(190, sum);
    });

    [Fact]
    public void Large_arrays_of_references_are_scanned_whole()
    {
        var all = new Marked[100_000];
        for (int i = 0; i < all.Length; i += 997)
        {
            all[i] = new Marked(i);
        }
        all[^1] = new Marked(5);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            for (int k = 0; k < 1000; k++)
            {
                s_sink = new Marked(-1);
            }
        }
        for (int i = 0; i < all.Length - 1; i += 997)
        {
            Assert.True(all[i].IsWhole && all[i].Value == i);
        }
        Assert.True(all[^1].IsWhole && all[^1].Value == 5);
    }
}
