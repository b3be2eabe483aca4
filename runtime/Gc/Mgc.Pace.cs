// When a cycle begins, how much an allocation helps, and what is told about a cycle.
//
// PC1  A cycle begins when what is live, or may be, has come to s_trigger. The pacer says when that is, from what past
//      cycles cost (Gc/Pacer.cs).
// PC2  s_heapLive is what lived at the end of the last cycle, and all free slots of spans that caches have taken since.
// PC3  Who allocates while a cycle marks owes work for it; what the driver and idle cores scan is credit that pays first.
// PC4  Over half of the CPU for the collector, counted by cycles, and nobody owes anything any more (Gc/CpuLimiter.cs).
// PC5  Assists alone bound nothing: whoever has nothing to scan allocates on, and the driver may not get a turn. So there is
//      s_most, a little above the goal; who wants memory beyond it helps to sweep and waits for the end of a cycle, once
//      per window (a limit below what lives must not stop anybody). While a cycle sweeps, it is a little above what
//      was live at the end of marking.
// Context: as said. Allocates nothing. Reference: Go's mgcpacer.go, mgcmark.go (gcAssistAlloc).
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe partial class Mgc
{
    private struct CycleTimes
    {
        internal long BeginNs;
        internal long SweepTermNs;                  // of the first pause
        internal long MarkTermNs;                   // of all later ones
        internal long MarkEndNs;
        internal long HeapAtBegin;
        internal long HeapAtEnd;
        internal long AssistNs;
        internal long DriverNs;
        internal long IdleNs;
        internal long ScannedBytes;                 // of objects
        internal long StackBytes;                   // of parked goroutines when marking began
        internal long GlobalsBytes;
        internal int Stops;
        internal bool IsForced;
    }

    /// <summary>There is a cycle at least so often while the machine is busy; an idle one needs none. Changed by tests.</summary>
    internal static long ForcePeriodNs = 120_000_000_000;

    private static CpuLimiter s_limiter;            // the driver's
    private static Pacer s_pacer;                   // guarded by s_lock, but for the assist ratios
    private static CycleTimes s_now;
    private static long s_heapLive;                 // PC2; atomic
    private static long s_trigger = long.MaxValue;  // atomic
    private static long s_goal = long.MaxValue;
    private static long s_most = long.MaxValue;     // PC5; atomic
    private static long s_credit;                   // bytes scanned that nobody has owed; atomic
    private static long s_pauseStartNs;
    private static bool s_isForced;                 // the next cycle was asked for; guarded by s_lock

    /// <summary>Bytes of objects, those of the present cycle that are dead already included.</summary>
    internal static long HeapLive => Atomic.Load(ref s_heapLive);

    internal static long GoalBytes => s_goal;

    /// <summary>PC5.</summary>
    internal static bool IsFull => Atomic.Load(ref s_heapLive) > Atomic.Load(ref s_most);

    private static PacerMemory MemoryNow()
    {
        PacerMemory m;
        // Pages of the heap without a span count as given back: only the heap could use them, and it counts them then.
        m.TotalBytes = (long)(Machine.TotalMemory - Machine.FreeMemory) - (MHeap.HeldBytes - MHeap.InUseBytes);
        m.HeapFreeBytes = 0;
        m.HeapAllocBytes = Atomic.Load(ref s_heapLive);
        return m;
    }

    private static void SetTrigger()
    {
        PacerMemory m = MemoryNow();
        long trigger = s_pacer.Trigger(m, out s_goal);
        if (s_noGcBytes != 0 && trigger < Atomic.Load(ref s_heapLive) + s_noGcBytes + SlackBytes)
        {
            trigger = Atomic.Load(ref s_heapLive) + s_noGcBytes + SlackBytes;
        }
        Atomic.Store(ref s_trigger, trigger);
        SetMost(m);
    }

    private static void SetMost(in PacerMemory m) => Atomic.Store(ref s_most, s_noGcBytes != 0 ? Pacer.None : s_pacer.Most(m));

    private static void BeginCycle()
    {
        s_now = default;
        s_now.BeginNs = Machine.NanoTime();
        s_now.IsForced = s_isForced;
        s_isForced = false;
        s_now.HeapAtBegin = Atomic.Load(ref s_heapLive);
        Atomic.Store(ref s_credit, 0);
        PacerMemory m = MemoryNow();
        s_lock.Acquire(LockRank.Collector);
        s_pacer.StartCycle(s_now.HeapAtBegin, s_now.HeapAtBegin, Proc.MaxProcs, m);
        s_goal = s_pacer.Goal(m);
        SetMost(m);
        s_lock.Release();
    }

    // World stopped.
    private static void EndMark()
    {
        s_now.HeapAtEnd = Atomic.Load(ref s_heapLive);
        s_now.MarkEndNs = Machine.NanoTime();
        Atomic.Store(ref s_most, s_noGcBytes != 0 ? Pacer.None : Pacer.MostWhileSweeping(s_now.HeapAtEnd));
    }

    // All spans are swept.
    private static void EndCycle()
    {
        long live = Sweeper.LiveBytes;
        long since = Atomic.Load(ref s_heapLive) - s_now.HeapAtEnd;
        Atomic.Add(ref s_heapLive, live + since - Atomic.Load(ref s_heapLive));
        CycleResult result = default;
        result.MarkedBytes = live;
        result.LiveEndBytes = s_now.HeapAtEnd;
        result.HeapScanWork = s_now.ScannedBytes;
        result.StackScanWork = s_now.StackBytes;
        result.GlobalsScanWork = s_now.GlobalsBytes;
        result.TotalCpuNs = (s_now.MarkEndNs - s_now.BeginNs) * Proc.MaxProcs;
        result.MarkCpuNs = s_now.DriverNs + s_now.AssistNs;
        result.IdleMarkNs = s_now.IdleNs;
        s_lock.Acquire(LockRank.Collector);
        s_pacer.EndCycle(result);
        s_isRunning = false;
        SetTrigger();
        s_lock.Release();
        GcStats.Cycles++;
        GcStats.Forced += s_now.IsForced ? 1 : 0;
        GcStats.DriverNs += s_now.DriverNs;
        GcStats.IdleNs += s_now.IdleNs;
        GcStats.AssistNs += s_now.AssistNs;
        long now = Machine.NanoTime();
        long gcNs = s_now.DriverNs + s_now.AssistNs + ((s_now.SweepTermNs + s_now.MarkTermNs) * Proc.MaxProcs);
        s_limiter.SetCores(Proc.MaxProcs);
        s_limiter.Account(((now - GcStats.LastEndNs) * Proc.MaxProcs) - gcNs, gcNs);
        GcStats.LastEndNs = now;
        if (GoDebug.Settings.GcTrace != 0)
        {
            PrintTrace(live);
        }
    }

    private static void CountPause(long ns)
    {
        GcStats.CountPause(ns);
        s_now.Stops++;
        if (s_now.Stops == 1)
        {
            s_now.SweepTermNs = ns;
        }
        else
        {
            s_now.MarkTermNs += ns;
        }
    }

    // PC3. Lock depth raised.
    private static void Assist(nuint bytes)
    {
        long owed = (long)(bytes * s_pacer.AssistWorkPerByte);
        if (owed <= 0 || s_limiter.IsLimiting || Atomic.Add(ref s_credit, -owed) >= 0 || !GcQueue.HasFull)
        {
            return;
        }
        CoreState* cs = ThisCore.State;
        GcWork* work = &cs->Cache->Work;
        Atomic.Add(ref s_slices, 1);
        long begin = Machine.NanoTime();
        while (Atomic.Load(ref s_credit) < 0 && !Marker.Drain(cs, Machine.NanoTime() + AssistNs, true)
            && Atomic.Load(ref cs->Look) == 0)
        {
            TakeScanned(work);
        }
        TakeScanned(work);
        Atomic.Add(ref s_now.AssistNs, Machine.NanoTime() - begin);
        Atomic.Add(ref s_slices, -1);
    }

    private static void TakeScanned(GcWork* work)
    {
        long scanned = work->ScannedBytes;
        work->ScannedBytes = 0;
        Atomic.Add(ref s_now.ScannedBytes, scanned);
        Atomic.Add(ref s_credit, scanned);
    }

    private static void PrintTrace(long live)
    {
        TraceWriter w = default;
        ThisCore.Acquire();
        long total = s_now.MarkEndNs - s_now.BeginNs;
        long up = Machine.NanoTime();
        long cpu = (GcStats.DriverNs + GcStats.AssistNs + GcStats.IdleNs) * 100 / (up * Proc.MaxProcs);
        w.Write("gc "u8);
        w.Write(GcStats.Cycles);
        w.Write(" @"u8);
        WriteFixed(&w, up / 1_000_000, 3);
        w.Write("s "u8);
        w.Write(cpu);
        w.Write("%: "u8);
        WriteMs(&w, s_now.SweepTermNs);
        w.Write("+"u8);
        WriteMs(&w, total - s_now.SweepTermNs - s_now.MarkTermNs);
        w.Write("+"u8);
        WriteMs(&w, s_now.MarkTermNs);
        w.Write(" ms clock, "u8);
        WriteMs(&w, s_now.SweepTermNs * Proc.MaxProcs);
        w.Write("+"u8);
        WriteMs(&w, s_now.AssistNs);
        w.Write("/"u8);
        WriteMs(&w, s_now.DriverNs);
        w.Write("/"u8);
        WriteMs(&w, s_now.IdleNs);
        w.Write("+"u8);
        WriteMs(&w, s_now.MarkTermNs * Proc.MaxProcs);
        w.Write(" ms cpu, "u8);
        w.Write(s_now.HeapAtBegin >> 20);
        w.Write("->"u8);
        w.Write(s_now.HeapAtEnd >> 20);
        w.Write("->"u8);
        w.Write(live >> 20);
        w.Write(" MB, "u8);
        w.Write((s_goal == long.MaxValue ? 0 : s_goal) >> 20);
        w.Write(" MB goal, "u8);
        w.Write(s_now.StackBytes >> 20);
        w.Write(" MB stacks, "u8);
        w.Write(s_now.GlobalsBytes >> 20);
        w.Write(" MB globals, "u8);
        w.Write(Proc.MaxProcs);
        w.Write(s_now.IsForced ? " P (forced)\n"u8 : " P\n"u8);
        ThisCore.Release();
    }

    // Go's fmtNSAsMS: two significant digits below 10 ms, whole milliseconds above.
    private static void WriteMs(TraceWriter* w, long ns)
    {
        if (ns >= 10_000_000)
        {
            w->Write(ns / 1_000_000);
            return;
        }
        long x = ns / 1_000;
        if (x == 0)
        {
            w->Write("0"u8);
            return;
        }
        int decimals = 3;
        while (x >= 100)
        {
            x /= 10;
            decimals--;
        }
        WriteFixed(w, x, decimals);
    }

    private static void WriteFixed(TraceWriter* w, long x, int decimals)
    {
        long scale = 1;
        for (int i = 0; i < decimals; i++)
        {
            scale *= 10;
        }
        w->Write(x / scale);
        if (decimals == 0)
        {
            return;
        }
        w->Write("."u8);
        for (scale /= 10; scale > 0; scale /= 10)
        {
            w->Write(x / scale % 10);
        }
    }

    internal static long TotalAllocated()
    {
        long n = 0;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            MCache* c = Proc.PAt(i)->Core->Cache;
            n += c->AllocatedBytes - MCache.UnusedBytes(c);
        }
        return n;
    }

    internal static long AllocatedByCaller() => Proc.GetG()->AllocatedBytes;

    /// <summary>Goroutine: asks for a cycle and does not wait for it.</summary>
    internal static void CollectInBackground()
    {
        ThisCore.Acquire();
        Request(false);
        ThisCore.Release();
    }
}
