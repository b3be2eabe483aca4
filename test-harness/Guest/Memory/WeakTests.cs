// Finalizers, clean-ups, weak references, handles of all kinds, and what hangs on a key.
using System;
using System.Collections.Generic;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using Xunit;

#pragma warning disable CA1816      // GC.SuppressFinalize is what is tested
namespace Unikernel.Tests.Guest.Memory;

public class WeakTests
{
    private static int s_finalized;
    private static Phoenix? s_risen;

    private sealed class Counted(int[] count)
    {
        internal object? Other;

        ~Counted() => Interlocked.Increment(ref count[0]);
    }

    private sealed class Phoenix
    {
        internal readonly Node Own = Node.WithExtra(77);
        internal int Deaths;

        ~Phoenix()
        {
            Deaths++;
            s_risen = this;
        }
    }

    // In a goroutine of its own, so that no stack refers to what it made.
    private static void Elsewhere(Action action)
    {
        var done = new WaitGroup();
        done.Go(action);
        done.Wait();
    }

    private static void CollectAndFinalize()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void Finalizers_run_once_for_each_unreachable_object()
    {
        int[] count = [0];
        Elsewhere(() =>
        {
            for (int i = 0; i < 2000; i++)
            {
                GC.KeepAlive(new Counted(count));
            }
        });
        CollectAndFinalize();
        Assert.Equal(2000, count[0]);
        CollectAndFinalize();
        Assert.Equal(2000, count[0]);
    }

    // Go: mallocfin; .NET has no order among the dependent, but all of them run.
    [Fact]
    public void A_chain_of_objects_with_finalizers_goes_at_once()
    {
        int[] count = [0];
        Elsewhere(() =>
        {
            Counted? at = null;
            for (int i = 0; i < 250; i++)
            {
                at = new Counted(count) { Other = at };
            }
            Counted first = at!;
            while (at!.Other is Counted next)
            {
                at = next;
            }
            at.Other = first;               // a ring
        });
        CollectAndFinalize();
        Assert.Equal(250, count[0]);
    }

