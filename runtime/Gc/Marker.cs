// Marking: what is reachable gets its bit, and its references are followed.
//
// MK1  Grey(p) takes a reference: null, an object of the heap, or one outside it (frozen in the image). Guess(word) takes any
//      word of a stack: it may point to, or one past, any place of an object, or be no pointer at all.
// MK2  An object is pushed by whoever set its bit; one without references is only marked.
// MK3  Objects are scanned by their type's description (GCDesc): series of references, or, in arrays of structures, a
//      pattern repeated for each element. An object is scanned while others may write to it: whatever is written is
//      shaded by the barrier, so either value will do.
// MK4  Arrays are scanned in pieces of PieceBytes, so that no step takes long; in larger ones when there would be more
//      than an entry can count.
// MK5  What is popped waits in a short queue while its memory is fetched: most objects are not in the cache.
// MK6  Which bitmap is meant is a type parameter (IMarks): the compiler makes the code once for each, without calls.
// Context: lock depth raised. Allocates nothing but work buffers. Reference: Go's mgcmark.go; CoreCLR's gcdesc.h for
// the format.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

/// <summary>Where marks go (MK6).</summary>
internal unsafe interface IMarks
{
    /// <summary>Marks an object; whether it was not.</summary>
    static abstract bool TrySet(byte* p);
}

/// <summary>The marks of the cycle.</summary>
internal readonly unsafe struct CycleMarks : IMarks
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TrySet(byte* p) => MarkBits.TrySet(p);
}

internal static unsafe class Marker
{
    private const nuint PieceBytes = 2 * 1024;
    private const nuint MostPieces = 1 << (64 - PieceShift);
    private const int PieceShift = 48;
    private const int CheckEvery = 32;              // objects
    private const long CheckBytes = 2 * 1024;
    private const int Fetched = 8;

    /// <summary>Marks an object, if it is one of the heap's, and queues it for scanning (MK1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Grey(GcWork* work, byte* p) => Grey<CycleMarks>(work, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Grey<T>(GcWork* work, byte* p)
        where T : struct, IMarks
    {
        nuint offset = (nuint)(p - MHeap.Base);
        if (offset < MHeap.RangeBytes && T.TrySet(p) && MHeap.KindOfObject(offset >> MHeap.PageShift) == PageKind.Scan)
        {
            work->Push((ulong)p & ((1UL << PieceShift) - 1));
        }
    }

    /// <summary>Marks what a word of a stack may point to (MK1).</summary>
    internal static void Guess(GcWork* work, byte* word) => Guess<CycleMarks>(work, word);

    internal static void Guess<T>(GcWork* work, byte* word)
        where T : struct, IMarks
    {
        if ((nuint)(word - MHeap.Base) >= MHeap.RangeBytes)
        {
            return;
        }
        if (((nuint)(word - MHeap.Base) & (MHeap.PageBytes - 1)) == 0)
        {
            MSpan* before = MHeap.SpanOf(word - 1);         // one past the end of the page before
            if (before != null && before->Limit == word)
            {
                GreySlot<T>(work, before, before->Slots - 1);
            }
        }
        MSpan* s = MHeap.SpanOf(word);
        if (s == null)
        {
            return;
        }
        uint slot = s->SlotOf(word);
        if (slot >= s->Slots)
        {
            if (word == s->Limit)
            {
                GreySlot<T>(work, s, s->Slots - 1);
            }
            return;
        }
        GreySlot<T>(work, s, slot);
        if (slot != 0 && word == s->Base + (slot * s->SlotBytes))
        {
            GreySlot<T>(work, s, slot - 1);
        }
    }

    private static void GreySlot<T>(GcWork* work, MSpan* s, uint slot)
        where T : struct, IMarks
    {
        byte* p = s->ObjectAt(slot);
        if (Volatile.Read(ref *(byte*)&s->State) == (byte)SpanState.InUse && MarkBits.IsTaken(s, slot)
            && (*(nuint*)p != 0 || s->Magic == 0) && T.TrySet(p) && !s->IsNoScan)
        {
            work->Push((ulong)p & ((1UL << PieceShift) - 1));
        }
    }

