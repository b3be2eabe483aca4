// Segments of frozen objects that the class library makes at run time (types): outside the heap, never freed, but they may
// refer to objects of the heap.
//
// FZ1  A segment is scanned from its start to what is allocated in it, word by word. The image's own frozen objects are part
//      of its data (Startup.DataRange).
// FZ2  The list only grows; a segment is complete before it is on it.
// Context: goroutine; Guess with the lock depth raised. Allocates: off-heap.
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Gc;

internal static unsafe class Frozen
{
    private struct Segment
    {
        internal Segment* Next;
        internal byte* Start;
        internal ulong End;                 // atomic
    }

    private static ulong s_first;           // Segment*; atomic

    /// <summary>The handle of the segment; 0 when memory is out.</summary>
    internal static nint Register(byte* start, nuint bytes)
    {
        Segment* s = (Segment*)OffHeap.Alloc((nuint)sizeof(Segment));
        if (s == null)
        {
            return 0;
        }
        s->Start = start;
        s->End = (ulong)(start + bytes);
        ulong first;
        do
        {
            first = Atomic.Load(ref s_first);
            s->Next = (Segment*)first;
        }
        while (!Atomic.Swap(ref s_first, first, (ulong)s));
        return (nint)s;
    }

    internal static void Update(nint segment, byte* allocated) => Volatile.Write(ref ((Segment*)segment)->End, (ulong)allocated);

    internal static void Guess<T>(GcWork* work)
        where T : struct, IMarks
    {
        for (Segment* s = (Segment*)Atomic.Load(ref s_first); s != null; s = s->Next)
        {
            Marker.GuessRange<T>(work, s->Start, (byte*)Volatile.Read(ref s->End));
        }
    }
}
