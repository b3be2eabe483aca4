using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using CsCheck;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public unsafe class RunQueueTests
{
    private const int None = -1;

    private static int Get(ref RunQueue q)
    {
        G* gp = q.Get();
        return gp == null ? None : (int)gp->Id;
    }

    [Fact]
    public void Runnext_goes_first_and_kicks_the_old_one_to_the_end()
    {
        using var gs = new Gs(4);
        RunQueue q = default;
        GQueue overflow = default;
        q.Put(gs[0], false, ref overflow);
        q.Put(gs[1], true, ref overflow);
        q.Put(gs[2], true, ref overflow);
        q.Put(gs[3], false, ref overflow);
        Assert.Equal(4, q.Count);
        Assert.Equal(2, Get(ref q));
        Assert.Equal(0, Get(ref q));
        Assert.Equal(1, Get(ref q));
        Assert.Equal(3, Get(ref q));
        Assert.Equal(None, Get(ref q));
        Assert.Equal(0, overflow.Count);
    }

    [Fact]
    public void Full_ring_gives_its_first_half_and_the_newcomer_to_the_global_queue()
    {
        using var gs = new Gs(RunQueue.Capacity + 1);
        RunQueue q = default;
        GQueue overflow = default;
        for (int i = 0; i <= RunQueue.Capacity; i++)
        {
            q.Put(gs[i], false, ref overflow);
        }
        Assert.Equal(RunQueue.Capacity / 2, q.Count);
        Assert.Equal((RunQueue.Capacity / 2) + 1, overflow.Count);
        for (int i = 0; i < RunQueue.Capacity / 2; i++)
        {
            Assert.Equal(i, overflow.Take()->Id);
            Assert.Equal((RunQueue.Capacity / 2) + i, Get(ref q));
        }
        Assert.Equal(RunQueue.Capacity, overflow.Take()->Id);
        Assert.True(overflow.Take() == null);
    }

    [Fact]
    public void Runnext_whose_slice_is_over_goes_to_the_end()
    {
        using var gs = new Gs(3);
        RunQueue q = default;
        GQueue overflow = default;
        q.Put(gs[1], false, ref overflow);
        q.Put(gs[0], true, ref overflow);
        q.KickRunNext(ref overflow);
        Assert.Equal(1, Get(ref q));
        Assert.Equal(0, Get(ref q));
        Assert.Equal(None, Get(ref q));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(5, 3)]
    [InlineData(256, 128)]
    public void A_thief_takes_half_rounded_up(int here, int stolen)
    {
        using var gs = new Gs(here);
        RunQueue q = default;
        RunQueue own = default;
        GQueue overflow = default;
        for (int i = 0; i < here; i++)
        {
            q.Put(gs[i], false, ref overflow);
        }
        G* first = q.Steal(ref own);
        Assert.Equal(stolen - 1, (int)first->Id);       // the last of those taken is run, the others keep their order
        Assert.Equal(here - stolen, q.Count);
        for (int i = 0; i < stolen - 1; i++)
        {
            Assert.Equal(i, Get(ref own));
        }
        Assert.Equal(None, Get(ref own));
    }

    [Fact]
    public void Runnext_is_stolen_only_as_the_one_that_was_seen()
    {
        using var gs = new Gs(2);
        RunQueue q = default;
        RunQueue own = default;
        GQueue overflow = default;
        q.Put(gs[0], true, ref overflow);
        Assert.True(q.Steal(ref own) == null);
        Assert.False(q.TryTakeNext(gs[1]));
        Assert.True(q.TryTakeNext(gs[0]));
        Assert.False(q.TryTakeNext(gs[0]));
        Assert.True(q.IsEmpty);
    }

    // One owner, three thieves, on real threads: every goroutine is taken exactly once.
    [Fact]
    public void Nothing_is_lost_or_doubled_between_owner_and_thieves()
    {
        const int N = 400_000;
        using var gs = new Gs(N);
        RunQueue* queues = (RunQueue*)NativeMemory.AllocZeroed(4, (nuint)sizeof(RunQueue));
        int[] taken = new int[N];
        int isDone = 0;
        var thieves = new Thread[3];
        for (int t = 0; t < thieves.Length; t++)
        {
            int self = t + 1;
            thieves[t] = new Thread(() =>
            {
                while (true)
                {
                    bool wasDone = Volatile.Read(ref isDone) != 0;
                    G* gp = queues[0].Steal(ref queues[self]);
                    G* next = queues[0].RunNext;
                    if (gp == null && next != null && (self & 1) != 0 && queues[0].TryTakeNext(next))
                    {
                        gp = next;
                    }
                    if (gp == null && wasDone)
                    {
                        return;
                    }
                    for (; gp != null; gp = queues[self].Get())
                    {
                        Interlocked.Increment(ref taken[gp->Id]);
                    }
                }
            });
            thieves[t].Start();
        }
        GQueue overflow = default;
        for (int i = 0; i < N; i++)
        {
            queues[0].Put(gs[i], i % 3 == 0, ref overflow);
            G* gp = i % 2 == 0 ? queues[0].Get() : overflow.Take();
            if (gp != null)
            {
                Interlocked.Increment(ref taken[gp->Id]);
            }
        }
        for (G* gp = queues[0].Get(); gp != null; gp = queues[0].Get())
        {
            Interlocked.Increment(ref taken[gp->Id]);
        }
        for (G* gp = overflow.Take(); gp != null; gp = overflow.Take())
        {
            Interlocked.Increment(ref taken[gp->Id]);
        }
        Volatile.Write(ref isDone, 1);
        foreach (Thread t in thieves)
        {
            t.Join();
        }
        NativeMemory.Free(queues);
        Assert.All(taken, n => Assert.Equal(1, n));
    }

    // Operations: 0 put at the end, 1 put next, 2 get, 3 batch from the global queue. None is lost, none is doubled.
    [Fact]
    public void Model()
    {
        Gen.Int[0, 3].Array[0, 2000].Sample(operations =>
        {
            using var gs = new Gs(operations.Length + 1);
            RunQueue q = default;
            GQueue global = default;
            var queued = new HashSet<long>();
            int made = 0;
            foreach (int operation in operations)
            {
                if (operation <= 1)
                {
                    queued.Add(made);
                    q.Put(gs[made++], operation == 1, ref global);
                }
                else
                {
                    G* gp = operation == 2 ? q.Get() : q.GetBatch(ref global, RunQueue.Capacity / 2);
                    if (gp != null && !queued.Remove(gp->Id))
                    {
                        return false;
                    }
                }
                if (q.Count + global.Count != queued.Count)
                {
                    return false;
                }
            }
            while (q.Count + global.Count > 0)
            {
                G* gp = q.Get();
                gp = gp == null ? q.GetBatch(ref global, RunQueue.Capacity / 2) : gp;
                if (gp == null || !queued.Remove(gp->Id))
                {
                    return false;
                }
            }
            return queued.Count == 0 && q.Get() == null;
        });
    }

    [Fact]
    public void Ring_without_runnext_is_first_in_first_out()
    {
        Gen.Int[0, 2].Array[0, 1000].Sample(operations =>
        {
            using var gs = new Gs(operations.Length + 1);
            RunQueue q = default;
            GQueue global = default;
            var model = new Queue<long>();
            int made = 0;
            foreach (int operation in operations)
            {
                if (operation != 0 && model.Count < RunQueue.Capacity)
                {
                    model.Enqueue(made);
                    q.Put(gs[made++], false, ref global);
                }
                else
                {
                    G* gp = q.Get();
                    if (model.TryDequeue(out long id) ? gp == null || gp->Id != id : gp != null)
                    {
                        return false;
                    }
                }
            }
            return global.Count == 0;
        });
    }

    [Fact]
    public void Wait_list_is_first_in_first_out()
    {
        using var gs = new Gs(3);
        GList list = default;
        Assert.True(list.IsEmpty);
        Assert.True(list.Take() == null);
        for (int i = 0; i < 3; i++)
        {
            list.Add(gs[i]);
        }
        for (int i = 0; i < 3; i++)
        {
            Assert.False(list.IsEmpty);
            Assert.Equal(i, list.Take()->Id);
        }
        Assert.True(list.IsEmpty);
        list.Add(gs[1]);
        Assert.Equal(1, list.Take()->Id);
    }
}