    /// <summary>Every word from <paramref name="lo"/> to <paramref name="hi"/> may be a reference.</summary>
    internal static void GuessRange<T>(GcWork* work, byte* lo, byte* hi)
        where T : struct, IMarks
    {
        byte* heap = MHeap.Base;
        nuint range = MHeap.RangeBytes;
        byte** at = (byte**)(((nuint)lo + 7) & ~(nuint)7);
        byte** end = (byte**)hi;
        Vector256<ulong> heaps = Vector256.Create((ulong)heap);
        Vector256<ulong> ranges = Vector256.Create((ulong)range);
        for (; at + 4 <= end; at += 4)
        {
            // Most words are no pointers into the heap: four are looked at in one step.
            if (Vector256.LessThanAny(Vector256.Load((ulong*)at) - heaps, ranges))
            {
                GuessIfInside<T>(work, at[0], heap, range);
                GuessIfInside<T>(work, at[1], heap, range);
                GuessIfInside<T>(work, at[2], heap, range);
                GuessIfInside<T>(work, at[3], heap, range);
            }
        }
        for (; at < end; at++)
        {
            GuessIfInside<T>(work, *at, heap, range);
        }
    }

    /// <summary>Every word of the image's data may be a reference, if it was ever written. How many bytes that was.</summary>
    internal static long GuessData<T>(GcWork* work)
        where T : struct, IMarks
    {
        Startup.DataRange(out byte* from, out byte* end);
        long bytes = 0;
        for (; Machine.FindWritten(ref from, end, out byte* to); from = to)
        {
            GuessRange<T>(work, from, to);
            bytes += to - from;
        }
        return bytes;
    }

    private static void GuessIfInside<T>(GcWork* work, byte* word, byte* heap, nuint range)
        where T : struct, IMarks
    {
        if ((nuint)(word - heap) < range)
        {
            Guess<T>(work, word);
        }
    }

    /// <summary>
    /// Scans until there is nothing left, the time is <paramref name="untilNs"/>, or this core has something else to look
    /// at (<paramref name="heedsLook"/>). True when nothing was left.
    /// </summary>
    internal static bool Drain(CoreState* cs, long untilNs, bool heedsLook)
    {
        GcWork* work = &cs->Cache->Work;
        ulong* fetched = stackalloc ulong[Fetched];             // MK5
        int waiting = 0;
        uint at = 0;
        int count = 0;
        long checkAt = work->ScannedBytes + CheckBytes;
        while (true)
        {
            ulong entry = 0;
            if (waiting == Fetched || !work->TryPop(out entry))
            {
                if (waiting == 0)
                {
                    break;
                }
                waiting--;
                ulong first = fetched[(at - (uint)waiting - 1) % Fetched];
                Scan<CycleMarks>(work, AddressOf(first), PieceNumber(first));
            }
            if (entry != 0)
            {
                Sse.Prefetch0(AddressOf(entry));
                fetched[at++ % Fetched] = entry;
                waiting++;
                continue;
            }
            if (++count >= CheckEvery || work->ScannedBytes >= checkAt)
            {
                count = 0;
                checkAt = work->ScannedBytes + CheckBytes;
                if ((heedsLook && Atomic.Load(ref cs->Look) != 0) || Machine.NanoTime() >= untilNs)
                {
                    for (; waiting != 0; waiting--)
                    {
                        work->Push(fetched[(at - (uint)waiting) % Fetched]);
                    }
                    work->Flush();
                    return false;
                }
                if (Proc.HasIdleCores)
                {
                    work->Share();
                }
            }
        }
        work->Flush();
        return true;
    }

    internal static byte* AddressOf(ulong entry) => (byte*)((long)(entry << (64 - PieceShift)) >> (64 - PieceShift));

    internal static nuint PieceNumber(ulong entry) => (nuint)(entry >> PieceShift);

