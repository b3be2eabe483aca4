// Slow half of allocation: the assembly in Alloc.S bumps a pointer, this refills it.
//
// HA1  There is no collector yet: memory handed out is never taken back. When it runs out,
//      OutOfMemoryException is thrown (CoreLib keeps one ready).
// HA2  Chunks are zeroed by Machine.GrowHeap and adjacent chunks are joined, so large objects waste nothing.
// Context: goroutine. Allocates: that is what it does.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Abi;

internal static unsafe class Allocation
{
    private const nuint ChunkBytes = 256 * 1024;
    private const nuint PageBytes = 4096;
    private const nuint HeaderBytes = 8;
    private const int ArrayLengthOffset = 8;

    private static nuint s_chunkStart;
    private static nuint s_retired;         // bytes in chunks that are full

    /// <summary>Bytes handed out to objects since boot.</summary>
    internal static long AllocatedBytes =>
        (long)(s_retired + ((nuint)AllocWindow.Current->Pointer - s_chunkStart));

    /// <summary>
    /// Makes room for <paramref name="bytes"/> and allocates; returns through the throw helper when memory is out.
    /// </summary>
    [RuntimeExport("AbiAllocSlow")]
    internal static void* AllocSlow(MethodTable* type, nuint bytes, nuint length)
    {
        byte* p = Reserve(bytes);
        if (p == null)
        {
            FailedAllocation(type, false);
            return null;
        }
        *(MethodTable**)p = type;
        if (length != 0 || type->ComponentSize != 0)
        {
            *(int*)(p + ArrayLengthOffset) = (int)length;
        }
        return p;
    }

    private static byte* Reserve(nuint bytes)
    {
        if (bytes > nuint.MaxValue / 2)
        {
            return null;
        }
        nuint want = bytes + HeaderBytes;
        nuint chunk = want > ChunkBytes ? (want + PageBytes - 1) & ~(PageBytes - 1) : ChunkBytes;
        byte* start = (byte*)Machine.GrowHeap(chunk);
        if (start == null && want < ChunkBytes)
        {
            chunk = (want + PageBytes - 1) & ~(PageBytes - 1);
            start = (byte*)Machine.GrowHeap(chunk);
        }
        if (start == null)
        {
            return null;
        }
        AllocWindow* w = AllocWindow.Current;
        byte* pointer = w->Pointer;
        if (pointer != null && start == w->Limit)
        {
            w->Limit = start + chunk;        // HA2; the limit is exclusive of nothing: headers lie before objects
        }
        else
        {
            s_retired += pointer == null ? 0 : (nuint)pointer - s_chunkStart;
            s_chunkStart = (nuint)(start + HeaderBytes);
            pointer = start + HeaderBytes;
            w->Limit = start + chunk;
        }
        w->Pointer = pointer + bytes;
        return pointer;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("RhExceptionHandling_FailedAllocation")]
    private static extern void FailedAllocation(MethodTable* type, bool isOverflow);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("RhpNewFast")]
    private static extern void* NewFast(MethodTable* type);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("RhpNewArrayFast")]
    private static extern void* NewArrayFast(MethodTable* type, nint length);

    /// <summary>Finalizers do not run while there is no collector to find the object dead.</summary>
    [RuntimeExport("RhpNewFinalizable")]
    internal static void* NewFinalizable(MethodTable* type) => NewFast(type);

    [RuntimeExport("RhAllocateNewObject")]
    internal static void AllocateNewObject(MethodTable* type, uint flags, void** result)
    {
        _ = flags;                                  // where to allocate: there is one heap
        *result = NewFast(type);
    }

    [RuntimeExport("RhAllocateNewArray")]
    internal static void AllocateNewArray(MethodTable* type, uint length, uint flags, void** result)
    {
        _ = flags;
        *result = NewArrayFast(type, (nint)length);
    }

    [RuntimeExport("RhGetGCDescSize")]
    internal static int GetGcDescSize(MethodTable* type)
    {
        if (!type->HasPointers)
        {
            return 0;
        }
        nint series = ((nint*)type)[-1];
        return series > 0 ? (int)(8 + (series * 16)) : (int)(8 + 16 + ((-series - 1) * 8));
    }

    [RuntimeExport("RhpGetGcTotalMemory")]
    internal static long GetGcTotalMemory() => AllocatedBytes;

    [RuntimeExport("RhGetAllocatedBytesForCurrentThread")]
    internal static long GetAllocatedBytesForCurrentThread() => AllocatedBytes;

    [RuntimeExport("RhGetTotalAllocatedBytes")]
    internal static long GetTotalAllocatedBytes() => AllocatedBytes;

    [RuntimeExport("RhGetTotalAllocatedBytesPrecise")]
    internal static long GetTotalAllocatedBytesPrecise() => AllocatedBytes;
}

/// <summary>This core's allocation window: zeroed memory from Pointer to Limit. In the core block, at gs:[64] (Abi.inc).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AllocWindow
{
    internal byte* Pointer;
    internal byte* Limit;

    internal static AllocWindow* Current => (AllocWindow*)Machine.CurrentCore->Runtime;
}
