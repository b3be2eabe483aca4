// The queues of runnable goroutines: a P's ring with runnext, and the global list.
//
// RQ1  Ring entries are Head, Head+1, …, Tail-1, modulo 256; Tail - Head <= 256 (unsigned, they wrap).
// RQ2  A goroutine is on at most one queue, once.
// RQ3  The owner alone writes Tail and puts into RunNext; anybody may take, by compare-and-swap of Head or RunNext.
// RQ4  An entry is written before the Tail that shows it; Tail is read after Head.
// RQ5  While one P alone runs goroutines nobody steals, and its owner needs no locked instruction; nor does it for the marks
//      of a collection, so cores that run nothing must not mark. IsAlone changes with the world stopped.
// Context: the owner's core with its lock depth raised; Steal also from others. Allocates nothing.
// Reference: Go's runqput, runqget, runqgrab.
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

/// <summary>A list of goroutines through their <see cref="G.SchedLink"/>, with its length. Not safe for several cores.</summary>
internal unsafe partial struct GQueue
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

    /// <summary>Takes all of another list.</summary>
    internal void Append(ref GQueue other)
    {
        if (other._head == null)
        {
            return;
        }
        if (_tail == null)
        {
            _head = other._head;
        }
        else
        {
            _tail->SchedLink = other._head;
        }
        _tail = other._tail;
        Count += other.Count;
        other = default;
    }
}

/// <summary>A P's own queue.</summary>
internal unsafe partial struct RunQueue
{
    internal const int Capacity = 256;

    /// <summary>RQ5.</summary>
    internal static bool IsAlone;

    private uint _head;
    private uint _tail;
    private ulong _runNext;
    private fixed ulong _ring[Capacity];

    /// <summary>Goroutines in it, runnext included; a snapshot.</summary>
    internal int Count => (int)(Atomic.Load(ref _tail) - Atomic.Load(ref _head)) + (Atomic.Load(ref _runNext) == 0 ? 0 : 1);

    /// <summary>The same without runnext.</summary>
    internal int RingCount => (int)(Atomic.Load(ref _tail) - Atomic.Load(ref _head));

    /// <summary>The next to run, or null; a snapshot.</summary>
    internal G* RunNext => (G*)Atomic.Load(ref _runNext);

    /// <summary>Whether there is nothing to take or steal; a snapshot that misses nothing that was there all the time.</summary>
    internal bool IsEmpty
    {
        get
        {
            while (true)
            {
                uint head = Atomic.Load(ref _head);
                uint tail = Atomic.Load(ref _tail);
                ulong next = Atomic.Load(ref _runNext);
                if (tail == Atomic.Load(ref _tail))
                {
                    return head == tail && next == 0;
                }
            }
        }
    }

    /// <summary>
    /// Owner: queues <paramref name="gp"/>, as the very next or at the end. When the ring is full, half of it and
    /// <paramref name="gp"/> go to <paramref name="overflow"/>, which the caller puts on the global queue.
    /// </summary>
    internal void Put(G* gp, bool next, ref GQueue overflow)
    {
        if (next)
        {
            gp = PutNext(gp);
            if (gp == null)
            {
                return;
            }
        }
        while (!TryPut(gp) && !PutHalf(gp, ref overflow))
        {
        }
    }

    /// <summary>Owner: makes <paramref name="gp"/> runnext; the one that was, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal G* PutNext(G* gp)
    {
        if (IsAlone)
        {
            ulong old = _runNext;
            Atomic.Store(ref _runNext, (ulong)gp);
            return (G*)old;
        }
        return (G*)Atomic.Exchange(ref _runNext, (ulong)gp);
    }

    /// <summary>Owner: puts <paramref name="gp"/> at the end of the ring; false when it is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPut(G* gp)
    {
        uint tail = _tail;
        if (tail - Atomic.Load(ref _head) >= Capacity)
        {
            return false;
        }
        _ring[tail % Capacity] = (ulong)gp;
        Atomic.Store(ref _tail, tail + 1);
        return true;
    }

