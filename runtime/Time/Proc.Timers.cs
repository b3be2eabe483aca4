// Deadlines: the P's timer heap and the machine's alarm.
//
// TM1  The alarm is set to the first deadline or earlier; its interrupt only marks, the next turn of FindRunnable runs
//      what is due. So no turn has to read the clock.
// TM2  Nothing fires before Machine.NanoTime has reached its time.
// TM3  The heap's array grows in place: its addresses are reserved (StackLayout.ArraysBase), pages are added at the end.
// Context: goroutine and g0. Allocates: page frames, never given back. Reference: Go's time.go.
using System.Threading;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const long LongestAlarmNs = 3_600_000_000_000;      // woken then, the alarm is simply set again

    internal static void AddTimer(TimerEvent* e)
    {
        if (s_p.Timers.Count == s_p.Timers.Capacity)
        {
            GrowTimers();
        }
        s_p.Timers.Add(e);
        if (e->Index == 0 && e->WhenNs < s_p.AlarmNs)
        {
            SetAlarm(e->WhenNs);
        }
    }

    /// <summary>Takes an event out of the heap; an alarm set for it will find nothing to do.</summary>
    internal static void RemoveTimer(TimerEvent* e) => s_p.Timers.Remove(e);

    private static void SetAlarm(long whenNs)
    {
        s_p.AlarmNs = whenNs;
        long latest = Machine.NanoTime() + LongestAlarmNs;
        Machine.SetAlarm(whenNs < latest ? (whenNs > 0 ? whenNs : 1) : latest);
    }

    private static void RunTimers()
    {
        Volatile.Write(ref s_alarmDue, false);
        s_p.AlarmNs = long.MaxValue;
        long now = Machine.NanoTime();
        s_p.NowNs = now;
        while (s_p.Timers.Count != 0 && s_p.Timers.FirstWhenNs <= now)
        {
            TimerEvent* e = s_p.Timers.First;
            s_p.Timers.Remove(e);
            e->Fire(e->Arg);
        }
        if (s_p.Timers.Count != 0)
        {
            SetAlarm(s_p.Timers.FirstWhenNs);
        }
    }

    private static void GrowTimers()
    {
        int perPage = (int)StackLayout.PageBytes / sizeof(TimerHeap.Entry);
        TimerHeap.Entry* entries = (TimerHeap.Entry*)StackLayout.ArraysBase;
        if (!Machine.CommitPages(entries + s_p.Timers.Capacity, (nuint)StackLayout.PageBytes))
        {
            Throw.Fatal("out of memory for timers"u8);
        }
        s_p.Timers.SetMemory(entries, s_p.Timers.Capacity + perPage);
    }
}
