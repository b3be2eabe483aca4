// Settings of the collector: kernel arguments, SetGCPercent, SetMemoryLimit, and regions without collections.
//
// GS1  A region without collections holds s_trigger at what may be allocated in it. Who asks for a collection gets one, and
//      the region is over.
// Context: goroutine, but for InitOptions (boot). Allocates nothing.
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe partial class Mgc
{
    // What the class library expects of RhpStartNoGCRegion and RhpEndNoGCRegion.
    private const int Succeeded = 0;
    private const int AmountTooLarge = 2;
    private const int AlreadyInProgress = 3;
    private const int NotInProgress = 1;
    private const int GcInduced = 2;
    private const int AllocationExceeded = 3;

    private static long s_noGcBytes;                // guarded by s_lock; 0 = no region
    private static long s_noGcBegin;                // TotalAllocated then
    private static long s_noGcCycles;               // s_started then

    private static void InitOptions()
    {
        int percent = GcArguments.DefaultGcPercent;
        long limit = GcArguments.NoMemoryLimit;
        if (Machine.TryGetArg("GOGC"u8, out byte* value, out int length) && !GcArguments.TryGcPercent(value, length, out percent))
        {
            Machine.Print("unikernel: GOGC wants a percentage or off: using 100\n"u8);
        }
        if (Machine.TryGetArg("GOMEMLIMIT"u8, out value, out length) && !GcArguments.TryMemoryLimit(value, length, out limit))
        {
            Machine.Print("unikernel: GOMEMLIMIT wants a size such as 512MiB, or off: using no limit\n"u8);
        }
        s_pacer.Init(percent, limit);
        SetTrigger();
    }

    /// <summary>The percentage before.</summary>
    internal static int SetGcPercent(int percent)
    {
        s_lock.Acquire(LockRank.Collector);
        int before = s_pacer.SetGcPercent(percent);
        SetTriggerUnlessRunning();
        s_lock.Release();
        RequestIfDue();
        return before;
    }

    /// <summary>The limit before.</summary>
    internal static long SetMemoryLimit(long bytes)
    {
        s_lock.Acquire(LockRank.Collector);
        long before = s_pacer.SetMemoryLimit(bytes);
        SetTriggerUnlessRunning();
        s_lock.Release();
        RequestIfDue();
        return before;
    }

    private static void SetTriggerUnlessRunning()
    {
        if (!s_isRunning)
        {
            SetTrigger();                       // else the end of the cycle does
        }
    }

    private static void RequestIfDue()
    {
        ThisCore.Acquire();
        Request(true);
        ThisCore.Release();
    }

    internal static int StartNoGcRegion(long bytes)
    {
        if (bytes > (long)(Machine.TotalMemory / 2))
        {
            return AmountTooLarge;
        }
        if (s_noGcBytes != 0)
        {
            return AlreadyInProgress;
        }
        Collect();
        s_lock.Acquire(LockRank.Collector);
        int result = AlreadyInProgress;
        if (s_noGcBytes == 0)
        {
            result = Succeeded;
            s_noGcBytes = bytes;
            s_noGcBegin = TotalAllocated();
            s_noGcCycles = s_started;
            SetTriggerUnlessRunning();
        }
        s_lock.Release();
        return result;
    }

    internal static int EndNoGcRegion()
    {
        s_lock.Acquire(LockRank.Collector);
        int result = s_noGcBytes == 0 ? NotInProgress
            : s_started != s_noGcCycles ? GcInduced
            : TotalAllocated() - s_noGcBegin > s_noGcBytes + SlackBytes ? AllocationExceeded
            : Succeeded;
        s_noGcBytes = 0;
        SetTriggerUnlessRunning();
        s_lock.Release();
        return result;
    }

    private static long SlackBytes => (long)SizeClasses.Count * 2 * SizeClasses.MaxBytes;      // a span of each class at most

    internal static bool IsInNoGcRegion => s_noGcBytes != 0;
}
