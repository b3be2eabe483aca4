// The timers of a P: a 4-ary heap of deadlines.
//
// TH1  Entry i's children are 4i+1 … 4i+4; no child is due before its parent.
// TH2  An event knows its place in the heap (Index), -1 when it is in none.
// TH3  The memory is the caller's: Add needs Length < Capacity.
// TH4  An event that is cancelled leaves an entry without an event behind, which refers to nothing. There is none at the
//      heap's top, and no more than a quarter of the entries (or a few) are such; then all are dropped, in time that is
//      proportional to the heap, a constant for each of those cancelled.
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
    private const int FewCancelled = 32;

    /// <summary>A heap entry; the time is repeated here so that sifting touches the array only.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Entry
    {
        internal long WhenNs;
        internal TimerEvent* Event;
    }

    private Entry* _entries;
    private int _cancelled;

    /// <summary>Events in it.</summary>
    internal readonly int Count => Length - _cancelled;

    /// <summary>Entries, those of cancelled events included.</summary>
    internal int Length { get; private set; }

    internal int Capacity { get; private set; }

    /// <summary>The event due first; the heap is not empty.</summary>
    internal readonly TimerEvent* First => _entries[0].Event;

    internal readonly long FirstWhenNs => _entries[0].WhenNs;

    /// <summary>The event of an entry, in no order; null when it was cancelled.</summary>
    internal readonly TimerEvent* At(int index) => _entries[index].Event;

    /// <summary>Gives it memory for <paramref name="capacity"/> entries that holds what it had already.</summary>
    internal void SetMemory(Entry* entries, int capacity)
    {
        _entries = entries;
        Capacity = capacity;
    }

    internal void Add(TimerEvent* e)
    {
        Entry x;
        x.WhenNs = e->WhenNs;
        x.Event = e;
        _entries[Length].Event = null;          // what was there once may be e
        SiftUp(Length++, x);
    }

    /// <summary>Takes an event out.</summary>
    internal void Remove(TimerEvent* e)
    {
        int at = e->Index;
        e->Index = -1;
        RemoveAt(at);
        DropCancelled();
    }

    /// <summary>The same, but its entry may stay (TH4), so it does not take the cache misses of moving others.</summary>
    internal void Cancel(TimerEvent* e)
    {
        int at = e->Index;
        if (at == 0 || at == Length - 1)
        {
            Remove(e);
            return;
        }
        e->Index = -1;
        _entries[at].Event = null;
        _cancelled++;
        if (_cancelled > FewCancelled && _cancelled > Length / 4)
        {
            Clean();
        }
    }

    private void RemoveAt(int at)
    {
        Length--;
        if (at == Length)
        {
            return;
        }
        Entry last = _entries[Length];
        if (at > 0 && last.WhenNs < _entries[(at - 1) / Children].WhenNs)
        {
            SiftUp(at, last);
        }
        else
        {
            SiftDown(at, last);
        }
    }

    private void DropCancelled()
    {
        while (Length != 0 && _entries[0].Event == null)
        {
            _cancelled--;
            RemoveAt(0);
        }
    }

    /// <summary>Drops the entries of cancelled events.</summary>
    internal void Clean()
    {
        int live = 0;
        for (int i = 0; i < Length; i++)
        {
            if (_entries[i].Event != null)
            {
                Place(live++, _entries[i]);
            }
        }
        Length = live;
        _cancelled = 0;
        for (int i = (live - 2) / Children; i >= 0 && live > 1; i--)
        {
            SiftDown(i, _entries[i]);
        }
    }

    private void Place(int at, Entry x)
    {
        _entries[at].WhenNs = x.WhenNs;
        if (_entries[at].Event == x.Event)
        {
            return;                             // where it was: spares the event's cache line
        }
        _entries[at].Event = x.Event;
        if (x.Event != null)
        {
            x.Event->Index = at;
        }
    }

    private void SiftUp(int at, Entry x)
    {
        while (at > 0)
        {
            int parent = (at - 1) / Children;
            if (_entries[parent].WhenNs <= x.WhenNs)
            {
                break;
            }
            Place(at, _entries[parent]);
            at = parent;
        }
        Place(at, x);
    }

    private void SiftDown(int at, Entry x)
    {
        while (true)
        {
            int child = (at * Children) + 1;
            if (child >= Length)
            {
                break;
            }
            int end = child + Children < Length ? child + Children : Length;
            int least = child;
            for (int i = child + 1; i < end; i++)
            {
                if (_entries[i].WhenNs < _entries[least].WhenNs)
                {
                    least = i;
                }
            }
            if (_entries[least].WhenNs >= x.WhenNs)
            {
                break;
            }
            Place(at, _entries[least]);
            at = least;
        }
        Place(at, x);
    }

    /// <summary>TH1, TH2 and TH4, for tests.</summary>
    internal readonly bool CheckInvariants()
    {
        int live = 0;
        for (int i = 0; i < Length; i++)
        {
            TimerEvent* e = _entries[i].Event;
            live += e == null ? 0 : 1;
            if ((e != null && (e->Index != i || e->WhenNs != _entries[i].WhenNs))
                || (i > 0 && _entries[(i - 1) / Children].WhenNs > _entries[i].WhenNs))
            {
                return false;
            }
        }
        return live == Count && (Length == 0 || _entries[0].Event != null);
    }
}
