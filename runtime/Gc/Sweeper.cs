// Sweeping: after a cycle each span takes its marks over, and those without any are given back.
//
// SW1  Spans are swept in chunks of their numbers; a chunk belongs to whoever moved s_next over it. A span that is made
//      while this goes on counts as swept (its SweptCycle is the present one).
// SW2  Everybody sweeps: an allocation that finds no span with room, the driver in the background, and who wants a
//      cycle to begin finishes first.
// SW3  It takes a few dozen instructions a span: counting bits is all there is to do.
// Context: lock depth raised. Allocates nothing. Reference: Go's mgcsweep.go.
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe class Sweeper
{
    private const uint ChunkSpans = 64;

    private static uint s_next;                 // atomic
    private static uint s_end;                  // changed with the world stopped
    private static uint s_done;                 // spans seen to; atomic
    private static long s_liveBytes;            // of slots found taken; atomic
    private static long s_liveObjects;          // atomic

    /// <summary>Whether the last cycle's spans are all swept.</summary>
    internal static bool IsDone => Atomic.Load(ref s_done) >= s_end;

    /// <summary>Bytes of slots that hold objects; whole once IsDone.</summary>
    internal static long LiveBytes => Atomic.Load(ref s_liveBytes);

    /// <summary>How many objects that are.</summary>
    internal static long LiveObjects => Atomic.Load(ref s_liveObjects);

    /// <summary>World stopped: marking has ended.</summary>
    internal static void Begin()
    {
        s_liveBytes = 0;
        s_liveObjects = 0;
        s_next = 0;
        s_done = 0;
        s_end = MHeap.SpanCount;
    }

    /// <summary>Sweeps a chunk; false when all are taken by somebody already.</summary>
    internal static bool SweepSome()
    {
        uint first = Atomic.Load(ref s_next);
        do
        {
            if (first >= s_end)
            {
                return false;
            }
        }
        while (!TakeChunk(ref first));
        uint end = first + ChunkSpans < s_end ? first + ChunkSpans : s_end;
        long live = 0;
        long objects = 0;
        for (uint i = first; i < end; i++)
        {
            MSpan* s = MHeap.SpanAt(i);
            if (Volatile.Read(ref *(byte*)&s->State) == (byte)SpanState.InUse && s->SweptCycle != Mgc.Cycle)
            {
                uint taken = Sweep(s);
                live += (long)(taken * s->SlotBytes);
                objects += taken;
            }
        }
        Atomic.Add(ref s_liveBytes, live);
        Atomic.Add(ref s_liveObjects, objects);
        Interlocked.Add(ref s_done, end - first);
        return true;
    }

    private static bool TakeChunk(ref uint first)
    {
        if (Atomic.Swap(ref s_next, first, first + ChunkSpans))
        {
            return true;
        }
        first = Atomic.Load(ref s_next);
        return false;
    }

    // Slots taken; of a span that was given back 0, and it may be another one's by then.
    private static uint Sweep(MSpan* s)
    {
        uint taken = MarkBits.Count(s);
        MarkBits.ClearOther(s);
        if (taken == 0)
        {
            if (Mgc.Poisons)
            {
                Poison(s);
            }
            MHeap.FreeSpan(s);
            return 0;
        }
        s->NeedsZero = true;
        s->Taken = taken;
        s->FreeIndex = s->Magic == 0 ? 1u : 0;
        s->SweptCycle = Mgc.Cycle;
        if (Mgc.Poisons)
        {
            Poison(s);
        }
        if (taken < s->Slots)
        {
            MCentral.Put(s);
        }
        return taken;
    }

    // GODEBUG=clobberfree=1: whoever still uses a freed object is to notice.
    private static void Poison(MSpan* s)
    {
        for (uint i = 0; i < s->Slots; i++)
        {
            byte* p = s->ObjectAt(i);
            if (!MarkBits.IsSet(p))
            {
                Cpu.MemSet(p - 8, 0xDB, s->SlotBytes);
            }
        }
    }

    /// <summary>A span for a large object, whose pages sweeping may have to free first.</summary>
    internal static MSpan* AllocLarge(MCache* c, nuint pages, bool isNoScan)
    {
        nuint swept = 0;
        while (swept < pages && SweepSome())
        {
            swept += ChunkSpans;                // roughly as much as is taken, as Go's proportional sweep
        }
        MSpan* s = MHeap.AllocSpan(c, 0, isNoScan, pages);
        while (s == null && SweepSome())
        {
            s = MHeap.AllocSpan(c, 0, isNoScan, pages);
        }
        return s;
    }

    /// <summary>Goroutine: sweeps what there is, and waits for chunks that others have.</summary>
    internal static void Finish()
    {
        bool more = true;
        while (more || !IsDone)
        {
            ThisCore.Acquire();
            more = SweepSome();
            ThisCore.Release();
            if (!more && !IsDone)
            {
                Proc.Gosched();
            }
        }
    }
}
