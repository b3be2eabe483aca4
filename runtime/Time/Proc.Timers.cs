// Deadlines: each P's timer heap and its core's alarm.
//
// TM1  The alarm is set to the first deadline or earlier, and to the next tick while the core is busy; its interrupt only
//      marks, the scheduler's loop on that core runs what is due. So no turn has to read the clock.
// TM2  Nothing fires before Machine.NanoTime has reached its time.
// TM3  A heap's array grows in place: its addresses are reserved (StackLayout.ArraysBase), pages are added at the end.
// TM4  Fire is called on the core that owns the heap, on g0. Of a goroutine's deadline with TimersLock held: after
//      RemoveTimer has returned, the event is neither in the heap nor being fired; Fire takes run queue locks only. Of a
//      timer (FiresUnlocked) with no lock held, so it may take the lock under which the timer is armed; it must find out
//      for itself whether it is still due. Lock order: channel or timer, TimersLock, run queues.
// TM5  A burst starts no more goroutines at once than a run queue takes well: the rest follows when these have run.
// TM6  An event that lies in an object keeps it alive while in the heap. The collector finds these by ForEachTimerRoot, and
//      AddTimer shades what it puts in while a cycle marks. One taken out to be fired is on g0's stack at
//      most, at a raised lock depth, so never while the world is stopped.
// TM7  Of those that fall due together the first goes to runnext, the others to the queue's end: in the order of their
//      times, where Go lets the last one run first.
// TM8  A core that retires gives its timers to another: with the world stopped, so nobody holds a TimersLock, but who has
//      read Owner and not got the lock yet must look again.
// Context: goroutine and g0. Allocates: pages, never given back. Reference: Go's time.go.
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const long LongestAlarmNs = 3_600_000_000_000;      // woken then, the alarm is simply set again
    private const int BurstSize = RunQueue.Capacity / 2;
    private const int LeastAtOnce = 8;
    private const long BurstNs = 50_000;

    /// <summary>Lock depth raised: puts an event into the heap of this core's P.</summary>
    internal static void AddTimer(P* p, TimerEvent* e)
    {
        p->TimersLock.Acquire(LockRank.Timers);
        if (p->Timers.Length == p->Timers.Capacity)
        {
            GrowTimers(p);
        }
        e->Owner = p;
        p->Timers.Add(e);
        if (e->FiresUnlocked)
        {
            Barrier.ShadeInside((byte*)e);      // TM6
        }
        if (e->Index == 0)
        {
            SetAlarmBefore(p, e->WhenNs);
        }
        p->TimersLock.Release();
    }

    /// <summary>Takes an event out of its heap (TM4); false when it was in none any more.</summary>
    internal static bool RemoveTimer(TimerEvent* e)
    {
        P* p = e->Owner;
        if (p == null)
        {
            return false;
        }
        p->TimersLock.Acquire(LockRank.Timers);
        while (e->Owner != p)                   // TM8
        {
            p->TimersLock.Release();
            p = e->Owner;
            p->TimersLock.Acquire(LockRank.Timers);
        }
        bool wasThere = e->Index >= 0;
        if (wasThere)
        {
            p->Timers.Cancel(e);
        }
        p->TimersLock.Release();
        return wasThere;
    }

    // On the core of p.
    private static void SetAlarmBefore(P* p, long whenNs)
    {
        if (whenNs >= p->AlarmNs)
        {
            return;
        }
        p->AlarmNs = whenNs;
        long latest = Machine.NanoTime() + LongestAlarmNs;
        Machine.SetAlarm(whenNs < latest ? (whenNs > 0 ? whenNs : 1) : latest);
    }

    // The alarm has come. True when the slice of the goroutine it interrupted is over.
    private static bool RunTimers(P* p)
    {
        long now = Machine.NanoTime();
        p->AlarmNs = long.MaxValue;
        p->NowNs = now;
        p->TimersLock.Acquire(LockRank.Timers);
        int room = BurstSize - p->Runq.Count;
        for (int fired = 0; p->Timers.Count != 0 && p->Timers.FirstWhenNs <= now && (fired < room || fired < LeastAtOnce); fired++)
        {
            TimerEvent* e = p->Timers.First;
            p->Timers.Remove(e);
            if (e->FiresUnlocked)
            {
                p->TimersLock.Release();
                e->Fire(e->Arg);
                p->TimersLock.Acquire(LockRank.Timers);
            }
            else
            {
                e->Fire(e->Arg);
            }
            p->KeepsOrder = true;
            p->HasReadied = true;
        }
        p->KeepsOrder = false;
        long next = p->Timers.Count == 0 ? long.MaxValue
            : p->Timers.FirstWhenNs > now ? p->Timers.FirstWhenNs
            : now + BurstNs;
        p->TimersLock.Release();
        p->HasTick = false;                 // the loop sets it again when it runs something
        if (next != long.MaxValue)
        {
            SetAlarmBefore(p, next);
        }
        Mgc.ForceIfDue(now);
        return p->Slice.IsOver(p->SchedTick, now);
    }

    /// <summary>
    /// Lock depth raised: calls <paramref name="visit"/>(address, <paramref name="context"/>) with the address of every event
    /// that is in a heap and lies in an object: a reference to somewhere in the middle of the object, which must live on.
    /// </summary>
    internal static void ForEachTimerRoot(delegate*<void*, void*, void> visit, void* context)
    {
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            PAt(i)->TimersLock.Acquire(LockRank.Timers);        // entries move when others come and go
            ref TimerHeap heap = ref PAt(i)->Timers;
            for (int at = 0; at < heap.Length; at++)
            {
                TimerEvent* e = heap.At(at);
                if (e != null && e->FiresUnlocked)
                {
                    visit(e, context);
                }
            }
            PAt(i)->TimersLock.Release();
        }
    }

    // TM8. World stopped; the caller makes the core of `to` look at its alarm.
    private static void MoveTimers(P* from, P* to)
    {
        from->Timers.Clean();
        while (from->Timers.Length != 0)
        {
            TimerEvent* e = from->Timers.At(from->Timers.Length - 1);
            from->Timers.Remove(e);
            if (to->Timers.Length == to->Timers.Capacity)
            {
                GrowTimers(to);
            }
            e->Owner = to;
            to->Timers.Add(e);
        }
    }

    private static void GrowTimers(P* p)
    {
        int perPage = (int)StackLayout.PageBytes / sizeof(TimerHeap.Entry);
        TimerHeap.Entry* entries = (TimerHeap.Entry*)StackLayout.ArrayOf(p->Id);
        if ((ulong)(p->Timers.Capacity + perPage) * (ulong)sizeof(TimerHeap.Entry) > StackLayout.ArrayBytes)
        {
            Throw.Fatal("too many timers"u8);
        }
        if (!Machine.CommitPages(entries + p->Timers.Capacity, (nuint)StackLayout.PageBytes))
        {
            Throw.Fatal("out of memory for timers"u8);
        }
        p->Timers.SetMemory(entries, p->Timers.Capacity + perPage);
    }
}
