// The insertion barrier: while a cycle marks, whatever reference is stored anywhere but on a stack is shaded.
//
// BA1  Compiled code stores through the helpers of Abi/Alloc.S. While gc_barrier.Active is set they append the new value, if
//      it is not marked, to the core's shade buffer; a full buffer is emptied into the core's grey objects.
// BA2  Nothing is done about the value that is overwritten: compiled code leaves the barrier out when it stores null, so a
//      deletion barrier would miss it (design section 6). Stacks are looked at again instead (Gc/Stacks of the cycle).
// BA3  The helpers are not interrupted, so store and shading are one step to the collector.
// Context: Shade at any lock depth of a goroutine; Flush with the depth raised. Allocates: work buffers.
// Reference: Dijkstra et al. 1978; Go's mbarrier.go, mwbbuf.go.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static class ShadeBuffer
{
    internal const int Length = 64;
}

/// <summary>What the assembly looks at; gc_barrier in Abi/Alloc.S.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BarrierState
{
    internal long Active;
    internal byte* HeapBase;
    internal nuint HeapBytes;
    internal ulong* Marks;
}

internal static unsafe class Barrier
{
    private const nuint BytesAtOnce = 64 * 1024;

#if SIM
    private static BarrierState s_state;        // no assembly looks at it

    private static BarrierState* GetState() => (BarrierState*)Unsafe.AsPointer(ref s_state);
#else
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AbiGetBarrier")]
    private static extern BarrierState* GetState();
#endif

    internal static void Init()
    {
        GetState()->HeapBase = MHeap.Base;
        GetState()->HeapBytes = MHeap.RangeBytes;
    }

    /// <summary>The core's first: gives it its shade buffer.</summary>
    internal static void InitCore(CoreState* cs)
    {
        cs->ShadePtr = &cs->Cache->Shaded[0];
        cs->ShadeEnd = &cs->Cache->Shaded[0] + ShadeBuffer.Length;
    }

    /// <summary>World stopped.</summary>
    internal static void Set(bool active)
    {
        GetState()->Marks = MarkBits.Marks;
        GetState()->Active = active ? 1 : 0;
    }

    /// <summary>Shades an object somebody has stored into a structure of the runtime.</summary>
    internal static void Shade(byte* o)
    {
        if (o == null || !Mgc.IsMarking)
        {
            return;
        }
        CoreState* cs = ThisCore.Acquire();
        if (Mgc.IsMarking)
        {
            Marker.Grey(&cs->Cache->Work, o);
            cs->Cache->Work.Flush();
        }
        ThisCore.Release();
    }

    /// <summary>The same for a pointer into an object.</summary>
    internal static void ShadeInside(byte* p)
    {
        if (!Mgc.IsMarking)
        {
            return;
        }
        CoreState* cs = ThisCore.Acquire();
        if (Mgc.IsMarking)
        {
            Marker.Guess(&cs->Cache->Work, p);
            cs->Cache->Work.Flush();
        }
        ThisCore.Release();
    }

    /// <summary>Empties a core's shade buffer; its own, or any with the world stopped. From the assembly with the lock depth raised.</summary>
    [RuntimeExport("GcFlushShaded")]
    internal static void Flush()
    {
        CoreState* cs = ThisCore.State;
        _ = Flush(cs, &cs->Cache->Work);
        cs->Cache->Work.Flush();
    }

    /// <summary>How many it held.</summary>
    internal static int Flush(CoreState* cs, GcWork* work)
    {
        int n = (int)(cs->ShadePtr - &cs->Cache->Shaded[0]);
        for (int i = 0; i < n; i++)
        {
            Marker.Grey(work, (byte*)cs->Cache->Shaded[i]);
        }
        cs->ShadePtr = &cs->Cache->Shaded[0];
        return n;
    }

    /// <summary>
    /// memmove of memory that may hold references, when it is long or a cycle marks: in pieces, each copied and shaded in
    /// one step. In between the goroutine may be interrupted.
    /// </summary>
    [RuntimeExport("GcBulkMove")]
    internal static void BulkMove(byte* to, byte* from, nuint bytes)
    {
        bool isForward = to <= from;
        while (bytes != 0)
        {
            nuint n = bytes < BytesAtOnce ? bytes : BytesAtOnce;
            nuint offset = isForward ? 0 : bytes - n;
            CoreState* cs = ThisCore.Acquire();
            Cpu.MemMove(to + offset, from + offset, n);
            if (Mgc.IsMarking)
            {
                GcWork* work = &cs->Cache->Work;
                for (byte** at = (byte**)(to + offset); at < (byte**)(to + offset + n); at++)
                {
                    Marker.Guess(work, *at);        // between the references of structures lies anything
                }
                work->Flush();
            }
            ThisCore.Release();
            if (isForward)
            {
                to += n;
                from += n;
            }
            bytes -= n;
        }
    }
}
