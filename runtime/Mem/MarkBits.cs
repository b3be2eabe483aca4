// The two bitmaps over the heap: a bit for every 16 bytes, set for the 16 bytes in which an object's type word lies.
//
// MB1  An object takes at least 24 bytes, so no two share a bit; that of a reference is found without its span.
// MB2  Marks are what the present cycle reaches, or the last one has reached; objects made while it marks included.
// MB3  Taken says which slots at or above a span's FreeIndex hold objects (MS2). While a cycle marks, it is the bitmap of the
//      cycle before; when marking has ended, it is Marks, for spans that have been swept.
// MB4  A swept span's bits in the other bitmap are 0. When a cycle begins all spans are swept, so it can mark into that one.
// Context: anywhere. Allocates nothing.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Mem;

internal static unsafe class MarkBits
{
    internal const int BytesPerBitShift = 4;
    internal const int BytesPerWordShift = BytesPerBitShift + 6;

    private static ulong* s_current;        // changed with the world stopped, as the next two
    private static ulong* s_other;
    private static ulong* s_taken;

    /// <summary>The bitmap of marks.</summary>
    internal static ulong* Marks => s_current;

    internal static void Init(ulong* first, ulong* second)
    {
        s_current = first;
        s_other = second;
        s_taken = first;
    }

    /// <summary>World stopped, all spans swept: a new cycle marks into the empty one.</summary>
    internal static void BeginMark()
    {
        ulong* empty = s_other;
        s_other = s_current;
        s_current = empty;
    }

    /// <summary>World stopped, all marked: what is not marked is free, once its span is swept.</summary>
    internal static void EndMark() => s_taken = s_current;

    /// <summary>Whether a slot holds an object, or is part of a window.</summary>
    internal static bool IsTaken(MSpan* s, uint slot)
    {
        if (slot < Volatile.Read(ref s->FreeIndex))
        {
            return true;
        }
        nuint bit = (nuint)(s->ObjectAt(slot) - MHeap.Base) >> BytesPerBitShift;
        return (s_taken[bit >> 6] & (1UL << (int)(bit & 63))) != 0;
    }

    internal static bool IsSet(byte* p)
    {
        nuint bit = (nuint)(p - MHeap.Base) >> BytesPerBitShift;
        return (s_current[bit >> 6] & (1UL << (int)(bit & 63))) != 0;
    }

    /// <summary>
    /// Sets an object's bit; whether it was clear. Of two cores that set it at once both may be told so: the object is
    /// scanned twice then, which is rarer and cheaper than an exchange for every object.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TrySet(byte* p)
    {
        nuint bit = (nuint)(p - MHeap.Base) >> BytesPerBitShift;
        ulong mask = 1UL << (int)(bit & 63);
        ulong* word = s_current + (bit >> 6);
        if ((*word & mask) != 0)
        {
            return false;
        }
        if (RunQueue.IsAlone)
        {
            *word |= mask;                  // nobody else runs
        }
        else
        {
            _ = Interlocked.Or(ref *word, mask);
        }
        return true;
    }

    /// <summary>Sets or clears the bits of slots that only the caller deals with; others may change bits of the same words.</summary>
    internal static void SetSlots(MSpan* s, uint from, uint to, bool value)
    {
        ulong mask = 0;
        nuint at = nuint.MaxValue;
        for (uint i = from; i < to; i++)
        {
            nuint bit = (nuint)(s->ObjectAt(i) - MHeap.Base) >> BytesPerBitShift;
            if (bit >> 6 != at)
            {
                Put(at, mask, value);
                at = bit >> 6;
                mask = 0;
            }
            mask |= 1UL << (int)(bit & 63);
        }
        Put(at, mask, value);
    }

    private static void Put(nuint word, ulong mask, bool value)
    {
        if (mask == 0)
        {
            return;
        }
        if (value)
        {
            Atomic.Or(ref s_current[word], mask);
        }
        else
        {
            Atomic.And(ref s_current[word], ~mask);
        }
    }

    /// <summary>How many objects of a span are marked. A span covers whole words.</summary>
    internal static uint Count(MSpan* s)
    {
        nuint first = (nuint)(s->Base - MHeap.Base) >> BytesPerWordShift;
        if (s->Magic == 0)
        {
            return (uint)(s_current[first] & 1);
        }
        nuint words = s->Pages << (MHeap.PageShift - BytesPerWordShift);
        ulong n = 0;
        for (nuint i = 0; i < words; i++)
        {
            n += (ulong)BitOperations.PopCount(s_current[first + i]);
        }
        return (uint)n;
    }

    /// <summary>Empties a span's bits of the cycle before.</summary>
    internal static void ClearOther(MSpan* s)
    {
        nuint first = (nuint)(s->Base - MHeap.Base) >> BytesPerWordShift;
        nuint words = s->Magic == 0 ? 1 : s->Pages << (MHeap.PageShift - BytesPerWordShift);
        for (nuint i = 0; i < words; i++)
        {
            s_other[first + i] = 0;
        }
    }
}
