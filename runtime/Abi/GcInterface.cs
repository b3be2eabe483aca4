// What System.GC asks for, as far as it can be answered without a collector.
//
// Asking for a collection is refused by name (PlatformNotSupportedException): nothing would be collected.
// Registering for finalization succeeds and never comes due: no object is ever found dead.
using System;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe class GcInterface
{
    private const int MaxGeneration = 2;

    private static PlatformNotSupportedException NoCollector() =>
        new("There is no garbage collector in this release: memory is never freed.");

    [RuntimeExport("RhpCollect")]
    internal static void Collect(int generation, int mode, int lowMemory) => throw NoCollector();

    [RuntimeExport("RhpStartNoGCRegion")]
    internal static int StartNoGcRegion(long totalSize, int hasLohSize, long lohSize, int disallowFullBlockingGc) =>
        throw NoCollector();

    [RuntimeExport("RhpEndNoGCRegion")]
    internal static int EndNoGcRegion() => throw NoCollector();

    [RuntimeExport("RhWaitForPendingFinalizers")]
    internal static void WaitForPendingFinalizers(int allowReentrantWait) => throw NoCollector();

    [RuntimeExport("RhpWaitForFinalizerRequest")]
    internal static uint WaitForFinalizerRequest() => throw NoCollector();

    [RuntimeExport("RhpSignalFinalizationComplete")]
    internal static void SignalFinalizationComplete(uint count, int observedFullGcCount) => throw NoCollector();

    [RuntimeExport("RhpGetNextFinalizableObject")]
    internal static void* GetNextFinalizableObject() => null;

    [RuntimeExport("RhSuppressFinalize")]
    internal static void SuppressFinalize(void* o)
    {
    }

    [RuntimeExport("RhReRegisterForFinalize")]
    internal static bool ReRegisterForFinalize(void* o) => true;

    [RuntimeExport("RhGetMaxGcGeneration")]
    internal static int GetMaxGcGeneration() => MaxGeneration;

    [RuntimeExport("RhGetGeneration")]
    internal static int GetGeneration(void* o) => 0;

    [RuntimeExport("RhGetGcCollectionCount")]
    internal static int GetGcCollectionCount(int generation, bool getSpecialGcCount) => 0;

    [RuntimeExport("RhGetLastGCStartTime")]
    internal static long GetLastGcStartTime(int generation) => 0;

    [RuntimeExport("RhGetLastGCDuration")]
    internal static long GetLastGcDuration(int generation) => 0;

    [RuntimeExport("RhGetTotalPauseDuration")]
    internal static long GetTotalPauseDuration() => 0;

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

    // Objects outlive everything here, so every handle kind is a plain slot.
    [RuntimeExport("RhpHandleAlloc")]
    internal static void** HandleAlloc(void* o, int type) => AllocHandle(o, null);

    [RuntimeExport("RhpHandleAllocDependent")]
    internal static void** HandleAllocDependent(void* primary, void* secondary) => AllocHandle(primary, secondary);

    private static SpinLock s_handlesLock;
    private static void** s_freeHandles;        // guarded by s_handlesLock

    private static void** AllocHandle(void* o, void* secondary)
    {
        s_handlesLock.Acquire();
        void** h = s_freeHandles;
        if (h != null)
        {
            s_freeHandles = (void**)h[0];
        }
        s_handlesLock.Release();
        if (h == null)
        {
            h = (void**)OffHeap.Alloc(2 * (nuint)sizeof(void*));
            if (h == null)
            {
                return null;
            }
        }
        h[0] = o;
        h[1] = secondary;
        return h;
    }

    [RuntimeExport("RhHandleFree")]
    internal static void HandleFree(void** handle)
    {
        s_handlesLock.Acquire();
        handle[0] = s_freeHandles;
        s_freeHandles = handle;
        s_handlesLock.Release();
    }

    [RuntimeExport("RhHandleGet")]
    internal static void* HandleGet(void** handle) => handle[0];

    [RuntimeExport("RhHandleSet")]
    internal static void HandleSet(void** handle, void* o) => handle[0] = o;

    [RuntimeExport("RhHandleGetDependent")]
    internal static void* HandleGetDependent(void** handle, void** secondary)
    {
        *secondary = handle[1];
        return handle[0];
    }

    [RuntimeExport("RhHandleSetDependentSecondary")]
    internal static void HandleSetDependentSecondary(void** handle, void* secondary) => handle[1] = secondary;
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
