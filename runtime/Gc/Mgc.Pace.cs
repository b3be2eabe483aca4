// When a cycle begins, and what is known about past ones.
//
// PC1  A cycle begins when the heap has grown from what the last one left alive to s_trigger. s_goal is how large it may be
//      when marking has ended.
// Context: as said. Allocates nothing. Reference: Go's mgcpacer.go.
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe partial class Mgc
{
    private const long LeastHeapBytes = 4 << 20;

    private static long s_heapLive;                 // bytes of spans' free slots taken to allocate from, and of what lived; atomic
    private static long s_trigger = LeastHeapBytes;
    private static long s_goal = LeastHeapBytes;
    private static long s_percent = 100;            // GOGC, -1 = off
    private static long s_pauseStartNs;
    private static long s_forced;                   // cycles asked for by the program
    private static long s_liveAtMarkEnd;

    private static void InitOptions()
    {
    }

    private static void BeginCycle()
    {
    }

    // World stopped.
    private static void EndMark()
    {
        s_liveAtMarkEnd = Atomic.Load(ref s_heapLive);
        s_trigger = long.MaxValue;                  // until the sweep has told what is alive
    }

    // All spans are swept.
    private static void EndCycle()
    {
        long live = Sweeper.LiveBytes;
        long since = Atomic.Load(ref s_heapLive) - s_liveAtMarkEnd;
        Atomic.Store(ref s_heapLive, live + since);
        SetGoal(live);
    }

    private static void SetGoal(long live)
    {
        if (s_percent < 0)
        {
            s_goal = long.MaxValue;
            s_trigger = long.MaxValue;
            return;
        }
        long goal = live + (live * s_percent / 100);
        long least = LeastHeapBytes * s_percent / 100;
        s_goal = goal > least ? goal : least;
        s_trigger = live + ((s_goal - live) * 7 / 10);
    }

    private static long s_pauseTotalNs;

    internal static long PauseTotalNs => s_pauseTotalNs;
    internal static long CycleCount => s_done;
    internal static long HeapLive => Atomic.Load(ref s_heapLive);

    internal static long TotalAllocated()
    {
        long n = 0;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            n += Proc.PAt(i)->Core->Cache->AllocatedBytes;
        }
        return n;
    }

    internal static long AllocatedByCaller() => Proc.GetG()->AllocatedBytes;

    internal static void CollectInBackground()
    {
        ThisCore.Acquire();
        Request();
        ThisCore.Release();
    }

    internal static int StartNoGcRegion(long bytes) => 1;
    internal static int EndNoGcRegion() => 1;

    private static void CountPause(long ns)
    {
        s_pauseTotalNs += ns;
    }
}
