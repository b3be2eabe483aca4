// Go's reachability cases: gc_test.go and test/gc*.go; and roots of each kind the collector must know.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Memory;

public class ShapeTests
{
    [ThreadStatic]
    private static Node? t_node;

    private sealed class Box<T>(T value)
    {
        internal T Value = value;
    }

    private static void Elsewhere(Action action)
    {
        var done = new WaitGroup();
        done.Go(action);
        done.Wait();
    }

    private static void Collect()
    {
        GC.Collect();
        OnlyReferences.Churn(20);
    }

    // TestGcDeepNesting
    [Fact]
    public void Deep_nesting_survives()
    {
        var t = new Box<Box<Box<Box<Box<Box<Box<Box<int[]>>>>>>>>(new(new(new(new(new(new(new([1, 2, 3]))))))));
        for (int i = 0; i < 3; i++)
        {
            Collect();
            t.Value.Value.Value.Value.Value.Value.Value.Value[2] = i;
        }
        Assert.Equal([1, 2, 2], t.Value.Value.Value.Value.Value.Value.Value.Value);
    }

    // TestGcMapIndirection
    [Fact]
    public void Large_values_in_a_map_survive()
    {
        int percent = GoMemory.SetGCPercent(1);
        var map = new System.Collections.Generic.Dictionary<(Quad, int), (Quad, Node)>();
        for (int i = 0; i < 2000; i++)
        {
            map.Add((default, i), (new Quad { C = new Node(i) }, new Node(i)));
        }
        _ = GoMemory.SetGCPercent(percent);
        for (int i = 0; i < 2000; i++)
        {
            map[(default, i)].Item1.C!.Check(i);
            map[(default, i)].Item2.Check(i);
        }
    }