    [Fact]
    public void A_finalizer_that_is_suppressed_does_not_run_unless_it_is_registered_again()
    {
        int[] count = [0];
        int[] again = [0];
        int[] twice = [0];
        Elsewhere(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                GC.SuppressFinalize(new Counted(count));
                var c = new Counted(again);
                GC.SuppressFinalize(c);
                GC.ReRegisterForFinalize(c);
                c = new Counted(twice);
                GC.ReRegisterForFinalize(c);
            }
        });
        CollectAndFinalize();
        CollectAndFinalize();
        Assert.Equal(0, count[0]);
        Assert.Equal(100, again[0]);
        Assert.Equal(200, twice[0]);
    }

    [Fact]
    public void What_a_finalizer_makes_reachable_again_is_whole_and_dies_in_the_end()
    {
        WeakReference? shortWeak = null;
        WeakReference? longWeak = null;
        Elsewhere(() =>
        {
            var p = new Phoenix();
            shortWeak = new WeakReference(p, false);
            longWeak = new WeakReference(p, true);
        });
        for (int life = 1; life <= 3; life++)
        {
            CollectAndFinalize();
            Elsewhere(() =>
            {
                Assert.False(shortWeak!.IsAlive);
                Assert.Same(s_risen, longWeak!.Target);
                Assert.Equal(life, s_risen!.Deaths);
                s_risen.Own.CheckDeep(77, 1);
                GC.ReRegisterForFinalize(s_risen);
                s_risen = null;
            });
        }
        CollectAndFinalize();
        Elsewhere(() => { Assert.Equal(4, s_risen!.Deaths); s_risen = null; });      // not registered any more
        CollectAndFinalize();
        Assert.False(longWeak!.IsAlive);
    }

    [Fact]
    public void Weak_references_live_and_die_with_their_objects()
    {
        var kept = new List<Node>();
        var refs = new List<WeakReference<Node>>();
        Elsewhere(() =>
        {
            for (int i = 1; i <= 1000; i++)
            {
                Node n = Node.WithExtra(i);
                refs.Add(new WeakReference<Node>(n, i % 4 < 2));
                if (i % 2 == 0)
                {
                    kept.Add(n);
                }
            }
        });
        GC.Collect();
        Elsewhere(() =>
        {
            for (int i = 1; i <= 1000; i++)
            {
                Assert.Equal(i % 2 == 0, refs[i - 1].TryGetTarget(out Node? n));
                n?.CheckDeep(i, 1);
                Assert.True(n is null || ReferenceEquals(n, kept[(i / 2) - 1]));
            }
        });
        kept.Clear();
        GC.Collect();
        Assert.DoesNotContain(refs, r => r.TryGetTarget(out _));
    }

    [Fact]
    public void A_weak_reference_can_be_given_another_object()
    {
        var weak = new WeakReference<Node>(new Node(1));
        var second = new Node(2);
        GC.Collect();
        weak.SetTarget(second);
        GC.Collect();
        Assert.True(weak.TryGetTarget(out Node? n));
        Assert.Same(second, n);
        GC.KeepAlive(second);
    }

    [Fact]
    public void Every_kind_of_handle_holds_what_it_should()
    {
        var handles = new GCHandle[4];
        int[] count = [0];
        Elsewhere(() =>
        {
            handles[0] = GCHandle.Alloc(Node.WithExtra(1), GCHandleType.Normal);
            handles[1] = GCHandle.Alloc(new long[] { 1, 2, 3 }, GCHandleType.Pinned);
            handles[2] = GCHandle.Alloc(new Node(3), GCHandleType.Weak);
            handles[3] = GCHandle.Alloc(new Counted(count), GCHandleType.WeakTrackResurrection);
        });
        GC.Collect();
        OnlyReferences.Churn(200);
        ((Node)handles[0].Target!).CheckDeep(1, 1);
        Assert.Equal([1L, 2L, 3L], (long[])handles[1].Target!);
        Assert.Equal(2, Marshal.ReadInt64(handles[1].AddrOfPinnedObject(), 8));
        Assert.Null(handles[2].Target);
        GC.WaitForPendingFinalizers();
        Assert.Equal(1, count[0]);
        GC.Collect();
        Assert.Null(handles[3].Target);
        Assert.Throws<ArgumentException>(() => GCHandle.Alloc(new object[1], GCHandleType.Pinned));
        foreach (GCHandle h in handles)
        {
            h.Free();
        }
    }

    [Fact]
    public void Handles_are_used_again_and_only_the_present_object_is_held()
    {
        var refs = new List<WeakReference>();
        Elsewhere(() =>
        {
            for (int i = 0; i < 3000; i++)
            {
                GCHandle h = GCHandle.Alloc(new Node(i), GCHandleType.Normal);
                if (i % 100 == 0)
                {
                    refs.Add(new WeakReference(h.Target));
                }
                h.Target = null;
                h.Free();
            }
        });
        GC.Collect();
        Assert.DoesNotContain(refs, r => r.IsAlive);
    }

    [Fact]
    public void A_weak_table_holds_values_while_their_keys_live()
    {
        var table = new ConditionalWeakTable<Node, Node>();
        var keys = new List<Node>();
        var values = new List<WeakReference>();
        Elsewhere(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                var key = new Node(i);
                var value = Node.WithExtra(i + 1000);
                value.SetLeft(key);                 // the value refers to its key
                table.Add(key, value);
                values.Add(new WeakReference(value));
                if (i % 3 == 0)
                {
                    keys.Add(key);
                }
            }
        });
        GC.Collect();
        Elsewhere(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                Assert.Equal(i % 3 == 0, values[i].IsAlive);
            }
            foreach (Node key in keys)
            {
                Assert.True(table.TryGetValue(key, out Node? value));
                value.CheckDeep(key.Id + 1000, 1);
            }
        });
        keys.Clear();
        GC.Collect();
        Assert.DoesNotContain(values, v => v.IsAlive);
    }

    // Values are keys of other entries, in the order that needs a pass for each.
    [Fact]
    public void A_chain_through_a_weak_table_lives_as_a_whole()
    {
        const int length = 60;
        var table = new ConditionalWeakTable<Node, Node>();
        Node? head = null;
        WeakReference? tail = null;
        Elsewhere(() =>
        {
            Node last = new(length);
            tail = new WeakReference(last);
            for (int i = length - 1; i >= 0; i--)
            {
                var key = new Node(i);
                table.Add(key, last);
                last = key;
            }
            head = last;
        });
        GC.Collect();
        Elsewhere(() =>
        {
            Node at = head!;
            for (int i = 1; i <= length; i++)
            {
                Assert.True(table.TryGetValue(at, out Node? next));
                at = next;
                at.Check(i);
            }
        });
        head = null;
        GC.Collect();
        Assert.False(tail!.IsAlive);
    }

    [Fact]
    public void A_dependent_handle_lets_go_of_both_at_once()
    {
        DependentHandle handle = default;
        DependentHandle kept = default;
        var key = new Node(1);
        Elsewhere(() =>
        {
            handle = new DependentHandle(new Node(2), new Node(3));
            kept = new DependentHandle(key, Node.WithExtra(4));
        });
        GC.Collect();
        Assert.Null(handle.Target);
        Assert.Null(handle.Dependent);
        Elsewhere(() => ((Node)kept.Dependent!).CheckDeep(4, 1));
        kept.Dependent = new Node(5);
        GC.Collect();
        ((Node)kept.Dependent!).Check(5);
        Assert.Same(key, kept.Target);
        handle.Dispose();
        kept.Dispose();
    }

    // Go: stackobj. What is not used any more is not held by the frame it was in, once that has been left.
    [Fact]
    public void An_object_dead_after_its_last_use_is_found()
    {
        int[] count = [0];
        var done = new Chan<int>();
        Go.Run(() =>
        {
            MakeOne(count);
            CollectAndFinalize();
            done.Send(count[0]);
        });
        Assert.Equal(1, done.Receive());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MakeOne(int[] count)
    {
        Deep(20, count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Deep(int depth, int[] count)
    {
        Span<int> frame = stackalloc int[100];      // what remains on the stack lies far below what follows
        frame.Fill(depth);
        if (depth == 0)
        {
            GC.KeepAlive(new Counted(count));
            return 0;
        }
        return Deep(depth - 1, count) + frame[depth];
    }

    [Fact]
    public void KeepAlive_keeps_alive_until_there()
    {
        int[] count = [0];
        var c = new Counted(count);
        CollectAndFinalize();
        Assert.Equal(0, count[0]);
        GC.KeepAlive(c);
    }

    // Go: mfinal_test, issue5493.
    [Fact]
    public void Finalizers_allocate_block_throw_no_one_out_and_use_channels()
    {
        var c = new Chan<int>(4);
        Elsewhere(() =>
        {
            for (int i = 0; i < 4; i++)
            {
                GC.KeepAlive(new Sender(c, i));
            }
        });
        GC.Collect();
        int sum = 0;
        for (int i = 0; i < 4; i++)
        {
            sum += c.Receive();
        }
        Assert.Equal(6, sum);
    }

    private sealed class Sender(Chan<int> c, int i)
    {
        ~Sender()
        {
            GC.KeepAlive(new byte[100_000]);
            Go.Sleep(TimeSpan.FromMicroseconds(10));
            lock (c.GetType())
            {
                c.Send(i);
            }
        }
    }

    [Fact]
    public void Many_objects_with_finalizers_under_way_are_all_seen()
    {
        int before = s_finalized;
        const int each = 3000;
        var wg = new WaitGroup();
        for (int k = 0; k < 4; k++)
        {
            wg.Go(() =>
            {
                for (int i = 0; i < each; i++)
                {
                    GC.KeepAlive(new Ticked());
                    if (i % 1000 == 0)
                    {
                        GC.Collect();
                    }
                }
            });
        }
        wg.Wait();
        for (int i = 0; i < 3; i++)
        {
            CollectAndFinalize();
        }
        Assert.InRange(s_finalized - before, (4 * each) - 8, 4 * each);     // stacks of the dead may keep a few
    }

    private sealed class Ticked
    {
        ~Ticked() => Interlocked.Increment(ref s_finalized);
    }
}
