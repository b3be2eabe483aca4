// Deadlines: each P's timer heap and its core's alarm.
//
// TM1  The alarm is set to the first deadline or earlier, and to the next tick while the core is busy; its interrupt only
//      marks, the scheduler's loop on that core runs what is due. So no turn has to read the clock.
// TM2  Nothing fires before Machine.NanoTime has reached its time.
// TM3  A heap's array grows in place: its addresses are reserved (StackLayout.ArraysBase), pages are added at the end.
// TM4  Fire is called with TimersLock held, on the core that owns the heap: after RemoveTimer has returned, the event is
//      neither in the heap nor being fired. It may ready goroutines and make new ones, and take locks that nobody holds
//      while taking TimersLock.
// Context: goroutine and g0. Allocates: pages, never given back. Reference: Go's time.go.
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const long LongestAlarmNs = 3_600_000_000_000;      // woken then, the alarm is simply set again

    /// <summary>Lock depth raised: puts an event into the heap of this core's P.</summary>
    internal static void AddTimer(P* p, TimerEvent* e)
    {
        p->TimersLock.Acquire(LockRank.Timers);
        if (p->Timers.Count == p->Timers.Capacity)
        {
            GrowTimers(p);
        }
        e->Owner = p;
        p->Timers.Add(e);
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
        bool wasThere = e->Index >= 0;
        if (wasThere)
        {
            p->Timers.Remove(e);
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
        while (p->Timers.Count != 0 && p->Timers.FirstWhenNs <= now)
        {
            TimerEvent* e = p->Timers.First;
            p->Timers.Remove(e);
            e->Fire(e->Arg);
        }
        long next = p->Timers.Count != 0 ? p->Timers.FirstWhenNs : long.MaxValue;
        p->TimersLock.Release();
        p->HasTick = false;                 // the loop sets it again when it runs something
        if (next != long.MaxValue)
        {
            SetAlarmBefore(p, next);
        }
        return CountTick(p);
    }

    private static void GrowTimers(P* p)
    {
        int perPage = (int)StackLayout.PageBytes / sizeof(TimerHeap.Entry);
        TimerHeap.Entry* entries = (TimerHeap.Entry*)StackLayout.ArrayOf(p->Id);
        if (!Machine.CommitPages(entries + p->Timers.Capacity, (nuint)StackLayout.PageBytes))
        {
            Throw.Fatal("out of memory for timers"u8);
        }
        p->Timers.SetMemory(entries, p->Timers.Capacity + perPage);
    }
}
