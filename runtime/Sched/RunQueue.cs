// The queues of runnable goroutines: a P's ring with runnext, and the global list.
//
// RQ1  Ring entries are Head, Head+1, …, Tail-1, modulo 256; Tail - Head <= 256 (unsigned, they wrap).
// RQ2  A goroutine is on at most one queue, once.
// RQ3  RunNext goes before the ring, but at most MaxStreak times in a row while the ring holds something: without
//      preemption, two goroutines that keep waking each other would starve the rest (Go lets runnext inherit the slice).
// Context: goroutine or idle loop, owner: the running core. Allocates nothing. Reference: Go's runqput, runqget, globrunqget.
namespace Unikernel.Runtime.Sched;

/// <summary>A list of goroutines through their <see cref="G.SchedLink"/>, with its length.</summary>
internal unsafe struct GQueue
{
    private G* _head;
    private G* _tail;

    internal int Count { get; private set; }

    internal void Add(G* gp)
    {
        gp->SchedLink = null;
        if (_tail == null)
        {
            _head = gp;
        }
        else
        {
            _tail->SchedLink = gp;
        }
        _tail = gp;
        Count++;
    }

    internal G* Take()
    {
        G* gp = _head;
        if (gp != null)
        {
            _head = gp->SchedLink;
            if (_head == null)
            {
                _tail = null;
            }
            gp->SchedLink = null;
            Count--;
        }
        return gp;
    }
}

/// <summary>A P's own queue.</summary>
internal unsafe struct RunQueue
{
    internal const int Capacity = 256;
    internal const int MaxStreak = 256;

    private fixed ulong _ring[Capacity];
    private uint _head;
    private uint _tail;
    private G* _runNext;
    private int _streak;

    /// <summary>Goroutines in it, runnext included.</summary>
    internal readonly int Count => (int)(_tail - _head) + (_runNext == null ? 0 : 1);

    /// <summary>Queues <paramref name="gp"/>, as the very next or at the end; when the ring is full, half of it goes to <paramref name="overflow"/>.</summary>
    internal void Put(G* gp, bool next, ref GQueue overflow)
    {
        if (next)
        {
            G* old = _runNext;
            _runNext = gp;
            if (old == null)
            {
                return;
            }
            gp = old;
        }
        if (_tail - _head < Capacity)
        {
            _ring[_tail % Capacity] = (ulong)gp;
            _tail++;
            return;
        }
        for (int i = 0; i < Capacity / 2; i++)
        {
            overflow.Add((G*)_ring[_head % Capacity]);
            _head++;
        }
        overflow.Add(gp);
    }

    /// <summary>The next to run, or null.</summary>
    internal G* Get()
    {
        G* next = _runNext;
        if (next != null)
        {
            if (_head == _tail || _streak < MaxStreak)
            {
                _streak++;
                _runNext = null;
                return next;
            }
            G* first = TakeFirst();         // RQ3: runnext goes to the end, which now has room
            _ring[_tail % Capacity] = (ulong)next;
            _tail++;
            _runNext = null;
            return first;
        }
        return _head == _tail ? null : TakeFirst();
    }

    /// <summary>Takes from <paramref name="global"/>: one to run now, which is returned, and at most 127 more into the ring.</summary>
    internal G* GetBatch(ref GQueue global)
    {
        int n = global.Count < Capacity / 2 ? global.Count : Capacity / 2;
        G* first = global.Take();
        for (int i = 1; i < n && _tail - _head < Capacity; i++)
        {
            _ring[_tail % Capacity] = (ulong)global.Take();
            _tail++;
        }
        return first;
    }

    private G* TakeFirst()
    {
        G* gp = (G*)_ring[_head % Capacity];
        _head++;
        _streak = 0;
        return gp;
    }
}