    internal static void Scan<T>(GcWork* work, byte* p, nuint piece)
        where T : struct, IMarks
    {
        MethodTable* type = *(MethodTable**)p;
        if (type == null || !type->HasPointers)
        {
            return;
        }
        nuint bytes = type->BaseSize;
        if (type->ComponentSize != 0)
        {
            bytes += *(uint*)(p + 8) * (nuint)type->ComponentSize;
        }
        nint series = ((nint*)type)[-1];
        if (series > 0)
        {
            ScanSeries<T>(work, p, type, series, bytes, piece);
        }
        else
        {
            ScanStructures<T>(work, p, type, series, piece);
        }
    }

    // Series i lies i * 16 bytes below the count: length less the object's size, then offset in the object.
    private static void ScanSeries<T>(GcWork* work, byte* p, MethodTable* type, nint series, nuint bytes, nuint piece)
        where T : struct, IMarks
    {
        byte* from = p;
        byte* end = p + bytes;
        if (bytes > PieceBytes)
        {
            nuint most = PieceOf(bytes);
            if (piece == 0)
            {
                PushPieces(work, p, (bytes + most - 1) / most);
            }
            from = p + (piece * most);
            end = from + most < end ? from + most : end;
        }
        work->ScannedBytes += end - from;
        nint* at = (nint*)type - 1;
        for (nint i = 0; i < series; i++)
        {
            at -= 2;
            byte* first = p + at[1];
            byte* last = first + at[0] + (nint)bytes;
            first = first < from ? from : first;
            last = last > end ? end : last;
            for (; first < last; first += 8)
            {
                Grey<T>(work, *(byte**)first);
            }
        }
    }

    // Below the count: offset of the first element's references; then, downwards, pairs of how many references and how
    // many bytes to leave out behind them. Together they are as long as an element.
    private static void ScanStructures<T>(GcWork* work, byte* p, MethodTable* type, nint series, nuint piece)
        where T : struct, IMarks
    {
        nuint count = *(uint*)(p + 8);
        nuint most = PieceOf(count * type->ComponentSize);
        nuint atOnce = most > type->ComponentSize ? most / type->ComponentSize : 1;
        nuint from = 0;
        if (count > atOnce)
        {
            if (piece == 0)
            {
                PushPieces(work, p, (count + atOnce - 1) / atOnce);
            }
            from = piece * atOnce;
            count = from + atOnce < count ? from + atOnce : count;
        }
        work->ScannedBytes += (long)((count - from) * type->ComponentSize);
        byte* at = p + ((nint*)type)[-2] + (from * type->ComponentSize);
        uint* pattern = (uint*)((byte*)type - 24);
        for (; from < count; from++)
        {
            for (nint i = 0; i > series; i--)
            {
                uint references = pattern[i * 2];
                uint skip = pattern[(i * 2) + 1];
                for (uint k = 0; k < references; k++, at += 8)
                {
                    Grey<T>(work, *(byte**)at);
                }
                at += skip;
            }
        }
    }

    private static nuint PieceOf(nuint bytes)
    {
        nuint most = PieceBytes;
        while (bytes / most >= MostPieces / 2)      // half: a piece of structures is a little smaller
        {
            most *= 2;
        }
        return most;
    }

    private static void PushPieces(GcWork* work, byte* p, nuint pieces)
    {
        for (nuint i = 1; i < pieces; i++)
        {
            work->Push(((ulong)p & ((1UL << PieceShift) - 1)) | ((ulong)i << PieceShift));
        }
    }

    /// <summary>Scans every marked object once more: some were marked without being queued (WB3).</summary>
    internal static void Rescan(GcWork* work, MSpan* s)
    {
        if (Volatile.Read(ref *(byte*)&s->State) != (byte)SpanState.InUse || s->IsNoScan)
        {
            return;
        }
        for (uint i = 0; i < s->Slots; i++)
        {
            byte* p = s->ObjectAt(i);
            if (MarkBits.IsSet(p))
            {
                Scan<CycleMarks>(work, p, 0);
            }
        }
    }
}