    // TestGcArraySlice: a list that is extended at both ends while every element moves.
    [Fact]
    public void Elements_that_move_from_array_to_array_survive()
    {
        int percent = GoMemory.SetGCPercent(1);
        Node[][] from = new Node[10][];
        for (int round = 0; round < 100; round++)
        {
            var to = new Node[10][];
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = from[i]?[..Math.Min(i % 5, from[i].Length)] ?? [];
                Array.Resize(ref to[i], to[i].Length + 1);
                to[i][^1] = new Node((round * 16) + i);
            }
            from = to;
            foreach (Node[] a in from)
            {
                foreach (Node n in a)
                {
                    n.Check(n.Id);
                }
            }
        }
        _ = GoMemory.SetGCPercent(percent);
    }

    // TestGcRescan
    [Fact]
    public void Rings_that_are_stitched_again_and_again_survive()
    {
        Node? head = null;
        for (int i = 0; i < 10; i++)
        {
            var first = new Node(i);
            Node at = first;
            for (int k = 1; k < 10; k++)
            {
                var next = new Node(i);
                at.SetLeft(next);
                at = next;
            }
            at.SetLeft(first);
            first.SetRight(head);
            head = first;
            Collect();
            int rings = 0;
            for (Node? p = head; p is not null; p = p.Right, rings++)
            {
                Node q = p;
                for (int k = 0; k < 10; k++)
                {
                    q.Check(p.Id);
                    q = q.Left!;
                }
                Assert.Same(p, q);
            }
            Assert.Equal(i + 1, rings);
        }
    }

    // A million links must not need a million frames.
    [Fact]
    public void A_long_list_survives()
    {
#if LINUX
        const int length = 1_000_000;
#else
        const int length = 100_000;
#endif
        Node head = new(0);
        for (int i = 1; i < length; i++)
        {
            var n = new Node(i);
            n.SetLeft(head);
            head = n;
        }
        Collect();
        int seen = length;
        for (Node? n = head; n is not null; n = n.Left)
        {
            n.Check(--seen);
        }
        Assert.Equal(0, seen);
    }

    // gcstring: the empty end of something keeps neither it nor what comes behind it, and nobody crashes.
    [Fact]
    public void Empty_tails_hold_nothing_behind_them()
    {
        var weak = new WeakReference[64];
        Elsewhere(() => EmptyTails(weak));
        GC.Collect();
        Assert.DoesNotContain(weak, w => w.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EmptyTails(WeakReference[] weak)
    {
        ReadOnlyMemory<char> tail = default;
        for (int i = 0; i < weak.Length; i++)
        {
            string s = new('x', i + 1);
            weak[i] = new WeakReference(s);
            tail = s.AsMemory(s.Length);
        }
        GC.Collect();
        Assert.Equal("", tail.ToString());
        GC.KeepAlive(tail);
    }

    // gc1: garbage alone does not let memory grow.
    [Fact]
    public void A_million_small_objects_are_bounded()
    {
        GC.Collect();
        GoMemory.ReadMemStats(out MemStats before);
        Node? keep = null;
        for (int i = 0; i < 1_000_000; i++)
        {
            var n = new Node(i);
            keep = i % 1000 == 0 ? n : keep;
        }
        keep!.Check(999_000);
        GoMemory.ReadMemStats(out MemStats after);
        Assert.True(after.HeapSys - before.HeapSys < 32 << 20, $"{before.HeapSys} -> {after.HeapSys}");
    }

    [Fact]
    public void Thread_statics_of_parked_goroutines_are_roots()
    {
        const int count = 50;
        var stop = new Chan<int>();
        var parked = new Chan<int>();
        var wg = new WaitGroup();
        int wrong = 0;
        for (int i = 0; i < count; i++)
        {
            int id = i;
            wg.Go(() =>
            {
                t_node = Node.WithExtra(id);
                parked.Send(1);
                _ = stop.Receive();
                try
                {
                    t_node!.CheckDeep(id, 1);
                }
                catch (LostException)
                {
                    Interlocked.Increment(ref wrong);
                }
                t_node = null;
            });
        }
        for (int i = 0; i < count; i++)
        {
            _ = parked.Receive();
        }
        Collect();
        stop.Close();
        wg.Wait();
        Assert.Equal(0, wrong);
    }

    // A timer is all that refers to its function, and it is reset while cycles mark.
    [Fact]
    public void Functions_of_timers_are_roots()
    {
        const int count = 200;
        bool stop = false;
        var wg = new WaitGroup();
        wg.Go(() => { while (!Volatile.Read(ref stop)) { GC.Collect(); } });
        var fired = new Chan<Exception?>(count);
        Elsewhere(() =>
        {
            for (int i = 0; i < count; i++)
            {
                Arm(i, fired);
                OnlyReferences.Churn(1);
            }
        });
        int wrong = 0;
        for (int i = 0; i < count; i++)
        {
            wrong += fired.Receive() is null ? 0 : 1;
        }
        stop = true;
        wg.Wait();
        Assert.Equal(0, wrong);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Arm(int i, Chan<Exception?> fired)
    {
        Node n = Node.WithExtra(i);
        GoTimer t = GoTime.AfterFunc(TimeSpan.FromHours(1), () =>
        {
            try
            {
                n.CheckDeep(i, 1);
                fired.Send(null);
            }
            catch (LostException e)
            {
                fired.Send(e);
            }
        });
        t.Stop();
        OnlyReferences.Churn(1);
        t.Reset(TimeSpan.FromMicroseconds(500 + (i * 20)));
    }

    // What a goroutine is started with is held by it alone until it runs.
    [Fact]
    public void What_goroutines_are_started_with_survives()
    {
        bool stop = false;
        int wrong = 0;
        var wg = new WaitGroup();
        wg.Go(() => { while (!Volatile.Read(ref stop)) { GC.Collect(); } });
        for (int i = 0; i < 2000; i++)
        {
            Start(wg, i, () => Interlocked.Increment(ref wrong));
            if (i % 100 == 0)
            {
                Go.Gosched();
            }
        }
        stop = true;
        wg.Wait();
        Assert.Equal(0, wrong);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Start(WaitGroup wg, long id, Action fail)
    {
        var n = new Node(id);
        wg.Add(1);
        Go.Run(
            x =>
            {
                if (x.Id != id)
                {
                    fail();
                }
                wg.Done();
            },
            n);
    }

    // References in the loop's registers only, while collections come and memory is used again.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_only_registers_of_an_interrupted_loop_hold_survives(bool vectors)
    {
#if LINUX
        const int steps = 2_000_000;
#else
        const int steps = 400_000;
#endif
        Exception? failure = null;
        int running = 3;
        var wg = new WaitGroup();
        for (int i = 0; i < 3; i++)
        {
            int id = i;
            wg.Go(() =>
            {
                try
                {
                    for (int k = 0; k < 4; k++)
                    {
                        if (vectors)
                        {
                            OnlyReferences.Vectors((id * 100) + k, steps / 2);
                        }
                        else
                        {
                            OnlyReferences.Registers((id * 100) + k, steps);
                        }
                    }
                }
                catch (LostException e)
                {
                    Volatile.Write(ref failure, e);
                }
                Interlocked.Decrement(ref running);
            });
        }
        int before = GC.CollectionCount(0);
        while (Volatile.Read(ref running) > 0)
        {
            Collect();
        }
        wg.Wait();
        Assert.True(failure is null, failure?.ToString());
        Assert.True(GC.CollectionCount(0) > before);
    }

    // Between references of a structure lie words that look like references; moved while a cycle marks they are not.
    [Fact]
    public void Integers_that_look_like_references_do_no_harm_in_bulk_moves()
    {
        bool stop = false;
        var wg = new WaitGroup();
        wg.Go(() => { while (!Volatile.Read(ref stop)) { GC.Collect(); } });
        for (int i = 0; i < 300; i++)
        {
            MoveNoise(i);
        }
        stop = true;
        wg.Wait();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MoveNoise(int id)
    {
        var node = Node.WithExtra(id);
        var pairs = new Pair[40];
        for (int i = 0; i < pairs.Length; i++)
        {
            pairs[i].First = node;
            pairs[i].Noise = Unsafe.As<Node, nint>(ref node) + (i * 8) + (id % 2 * 3);      // inside it, and behind
        }
        var copy = new Pair[41];
        Array.Copy(pairs, 0, copy, 1, 40);
        copy.AsSpan(1).CopyTo(pairs);
        node.CheckDeep(id, 1);
        pairs[39].First!.Check(id);
    }

    // Atomic stores are stores too.
    [Fact]
    public void Exchanged_references_survive()
    {
        bool stop = false;
        var wg = new WaitGroup();
        wg.Go(() => { while (!Volatile.Read(ref stop)) { GC.Collect(); } });
        var slots = new Node[2000];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = new Node(i);
        }
        for (int round = 0; round < 60; round++)
        {
            for (int i = 0; i < slots.Length - 1; i += 2)
            {
                slots[i] = Interlocked.Exchange(ref slots[i + 1], slots[i]);
                _ = Interlocked.CompareExchange(ref slots[i], slots[i], slots[i]);
            }
        }
        stop = true;
        wg.Wait();
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i].Check(i);
        }
    }
}
