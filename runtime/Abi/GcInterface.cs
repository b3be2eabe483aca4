// What System.GC asks of the collector. One generation: it is called 2, the last one.
//
// GI1  A collection is always of the whole heap; modes and generations make no difference but for "non-blocking".
// Context: goroutine. Allocates nothing.
using System;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe class GcInterface
{
    private const int MaxGeneration = 2;
    private const int NonBlocking = 1;
    private const long NsPerTick = 100;

    [RuntimeExport("RhpCollect")]
    internal static void Collect(int generation, int mode, int lowMemory)
    {
        if ((mode & NonBlocking) != 0)
        {
            Mgc.CollectInBackground();
        }
        else
        {
            Mgc.Collect();
        }
    }

    [RuntimeExport("RhpStartNoGCRegion")]
    internal static int StartNoGcRegion(long totalSize, int hasLohSize, long lohSize, int disallowFullBlockingGc) =>
        Mgc.StartNoGcRegion(totalSize);

    [RuntimeExport("RhpEndNoGCRegion")]
    internal static int EndNoGcRegion() => Mgc.EndNoGcRegion();

    [RuntimeExport("RhGetMaxGcGeneration")]
    internal static int GetMaxGcGeneration() => MaxGeneration;

    [RuntimeExport("RhGetGeneration")]
    internal static int GetGeneration(void* o) => MaxGeneration;

    [RuntimeExport("RhGetGcCollectionCount")]
    internal static int GetGcCollectionCount(int generation, bool getSpecialGcCount) => (int)GcStats.Cycles;

    [RuntimeExport("RhGetTotalPauseDuration")]
    internal static long GetTotalPauseDuration() => GcStats.PauseTotalNs / NsPerTick;

    [RuntimeExport("RhpGetGcTotalMemory")]
    internal static long GetGcTotalMemory() => Mgc.HeapLive;

    [RuntimeExport("RhGetAllocatedBytesForCurrentThread")]
    internal static long GetAllocatedBytesForCurrentThread() => Mgc.AllocatedByCaller();

    [RuntimeExport("RhGetTotalAllocatedBytes")]
    internal static long GetTotalAllocatedBytes() => Mgc.TotalAllocated();

    [RuntimeExport("RhGetTotalAllocatedBytesPrecise")]
    internal static long GetTotalAllocatedBytesPrecise() => Mgc.TotalAllocated();

    [RuntimeExport("RhIsServerGc")]
    internal static bool IsServerGc() => false;

    [RuntimeExport("RhGetGcLatencyMode")]
    internal static int GetGcLatencyMode() => 1;    // GCLatencyMode.Interactive, the default

    // GCMemoryInfoData: the first three fields are the ones with an answer before a first collection.
    [RuntimeExport("RhGetMemoryInfo")]
    internal static void GetMemoryInfo(long* info, int kind)
    {
        info[0] = (long)Machine.TotalMemory;                             // high memory load threshold
        info[1] = (long)Machine.TotalMemory;                             // total available memory
        info[2] = (long)(Machine.TotalMemory - Machine.FreeMemory);      // memory load
    }

    [RuntimeExport("RhRegisterFrozenSegment")]
    internal static nint RegisterFrozenSegment(void* start, nuint allocatedSize, nuint commitSize, nuint reservedSize) =>
        (nint)start;

    [RuntimeExport("RhUpdateFrozenSegment")]
    internal static void UpdateFrozenSegment(nint segment, void* allocated, void* committed)
    {
    }

    [RuntimeExport("RhRegisterInlinedThreadStaticRoot")]
    internal static void RegisterInlinedThreadStaticRoot(void** root, void* typeManager)
    {
        // The root is the first word of the goroutine's own TLS block, found there by whoever scans goroutines.
        root[2] = typeManager;
    }

    /// <summary>The goroutine's storage for thread statics of types made at run time; the slot starts out null.</summary>
    [RuntimeExport("RhGetThreadStaticStorage")]
    internal static nint* GetThreadStaticStorage() => &Sched.Proc.GetG()->ThreadStatics;

    // Roots in unmanaged-looking frames: nothing moves and nothing is freed, so nobody asks for them.
    [RuntimeExport("RhRegisterForGCReporting")]
    internal static void RegisterForGcReporting(void* registration)
    {
    }

    [RuntimeExport("RhUnregisterForGCReporting")]
    internal static void UnregisterForGcReporting(void* registration)
    {
    }
}

/// <summary>Small runtime structures that live for ever, bumped out of page frames. Null when memory is out.</summary>
internal static unsafe class OffHeap
{
    private const nuint PageBytes = 4096;
    private static SpinLock s_lock;
    private static byte* s_next;                // guarded by s_lock
    private static byte* s_end;

    /// <summary>Zeroed, 16-byte aligned; at most a page.</summary>
    internal static void* Alloc(nuint bytes)
    {
        bytes = (bytes + 15) & ~(nuint)15;
        if (bytes > PageBytes)
        {
            return null;
        }
        s_lock.Acquire();
        if ((nuint)(s_end - s_next) < bytes)
        {
            s_next = (byte*)Machine.AllocPage();
            s_end = s_next == null ? null : s_next + PageBytes;
        }
        byte* p = s_next;
        s_next = p == null ? null : p + bytes;
        s_lock.Release();
        return p;
    }
}
