// Slow half of allocation: the assembly in Alloc.S bumps a pointer, this refills it.
//
// HA1  There is no collector yet: memory handed out is never taken back. When it runs out,
//      OutOfMemoryException is thrown (CoreLib keeps one ready).
// HA2  Chunks are zeroed by Machine.GrowHeap and adjacent chunks are joined, so large objects waste nothing.
// Context: goroutine. Allocates: that is what it does.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Abi;

internal static unsafe class Allocation
{
    private const nuint ChunkBytes = 256 * 1024;
    private const nuint PageBytes = 4096;
    private const nuint HeaderBytes = 8;
    private const int ArrayLengthOffset = 8;

    private static long s_chunks;           // bytes ever taken from the machine; atomic

    /// <summary>Bytes handed out to objects since boot; approximate while other cores allocate.</summary>
    internal static long AllocatedBytes
    {
        get
        {
            long n = Atomic.Load(ref s_chunks);
            for (int i = 0; i < Machine.CoresStarted; i++)
            {
                CoreState* cs = CoreState.Of(Machine.CoreAt(i));
                n -= cs->AllocLimit - cs->AllocPointer;
            }
            return n;
        }
    }

    /// <summary>
    /// Makes room for <paramref name="bytes"/> and allocates; returns through the throw helper when memory is out.
    /// </summary>
    [RuntimeExport("AbiAllocSlow")]
    internal static void* AllocSlow(MethodTable* type, nuint bytes, nuint length)
    {
        CoreState* cs = ThisCore.Acquire();
        byte* p = Reserve(cs, bytes);
        if (p == null)
        {
            ThisCore.Release();
            FailedAllocation(type, false);
            return null;
        }
        *(MethodTable**)p = type;
        if (length != 0 || type->ComponentSize != 0)
        {
            *(int*)(p + ArrayLengthOffset) = (int)length;
        }
        ThisCore.Release();
        return p;
    }

    private static byte* Reserve(CoreState* cs, nuint bytes)
    {
        if (bytes > nuint.MaxValue / 2)
        {
            return null;
        }
        nuint want = bytes + HeaderBytes;
        if (cs->AllocPointer != null && bytes <= (nuint)(cs->AllocLimit - cs->AllocPointer))
        {
            byte* here = cs->AllocPointer;              // the core changed since the fast path looked
            cs->AllocPointer += bytes;
            return here;
        }
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
        Atomic.Add(ref s_chunks, (long)chunk);
        byte* pointer = cs->AllocPointer;
        if (pointer == null || start != cs->AllocLimit)
        {
            pointer = start + HeaderBytes;              // what is left of the old window is lost
        }
        cs->AllocLimit = start + chunk;                 // HA2; the limit is exclusive of nothing: headers lie before objects
        cs->AllocPointer = pointer + bytes;
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
