// What System.GC asks of the collector. One generation: it is called 2, the last one.
//
// GI1  A collection is always of the whole heap; modes and generations make no difference but for "non-blocking".
// Context: goroutine. Allocates nothing.
using System;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe class GcInterface
{
    private const int MaxGeneration = 2;
    private const int NonBlocking = 1;
    private const long NsPerTick = 100;
    private const int NoGcRegionMode = 4;

    private static int s_latencyMode = 1;       // GCLatencyMode.Interactive, the default; kept, and makes no difference

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
    internal static int GetGcLatencyMode() => Mgc.IsInNoGcRegion ? NoGcRegionMode : s_latencyMode;

    [RuntimeExport("RhSetGcLatencyMode")]
    internal static int SetGcLatencyMode(int mode)
    {
        s_latencyMode = mode;
        return 0;
    }

    // The class library's GCMemoryInfoData: ten longs, two ints, two bools, five generations of four longs, two times.
    [RuntimeExport("RhGetMemoryInfo")]
    internal static void GetMemoryInfo(long* info, int kind)
    {
        const int pauses = 32;
        const int generationInfo = 12;
        info[0] = (long)(Machine.TotalMemory / 10 * 9);                 // high memory load threshold
        info[1] = (long)Machine.TotalMemory;                            // total available memory
        info[2] = (long)(Machine.TotalMemory - Machine.FreeMemory);     // memory load
        info[3] = MHeap.InUseBytes;                                     // heap size
        info[4] = MHeap.InUseBytes - Mgc.HeapLive < 0 ? 0 : MHeap.InUseBytes - Mgc.HeapLive;    // fragmented
        info[5] = MHeap.HeldBytes;                                      // committed
        info[6] = Sweeper.LiveBytes;                                    // promoted
        info[7] = 0;                                                    // pinned objects: nothing moves
        info[8] = Finalizers.Queued;
        info[9] = GcStats.Cycles;                                       // index
        int* ints = (int*)(info + 10);
        ints[0] = MaxGeneration;
        long up = Machine.NanoTime();
        ints[1] = up == 0 ? 0 : (int)(GcStats.PauseTotalNs * 10000 / up);       // hundredths of a per cent
        byte* bools = (byte*)(info + 11);
        bools[0] = 0;                                                   // compacted
        bools[1] = GoDebug.Settings.GcStopTheWorld == 0 ? (byte)1 : (byte)0;
        long* last = info + generationInfo + (MaxGeneration * 4);
        last[2] = MHeap.InUseBytes;                                     // size after
        info[pauses] = GcStats.PauseAt(0) / NsPerTick;
        info[pauses + 1] = GcStats.PauseAt(1) / NsPerTick;
    }

    [RuntimeExport("RhRegisterFrozenSegment")]
    internal static nint RegisterFrozenSegment(void* start, nuint allocatedSize, nuint commitSize, nuint reservedSize) =>
        Frozen.Register((byte*)start, allocatedSize);

    [RuntimeExport("RhUpdateFrozenSegment")]
    internal static void UpdateFrozenSegment(nint segment, byte* allocated, void* committed) => Frozen.Update(segment, allocated);

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
