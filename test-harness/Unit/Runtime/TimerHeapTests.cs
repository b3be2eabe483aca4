using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using CsCheck;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public unsafe class TimerHeapTests
{
    private const int Capacity = 512;

    private sealed class Memory : IDisposable
    {
        public readonly TimerEvent* Events = (TimerEvent*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(TimerEvent));
        public readonly TimerHeap.Entry* Entries = (TimerHeap.Entry*)NativeMemory.AllocZeroed(Capacity, (nuint)sizeof(TimerHeap.Entry));

        public void Dispose()
        {
            NativeMemory.Free(Events);
            NativeMemory.Free(Entries);
        }
    }

    [Fact]
    public void Zeroed_event_is_in_no_heap()
    {
        TimerEvent e = default;
        Assert.Equal(-1, e.Index);
    }

    // A number: below 1000, add an event due then; else take the first, or remove one of those there are.
    [Fact]
    public void Model()
    {
        Gen.Int[0, 1999].Array[0, Capacity].Sample(operations =>
        {
            using var memory = new Memory();
            TimerHeap heap = default;
            heap.SetMemory(memory.Entries, Capacity);
            var model = new List<int>();        // which events are in
            for (int i = 0; i < operations.Length; i++)
            {
                int operation = operations[i];
                TimerEvent* e = &memory.Events[i];
                if (operation < 1000)
                {
                    e->WhenNs = operation;
                    heap.Add(e);
                    model.Add(i);
                }
                else if (model.Count > 0)
                {
                    if (operation % 2 == 0)
                    {
                        e = heap.First;
                        if (e->WhenNs != heap.FirstWhenNs || e->WhenNs != model.Min(m => operations[m]))
                        {
                            return false;
                        }
                    }
                    else
                    {
                        e = &memory.Events[model[operation % model.Count]];
                    }
                    if (operation % 3 == 0)
                    {
                        heap.Remove(e);
                    }
                    else
                    {
                        heap.Cancel(e);
                    }
                    model.Remove((int)(e - memory.Events));
                    if (e->Index != -1)
                    {
                        return false;
                    }
                }
                if (heap.Count != model.Count || !heap.CheckInvariants() || model.Any(m => memory.Events[m].Index < 0))
                {
                    return false;
                }
            }
            return true;
        });
    }

    // Removed from the top, from the bottom and anywhere, at all depths that a million timers reach.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_million_events_every_other_one_removed(int how)
    {
        int order = how % 3;
        bool isCancelled = how >= 3;
        const int count = 1_000_000;
        TimerEvent* events = (TimerEvent*)NativeMemory.AllocZeroed(count, (nuint)sizeof(TimerEvent));
        TimerHeap.Entry* entries = (TimerHeap.Entry*)NativeMemory.AllocZeroed(count, (nuint)sizeof(TimerHeap.Entry));
        try
        {
            int[] times = [.. Enumerable.Range(0, count)];
            new Random(1).Shuffle(times);
            TimerHeap heap = default;
            heap.SetMemory(entries, count);
            foreach (int time in times)
            {
                events[time].WhenNs = time;
                heap.Add(&events[time]);
            }
            int[] removed = [.. Enumerable.Range(0, count / 2).Select(i => 2 * i)];
            if (order == 1)
            {
                Array.Reverse(removed);
            }
            else if (order == 2)
            {
                new Random(2).Shuffle(removed);
            }
            foreach (int time in removed)
            {
                if (isCancelled)
                {
                    heap.Cancel(&events[time]);
                }
                else
                {
                    heap.Remove(&events[time]);
                }
            }
            Assert.Equal(count / 2, heap.Count);
            Assert.InRange(heap.Length - heap.Count, 0, isCancelled ? count / 4 : 0);
            Assert.True(heap.CheckInvariants());
            for (int time = 1; time < count; time += 2)
            {
                Assert.Equal(time, heap.FirstWhenNs);
                heap.Remove(heap.First);
            }
            Assert.Equal(0, heap.Count);
        }
        finally
        {
            NativeMemory.Free(events);
            NativeMemory.Free(entries);
        }
    }

    // As a deadline that never comes, set and taken back for ever beside a few others.
    [Fact]
    public void Cancelled_events_do_not_pile_up()
    {
        using var memory = new Memory();
        TimerHeap heap = default;
        heap.SetMemory(memory.Entries, Capacity);
        for (int i = 0; i < 10; i++)
        {
            memory.Events[i].WhenNs = 10 * i;
            heap.Add(&memory.Events[i]);
        }
        TimerEvent* e = &memory.Events[10];
        for (int i = 0; i < 100_000; i++)
        {
            e->WhenNs = 5 + (i % 97);
            heap.Add(e);
            heap.Cancel(e);
            Assert.InRange(heap.Length, 10, 64);
        }
        Assert.Equal(10, heap.Count);
        Assert.True(heap.CheckInvariants());
    }

    [Fact]
    public void Events_come_out_in_order()
    {
        Gen.Long.Array[1, Capacity].Sample(times =>
        {
            using var memory = new Memory();
            TimerHeap heap = default;
            heap.SetMemory(memory.Entries, Capacity);
            for (int i = 0; i < times.Length; i++)
            {
                memory.Events[i].WhenNs = times[i];
                heap.Add(&memory.Events[i]);
            }
            Array.Sort(times);
            foreach (long expected in times)
            {
                if (heap.FirstWhenNs != expected)
                {
                    return false;
                }
                heap.Remove(heap.First);
            }
            return heap.Count == 0;
        });
    }
}
