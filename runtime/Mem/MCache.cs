// A core's allocation cache: for each size class a window of free, zeroed slots to bump through.
//
// MA1  Ptr is where the next object's type word goes; the slots from there to Limit are free, zero, and this core's alone.
//      The assembly fast path (Abi/Alloc.S) bumps Ptr by SlotBytes; Open makes the next window of the same span.
// MA2  A window takes at most WindowBytes, so that what is zeroed is soon used. Its span's FreeIndex is its end: no other
//      window of that span is open.
// MA3  While a cycle marks, a window's slots are marked when it opens: objects are born black.
// MA4  With the world stopped the caches are emptied: what is left of a window is free again.
// Context: the owning core with its lock depth raised; Flush with the world stopped. Reference: Go's mcache.go.
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Mem;

/// <summary>One class with one kind of contents. Layout known to Abi.inc.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AllocWindow
{
    internal byte* Ptr;
    internal byte* Limit;               // Ptr + SlotBytes <= Limit while a slot is free
    internal nuint SlotBytes;           // immutable
    internal MSpan* Span;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MCache
{
    internal const int WindowBytes = 8192;

    /// <summary>Class of i * 8 bytes, i up to 255. At offset 0: Abi.inc.</summary>
    internal fixed byte Classes[SizeClasses.SmallTableBytes];

    // [class * 2 + has references], 32 bytes each; at offset 256: Abi.inc.
    private fixed ulong _windows[SizeClasses.Count * 2 * 4];

    /// <summary>What this core marks with.</summary>
    internal GcWork Work;

    /// <summary>Pages of the heap that this core alone takes from.</summary>
    internal PageCache Pages;

    /// <summary>Unused span structures of this core.</summary>
    internal MSpan* Structures;

    /// <summary>Bytes of windows and large objects this core has allocated, or can in its open windows.</summary>
    internal long AllocatedBytes;

    /// <summary>What the barrier has shaded and not yet handed on: Abi.inc's shade pointer goes through it.</summary>
    internal fixed ulong Shaded[ShadeBuffer.Length];

    internal static AllocWindow* Window(MCache* c, int sizeClass, bool isNoScan) =>
        (AllocWindow*)&c->_windows[0] + (sizeClass * 2) + (isNoScan ? 0 : 1);

    /// <summary>The calling core's first: makes its cache.</summary>
    internal static MCache* Make(int core)
    {
        MCache* c = (MCache*)MHeap.CacheMemory(core, (nuint)sizeof(MCache));
        if (c == null)
        {
            Throw.Fatal("out of memory for a core's allocation cache"u8);
        }
        SizeClasses.CopySmallTable(&c->Classes[0]);
        for (int k = 1; k < SizeClasses.Count; k++)
        {
            Window(c, k, true)->SlotBytes = SizeClasses.SizeOf(k);
            Window(c, k, false)->SlotBytes = SizeClasses.SizeOf(k);
        }
        return c;
    }

    /// <summary>The next window of the class: of its span, or of another one. False when memory is out.</summary>
    internal static bool Open(MCache* c, int sizeClass, bool isNoScan)
    {
        AllocWindow* w = Window(c, sizeClass, isNoScan);
        while (true)
        {
            if (w->Span != null && OpenNext(w))
            {
                Count(c, w->Limit - w->Ptr);
                return true;
            }
            w->Span = null;
            w->Ptr = null;
            w->Limit = null;
            MSpan* s = MCentral.Take(c, sizeClass, isNoScan);
            if (s == null)
            {
                return false;
            }
            w->Span = s;
            Mgc.OnAllocate(c, (s->Slots - s->Taken) * s->SlotBytes);
        }
    }

    /// <summary>Counts bytes that the goroutine on this core takes.</summary>
    internal static void Count(MCache* c, long bytes)
    {
        c->AllocatedBytes += bytes;
        Proc.GetG()->AllocatedBytes += bytes;
    }

    /// <summary>Bytes of open windows that no object has yet. Any core's: read while it may allocate, so about right.</summary>
    internal static long UnusedBytes(MCache* c)
    {
        long bytes = 0;
        for (int i = 2; i < SizeClasses.Count * 2; i++)
        {
            AllocWindow* w = (AllocWindow*)&c->_windows[0] + i;
            long unused = w->Limit - w->Ptr;
            bytes += unused > 0 && unused <= SizeClasses.MaxBytes ? unused : 0;
        }
        return bytes;
    }

    private static bool OpenNext(AllocWindow* w)
    {
        MSpan* s = w->Span;
        uint from = s->FreeIndex;
        uint slots = s->Slots;
        bool isMixed = s->Taken != 0;                       // else all slots from FreeIndex on are free
        while (isMixed && from < slots && MarkBits.IsTaken(s, from))
        {
            from++;
        }
        if (from == slots)
        {
            s->FreeIndex = slots;
            return false;
        }
        uint most = WindowBytes / (uint)s->SlotBytes;
        most = most == 0 || GoDebug.Settings.GcTorture != 0 ? 1 : most;     // torture: every allocation comes here
        uint to = isMixed ? from + 1 : from + most < slots ? from + most : slots;
        while (isMixed && to < slots && to - from < most && !MarkBits.IsTaken(s, to))
        {
            to++;
        }
        byte* start = s->Base + (from * s->SlotBytes);
        if (s->NeedsZero)
        {
            Cpu.MemSet(start, 0, (to - from) * s->SlotBytes);
        }
        if (Mgc.IsMarking)
        {
            MarkBits.SetSlots(s, from, to, true);           // MA3
        }
        Atomic.Store(ref s->FreeIndex, to);                 // after the zeroing: a marker may look
        w->Ptr = start + 8;
        w->Limit = start + ((to - from) * s->SlotBytes) + 8;
        return true;
    }

    /// <summary>World stopped: MA4. <paramref name="unmark"/>: a cycle has just marked, and what is left was marked by Open.</summary>
    internal static void Flush(MCache* c, bool unmark)
    {
        MHeap.FlushPages(c);
        for (int i = 2; i < SizeClasses.Count * 2; i++)
        {
            AllocWindow* w = (AllocWindow*)&c->_windows[0] + i;
            MSpan* s = w->Span;
            if (s == null)
            {
                continue;
            }
            if (w->Ptr != null)
            {
                uint end = s->FreeIndex;
                uint first = s->SlotOf(w->Ptr - 8);
                first = w->Ptr >= w->Limit ? end : first;
                c->AllocatedBytes -= w->Limit - w->Ptr;
                if (unmark)
                {
                    MarkBits.SetSlots(s, first, end, false);
                }
                s->FreeIndex = first;
            }
            w->Ptr = null;
            w->Limit = null;
            w->Span = null;
            if (!unmark)
            {
                MCentral.Put(s);
            }
        }
    }
}