    private bool PutHalf(G* gp, ref GQueue overflow)
    {
        const int half = Capacity / 2;
        uint head = Atomic.Load(ref _head);
        if (_tail - head < Capacity)
        {
            return false;               // stolen from since TryPut: there may be less than a half
        }
        ulong* batch = stackalloc ulong[half];
        for (uint i = 0; i < half; i++)
        {
            batch[i] = _ring[(head + i) % Capacity];
        }
        if (!Atomic.Swap(ref _head, head, head + half))
        {
            return false;               // stolen from meanwhile: there is room now
        }
        for (int i = 0; i < half; i++)
        {
            overflow.Add((G*)batch[i]);
        }
        overflow.Add(gp);
        return true;
    }

    /// <summary>Owner: the next to run, or null.</summary>
    internal G* Get()
    {
        G* next = GetNext();
        return next != null ? next : GetFirst();
    }

    /// <summary>Owner: runnext, which goes on with the slice there is, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal G* GetNext()
    {
        ulong next = _runNext;
        if (next == 0)
        {
            return null;
        }
        if (IsAlone)
        {
            Atomic.Store(ref _runNext, 0UL);
            return (G*)next;
        }
        return Atomic.Swap(ref _runNext, next, 0) ? (G*)next : null;
    }

    /// <summary>Owner: the first of the ring, whose slice is a new one, or null.</summary>
    internal G* GetFirst()
    {
        while (true)
        {
            uint head = Atomic.Load(ref _head);
            if (head == _tail)
            {
                return null;
            }
            ulong gp = _ring[head % Capacity];
            if (IsAlone)
            {
                Atomic.Store(ref _head, head + 1);
                return (G*)gp;
            }
            if (Atomic.Swap(ref _head, head, head + 1))
            {
                return (G*)gp;
            }
        }
    }

    /// <summary>Owner: runnext loses its place at the front, for it has inherited a slice that is over.</summary>
    internal void KickRunNext(ref GQueue overflow)
    {
        ulong next = Atomic.Exchange(ref _runNext, 0);
        if (next != 0)
        {
            Put((G*)next, false, ref overflow);
        }
    }

    /// <summary>
    /// Another core: takes half of the ring (of one, that one) into <paramref name="own"/> and returns one of them to run.
    /// Null when there is nothing.
    /// </summary>
    internal G* Steal(ref RunQueue own)
    {
        while (true)
        {
            uint head = Atomic.Load(ref _head);
            uint tail = Atomic.Load(ref _tail);
            uint n = tail - head;
            n -= n / 2;
            if (n == 0)
            {
                return null;
            }
            if (n > Capacity / 2)
            {
                continue;               // head and tail are of two moments
            }
            uint ownTail = own._tail;   // own ring is empty: its owner looks for work
            for (uint i = 0; i < n; i++)
            {
                own._ring[(ownTail + i) % Capacity] = _ring[(head + i) % Capacity];
            }
            if (!Atomic.Swap(ref _head, head, head + n))
            {
                continue;
            }
            G* first = (G*)own._ring[(ownTail + n - 1) % Capacity];
            if (n > 1)
            {
                Atomic.Store(ref own._tail, ownTail + n - 1);
            }
            return first;
        }
    }

    /// <summary>Any core: takes runnext if it is still <paramref name="gp"/>, which is not null; whether it was.</summary>
    internal bool TryTakeNext(G* gp) => Atomic.Swap(ref _runNext, (ulong)gp, 0);

    /// <summary>Owner: takes from <paramref name="global"/>, whose lock is held: one to run, and at most <paramref name="most"/> - 1 more into the ring.</summary>
    internal G* GetBatch(ref GQueue global, int most)
    {
        int n = global.Count < most ? global.Count : most;
        G* first = global.Take();
        uint room = Capacity - (_tail - Atomic.Load(ref _head));
        for (uint i = 1; i < n && i <= room; i++)
        {
            _ring[_tail % Capacity] = (ulong)global.Take();
            Atomic.Store(ref _tail, _tail + 1);
        }
        return first;
    }
}
