// Run queue and timer heap: plain data structures, no scheduling in them.
//
// RQ1  The local queue is Go's ring of 256; a full one moves half of itself, then the new G, to the global queue.
// RQ2  runnext runs before the ring; the one it replaces goes to the ring's tail.
// TH1  The timer heap is 4-ary, smallest time first; each G knows its position and has at most one timer.
// Context: goroutine. Allocates: off-heap pages, when the heap grows.
// Reference: Go src/runtime/proc.go (runqput, runqget, globrunqget), time.go.
using System.Runtime.InteropServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal unsafe struct GList
{
    internal G* Head;
    internal G* Tail;
    internal int Count;

    internal void PushBack(G* gp)
    {
        gp->SchedLink = null;
        if (Tail == null)
        {
            Head = gp;
        }
        else
        {
            Tail->SchedLink = gp;
        }
        Tail = gp;
        Count++;
    }

    internal void Push(G* gp)
    {
        gp->SchedLink = Head;
        Head = gp;
        Tail = Tail == null ? gp : Tail;
        Count++;
    }

    internal G* Pop()
    {
        G* gp = Head;
        if (gp != null)
        {
            Head = gp->SchedLink;
            if (Head == null)
            {
                Tail = null;
            }
            gp->SchedLink = null;
            Count--;
        }
        return gp;
    }
}

/// <summary>A P's queue of runnable goroutines, and the global one behind it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RunQueue
{
    internal const int Capacity = 256;
    private const int GlobalEvery = 61;

    private fixed ulong _ring[Capacity];
    private uint _head;
    private uint _tail;
    private G* _next;
    private uint _tick;
    internal GList Global;

    internal readonly int Count => (int)(_tail - _head) + (_next == null ? 0 : 1) + Global.Count;

    internal void Put(G* gp, bool next)
    {
        if (next)
        {
            G* kicked = _next;
            _next = gp;
            if (kicked == null)
            {
                return;
            }
            gp = kicked;
        }
        if (_tail - _head == Capacity)
        {
            for (int i = 0; i < Capacity / 2; i++)
            {
                Global.PushBack((G*)_ring[(int)(_head++ % Capacity)]);
            }
            Global.PushBack(gp);
            return;
        }
        _ring[(int)(_tail++ % Capacity)] = (ulong)gp;
    }

    internal G* Get()
    {
        if (++_tick % GlobalEvery == 0 && Global.Head != null)
        {
            return Global.Pop();
        }
        G* gp = _next;
        if (gp != null)
        {
            _next = null;
            return gp;
        }
        return _head != _tail ? (G*)_ring[(int)(_head++ % Capacity)] : Global.Pop();
    }
}

internal unsafe struct Timer
{
    internal long When;
    internal G* Waiter;
}

/// <summary>4-ary heap of sleeping goroutines.</summary>
internal unsafe struct TimerHeap
{
    private const int Fan = 4;
    private Timer* _items;
    private int _capacity;

    internal int Count;

    internal readonly long NextWhen => Count == 0 ? long.MaxValue : _items[0].When;

    internal void Add(G* gp, long when)
    {
        if (Count == _capacity)
        {
            Grow();
        }
        Place(Count++, new Timer { When = when, Waiter = gp });
        Up(Count - 1);
    }

    internal void Remove(G* gp)
    {
        int at = gp->TimerIndex;
        gp->TimerIndex = -1;
        Timer last = _items[--Count];
        if (at == Count)
        {
            return;
        }
        Place(at, last);
        Up(at);
        Down(last.Waiter->TimerIndex);
    }

    /// <summary>Takes the first goroutine whose time has come; null if none has.</summary>
    internal G* PopDue(long now)
    {
        if (Count == 0 || _items[0].When > now)
        {
            return null;
        }
        G* gp = _items[0].Waiter;
        Remove(gp);
        return gp;
    }

    private readonly void Place(int at, Timer t)
    {
        _items[at] = t;
        t.Waiter->TimerIndex = at;
    }

    private readonly void Up(int at)
    {
        Timer t = _items[at];
        while (at > 0)
        {
            int parent = (at - 1) / Fan;
            if (_items[parent].When <= t.When)
            {
                break;
            }
            Place(at, _items[parent]);
            at = parent;
        }
        Place(at, t);
    }

    private readonly void Down(int at)
    {
        Timer t = _items[at];
        while (true)
        {
            int first = (at * Fan) + 1;
            int best = -1;
            for (int i = first; i < first + Fan && i < Count; i++)
            {
                if (best < 0 || _items[i].When < _items[best].When)
                {
                    best = i;
                }
            }
            if (best < 0 || _items[best].When >= t.When)
            {
                break;
            }
            Place(at, _items[best]);
            at = best;
        }
        Place(at, t);
    }

    private void Grow()
    {
        int capacity = _capacity == 0 ? 4096 / sizeof(Timer) : _capacity * 2;
        Timer* items = (Timer*)(_capacity == 0 ? Machine.AllocPage() : Machine.GrowHeap((nuint)(capacity * sizeof(Timer))));
        if (items == null)
        {
            Throw.Fatal("out of memory for timers"u8);
        }
        for (int i = 0; i < Count; i++)
        {
            items[i] = _items[i];
        }
        _items = items;         // the old block is half the size and stays unused
        _capacity = capacity;
    }
}
