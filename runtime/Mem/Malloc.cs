// Allocation: the slow half of what Abi/Alloc.S does, and what else asks for objects.
//
// ML1  Small objects (up to SizeClasses.MaxBytes with their header word) come from the core's window of their class; larger
//      ones have a span of their own.
// ML2  When memory is out, the caller waits for a whole collection and tries again, twice; then OutOfMemoryException (CoreLib
//      keeps one ready). A size that no machine could give is refused at once.
// ML3  A large object is zeroed in pieces, so that the goroutine can be interrupted. Until its type word is written it is an
//      object without references; it is marked from the start when a cycle marks.
// ML4  An object with a finalizer is registered before its constructor runs.
// ML5  Over the heap's bound (Gc/Mgc.Pace.cs) the caller waits first.
// Context: goroutine at lock depth 0. Allocates: that is what it does. Reference: Go's malloc.go.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Mem;

internal static unsafe class Malloc
{
    private const nuint HeaderBytes = 8;
    private const int ArrayLengthOffset = 8;
    private const nuint ZeroAtOnce = 256 * 1024;
    private const int Tries = 3;

    private static int s_tortured;              // allocations that came here, with GODEBUG=gctorture; atomic

    /// <summary>The fast path found no room: an object of <paramref name="bytes"/>, its header word included.</summary>
    [RuntimeExport("AbiAllocSlow")]
    internal static void* AllocSlow(MethodTable* type, nuint bytes, nuint length)
    {
        int sizeClass = SizeClasses.ClassOf(bytes);
        bool isNoScan = !type->HasPointers;
        int torture = GoDebug.Settings.GcTorture;
        if (torture != 0 && Interlocked.Increment(ref s_tortured) % torture == 0)
        {
            Mgc.Torture();
        }
        if (Mgc.IsFull)
        {
            Mgc.WaitForRoom();
        }
        for (int i = 0; i < Tries; i++)
        {
            byte* p = sizeClass == 0 ? Large(bytes, isNoScan) : Small(sizeClass, isNoScan, type, length);
            if (p != null)
            {
                if (sizeClass == 0)
                {
                    Write(p, type, length);
                }
                return p;
            }
            if (bytes > Machine.TotalMemory || i == Tries - 1)
            {
                break;
            }
            Mgc.Collect();
        }
        Fail(type);
        return null;
    }

    [MayAlloc("memory is out, and no lock is held: goes to the class library's OutOfMemoryException")]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fail(MethodTable* type) => FailedAllocation(type, false);

    private static void Write(byte* p, MethodTable* type, nuint length)
    {
        if (type->ComponentSize != 0)
        {
            *(int*)(p + ArrayLengthOffset) = (int)length;
        }
        Volatile.Write(ref *(nuint*)p, (nuint)type);
    }

    private static byte* Small(int sizeClass, bool isNoScan, MethodTable* type, nuint length)
    {
        MCache* c = ThisCore.Acquire()->Cache;
        AllocWindow* w = MCache.Window(c, sizeClass, isNoScan);
        byte* p = w->Ptr;
        if (p + w->SlotBytes > w->Limit)
        {
            if (!MCache.Open(c, sizeClass, isNoScan))
            {
                ThisCore.Release();
                return null;
            }
            p = w->Ptr;
        }
        w->Ptr = p + w->SlotBytes;
        Write(p, type, length);
        ThisCore.Release();
        return p;
    }

    // ML3
    private static byte* Large(nuint bytes, bool isNoScan)
    {
        if (bytes > Machine.TotalMemory)
        {
            return null;
        }
        nuint pages = (bytes + MHeap.PageBytes - 1) >> MHeap.PageShift;
        MCache* c = ThisCore.Acquire()->Cache;
        MSpan* s = Sweeper.AllocLarge(c, pages, isNoScan);
        if (s == null)
        {
            ThisCore.Release();
            return null;
        }
        byte* p = s->Base + HeaderBytes;
        *(nuint*)p = 0;
        if (Mgc.IsMarking)
        {
            _ = MarkBits.TrySet(p);
        }
        s->SweptCycle = Mgc.Cycle;
        s->FreeIndex = 1;
        s->Taken = 1;
        Volatile.Write(ref *(byte*)&s->State, (byte)SpanState.InUse);
        MCache.Count(c, (long)(pages << MHeap.PageShift));
        Mgc.OnAllocate(c, pages << MHeap.PageShift);
        byte* at = s->Base;
        byte* end = at + bytes;
        bool needsZero = s->NeedsZero;
        ThisCore.Release();
        while (needsZero && at < end)
        {
            nuint n = (nuint)(end - at) < ZeroAtOnce ? (nuint)(end - at) : ZeroAtOnce;
            Cpu.MemSet(at, 0, n);
            at += n;
        }
        return p;
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

    [RuntimeExport("RhpNewFinalizable")]
    internal static void* NewFinalizable(MethodTable* type)
    {
        void* p = NewFast(type);
        if (p != null && !Finalizers.Register((byte*)p))
        {
            Fail(type);
        }
        return p;
    }

    [RuntimeExport("RhAllocateNewObject")]
    internal static void AllocateNewObject(MethodTable* type, uint flags, void** result)
    {
        _ = flags;                                  // where to allocate: nothing moves, so every object is pinned
        *result = type->HasFinalizer ? NewFinalizable(type) : NewFast(type);
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
}
