// The timers of a P: a 4-ary heap of deadlines.
//
// TH1  Entry i's children are 4i+1 … 4i+4; no child is due before its parent.
// TH2  An event knows its place in the heap (Index), -1 when it is in none.
// TH3  The memory is the caller's: Add needs Count < Capacity.
// Context: goroutine or idle loop. Allocates nothing. Reference: Go's time.go.
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Sched;

/// <summary>Something that falls due. Lives in whatever owns it: a G, or an object (which cannot move).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TimerEvent
{
    internal long WhenNs;                       // Machine.NanoTime
    internal delegate*<void*, void> Fire;       // may not park
    internal void* Arg;
    internal P* Owner;                          // whose heap it is or was in
    private int _indexPlusOne;                  // zeroed memory is an event in no heap
    internal bool FiresUnlocked;                // TM4; such an event lies in an object

    internal int Index
    {
        readonly get => _indexPlusOne - 1;
        set => _indexPlusOne = value + 1;
    }
}

internal unsafe struct TimerHeap
{
    private const int Children = 4;

    /// <summary>A heap entry; the time is repeated here so that sifting touches the array only.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Entry
    {
        internal long WhenNs;
        internal TimerEvent* Event;
    }

    private Entry* _entries;

    internal int Count { get; private set; }

    internal int Capacity { get; private set; }

    /// <summary>The event due first; the heap is not empty.</summary>
    internal readonly TimerEvent* First => _entries[0].Event;

    internal readonly long FirstWhenNs => _entries[0].WhenNs;

    /// <summary>Any event in it, in no order.</summary>
    internal readonly TimerEvent* At(int index) => _entries[index].Event;

    /// <summary>Gives it memory for <paramref name="capacity"/> entries that holds what it had already.</summary>
    internal void SetMemory(Entry* entries, int capacity)
    {
        _entries = entries;
        Capacity = capacity;
    }

    internal void Add(TimerEvent* e)
    {
        int at = Count++;
        SiftUp(at, e);
    }

    internal void Remove(TimerEvent* e)
    {
        int at = e->Index;
        e->Index = -1;
        Count--;
        if (at == Count)
        {
            return;
        }
        TimerEvent* last = _entries[Count].Event;
        if (at > 0 && _entries[Count].WhenNs < _entries[(at - 1) / Children].WhenNs)
        {
            SiftUp(at, last);
        }
        else
        {
            SiftDown(at, last);
        }
    }

    private void Place(int at, TimerEvent* e)
    {
        _entries[at].WhenNs = e->WhenNs;
        _entries[at].Event = e;
        e->Index = at;
    }

    private void SiftUp(int at, TimerEvent* e)
    {
        while (at > 0)
        {
            int parent = (at - 1) / Children;
            if (_entries[parent].WhenNs <= e->WhenNs)
            {
                break;
            }
            Place(at, _entries[parent].Event);
            at = parent;
        }
        Place(at, e);
    }

    private void SiftDown(int at, TimerEvent* e)
    {
        while (true)
        {
            int child = (at * Children) + 1;
            if (child >= Count)
            {
                break;
            }
            int end = child + Children < Count ? child + Children : Count;
            int least = child;
            for (int i = child + 1; i < end; i++)
            {
                if (_entries[i].WhenNs < _entries[least].WhenNs)
                {
                    least = i;
                }
            }
            if (_entries[least].WhenNs >= e->WhenNs)
            {
                break;
            }
            Place(at, _entries[least].Event);
            at = least;
        }
        Place(at, e);
    }

    /// <summary>TH1 and TH2, for tests.</summary>
    internal readonly bool CheckInvariants()
    {
        for (int i = 0; i < Count; i++)
        {
            if (_entries[i].Event->Index != i || _entries[i].Event->WhenNs != _entries[i].WhenNs
                || (i > 0 && _entries[(i - 1) / Children].WhenNs > _entries[i].WhenNs))
            {
                return false;
            }
        }
        return true;
    }
}
