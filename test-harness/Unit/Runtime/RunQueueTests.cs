using System.Collections.Generic;
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
    public void Pair_that_keeps_waking_each_other_lets_the_ring_in()
    {
        using var gs = new Gs(2);
        RunQueue q = default;
        GQueue overflow = default;
        q.Put(gs[1], false, ref overflow);
        int turns = 0;
        int id;
        do
        {
            q.Put(gs[0], true, ref overflow);
            id = Get(ref q);
            turns++;
        }
        while (id == 0 && turns < 10_000);
        Assert.Equal(1, id);
        Assert.Equal(RunQueue.MaxStreak + 1, turns);
        Assert.Equal(0, Get(ref q));        // the one that was set back is still there
        Assert.Equal(None, Get(ref q));
    }

    [Fact]
    public void Runnext_alone_is_not_set_back()
    {
        using var gs = new Gs(1);
        RunQueue q = default;
        GQueue overflow = default;
        for (int i = 0; i < 3 * RunQueue.MaxStreak; i++)
        {
            q.Put(gs[0], true, ref overflow);
            Assert.Equal(0, Get(ref q));
        }
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
                    G* gp = operation == 2 ? q.Get() : q.GetBatch(ref global);
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
                gp = gp == null ? q.GetBatch(ref global) : gp;
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
