// malloc for the class library (NativeMemory, Marshal.AllocHGlobal, its own tables) and for this Pal.
//
// PM1  Blocks up to 2016 bytes come from slabs: a page frame with this header, then equal blocks of one size class. A
//      class keeps the list of its slabs that have room; an empty slab goes back to the machine unless it is the last.
// PM2  Larger blocks are runs of whole pages behind the same header. Free runs are kept in address order and merged
//      with their neighbours; they stay here (Machine.GrowHeap never takes anything back).
// PM3  Every block lies behind a header at the start of its (first) page: Free finds it by rounding down. A pointer
//      whose header is not ours is a broken invariant, not an error code. Blocks are 16-byte aligned.
// PM4  The aligned family over-allocates and keeps the block's address in the word before the result.
// Context: goroutine; nothing here parks. Allocates: off-heap only, usable before the class library is up.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Memory
{
    internal const nuint PageBytes = 4096;

    private const nuint HeaderBytes = 48;
    private const nuint GrowBytes = 64 * PageBytes;
    private const nuint LargestSmall = 2016;
    private const nuint FineBytes = 128;            // up to here a class every 16 bytes
    private const int Classes = 21;
    private const int LargeClass = 255;
    private const uint Magic = 0x51ab51ab;

    private static ReadOnlySpan<ushort> ClassBytes =>
        [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 672, 800, 1008, 1344, 2016];

    [StructLayout(LayoutKind.Sequential, Size = (int)HeaderBytes)]
    private struct Header
    {
        internal uint Magic;
        internal int Class;
        internal Header* Next;      // slabs of a class that have room, or free runs
        internal Header* Previous;  // slabs only
        internal void** Free;       // blocks given back, linked through their first word
        internal nuint Fresh;       // offset of the first block never handed out; of a run: its bytes
        internal nuint Used;        // blocks handed out
    }

    [InlineArray(Classes)]
    private struct PerClass
    {
        private nuint _first;
    }

    private static SpinLock s_lock;                 // guards all of it
    private static PerClass s_withRoom;             // Header* a class
    private static Header* s_runs;                  // free runs, by address

    [RuntimeExport("SystemNative_Malloc")]
    internal static void* Malloc(nuint bytes)
    {
        s_lock.Acquire(LockRank.NativeMemory);
        void* p = Take(bytes);
        s_lock.Release();
        return p;
    }

    private static void* Take(nuint bytes)
    {
        if (bytes > LargestSmall)
        {
            return bytes > nuint.MaxValue / 2 ? null : Large((bytes + HeaderBytes + PageBytes - 1) & ~(PageBytes - 1));
        }
        int c = ClassOf(bytes);
        Header* slab = (Header*)s_withRoom[c];
        if (slab == null)
        {
            slab = (Header*)Machine.AllocPage();
            if (slab == null)
            {
                return null;
            }
            slab->Magic = Magic;
            slab->Class = c;
            slab->Fresh = HeaderBytes;
            Link(slab);
        }
        void* p = slab->Free;
        if (p != null)
        {
            slab->Free = (void**)*slab->Free;
        }
        else
        {
            p = (byte*)slab + slab->Fresh;
            slab->Fresh += ClassBytes[c];
        }
        slab->Used++;
        if (IsFull(slab))
        {
            Unlink(slab);
        }
        return p;
    }

    [RuntimeExport("SystemNative_Free")]
    internal static void Free(void* p)
    {
        if (p == null)
        {
            return;
        }
        s_lock.Acquire(LockRank.NativeMemory);
        Give(p);
        s_lock.Release();
    }

    private static void Give(void* p)
    {
        Header* h = HeaderOf(p);
        if (h->Class == LargeClass)
        {
            FreeRun(h);
            return;
        }
        bool wasFull = IsFull(h);
        *(void**)p = h->Free;
        h->Free = (void**)p;
        h->Used--;
        if (wasFull)
        {
            Link(h);
        }
        else if (h->Used == 0 && (h->Next != null || h->Previous != null))
        {
            Unlink(h);
            Machine.FreePage(h);
        }
    }

    [RuntimeExport("SystemNative_Calloc")]
    internal static void* Calloc(nuint count, nuint size)
    {
        if (size != 0 && count > nuint.MaxValue / 2 / size)
        {
            return null;
        }
        void* p = Malloc(count * size);
        if (p != null)
        {
            NativeMemory.Clear(p, count * size);
        }
        return p;
    }

    [RuntimeExport("SystemNative_Realloc")]
    internal static void* Realloc(void* p, nuint bytes)
    {
        if (p == null)
        {
            return Malloc(bytes);
        }
        nuint old = UsableBytes(p);
        if (bytes <= old && bytes >= old / 2)
        {
            return p;
        }
        void* q = Malloc(bytes);
        if (q != null)
        {
            NativeMemory.Copy(p, q, old < bytes ? old : bytes);
            Free(p);
        }
        return q;
    }

    [RuntimeExport("SystemNative_AlignedAlloc")]
    internal static void* AlignedAlloc(nuint alignment, nuint bytes)
    {
        if (bytes > nuint.MaxValue / 4 || alignment > nuint.MaxValue / 4)
        {
            return null;
        }
        byte* p = (byte*)Malloc(bytes + alignment + (nuint)sizeof(void*));
        if (p == null)
        {
            return null;
        }
        byte* aligned = (byte*)(((nuint)p + (nuint)sizeof(void*) + alignment - 1) & ~(alignment - 1));
        ((void**)aligned)[-1] = p;
        return aligned;
    }

    [RuntimeExport("SystemNative_AlignedFree")]
    internal static void AlignedFree(void* p)
    {
        if (p != null)
        {
            Free(((void**)p)[-1]);
        }
    }

    [RuntimeExport("SystemNative_AlignedRealloc")]
    internal static void* AlignedRealloc(void* p, nuint alignment, nuint bytes)
    {
        void* q = AlignedAlloc(alignment, bytes);
        if (p == null || q == null)
        {
            return q;
        }
        byte* start = (byte*)((void**)p)[-1];
        nuint old = UsableBytes(start) - (nuint)((byte*)p - start);
        NativeMemory.Copy(p, q, old < bytes ? old : bytes);
        AlignedFree(p);
        return q;
    }

    private static int ClassOf(nuint bytes)
    {
        if (bytes <= FineBytes)
        {
            return bytes == 0 ? 0 : (int)((bytes - 1) / 16);
        }
        int c = (int)(FineBytes / 16);
        while (ClassBytes[c] < bytes)
        {
            c++;
        }
        return c;
    }

    private static Header* HeaderOf(void* p)
    {
        Header* h = (Header*)((nuint)p & ~(PageBytes - 1));
        if (h->Magic != Magic)
        {
            Throw.Fatal("free of memory that was not allocated"u8);
        }
        return h;
    }

    private static nuint UsableBytes(void* p)
    {
        Header* h = HeaderOf(p);
        return h->Class == LargeClass ? h->Fresh - HeaderBytes : ClassBytes[h->Class];
    }

    private static bool IsFull(Header* slab) => slab->Free == null && slab->Fresh + ClassBytes[slab->Class] > PageBytes;

    private static void Link(Header* slab)
    {
        Header* first = (Header*)s_withRoom[slab->Class];
        slab->Previous = null;
        slab->Next = first;
        if (first != null)
        {
            first->Previous = slab;
        }
        s_withRoom[slab->Class] = (nuint)slab;
    }

    private static void Unlink(Header* slab)
    {
        if (slab->Previous == null)
        {
            s_withRoom[slab->Class] = (nuint)slab->Next;
        }
        else
        {
            slab->Previous->Next = slab->Next;
        }
        if (slab->Next != null)
        {
            slab->Next->Previous = slab->Previous;
        }
        slab->Next = null;
        slab->Previous = null;
    }

    private static void* Large(nuint bytes)
    {
        Header* h = TakeRun(bytes);
        if (h == null)
        {
            nuint want = bytes > GrowBytes ? bytes : GrowBytes;
            Header* grown = (Header*)Machine.GrowHeap(want);
            if (grown == null && want > bytes)
            {
                want = bytes;
                grown = (Header*)Machine.GrowHeap(want);
            }
            if (grown == null)
            {
                grown = (Header*)Mem.MHeap.GiveAway(want);
            }
            if (grown == null)
            {
                return null;
            }
            grown->Fresh = want;
            FreeRun(grown);
            h = TakeRun(bytes);
        }
        h->Magic = Magic;
        h->Class = LargeClass;
        return (byte*)h + HeaderBytes;
    }

    // First fit; the rest of the run stays free.
    private static Header* TakeRun(nuint bytes)
    {
        Header* previous = null;
        for (Header* run = s_runs; run != null; previous = run, run = run->Next)
        {
            if (run->Fresh < bytes)
            {
                continue;
            }
            Header* next = run->Next;
            if (run->Fresh > bytes)
            {
                Header* rest = (Header*)((byte*)run + bytes);
                rest->Fresh = run->Fresh - bytes;
                rest->Next = next;
                next = rest;
            }
            if (previous == null)
            {
                s_runs = next;
            }
            else
            {
                previous->Next = next;
            }
            run->Fresh = bytes;
            return run;
        }
        return null;
    }

    private static void FreeRun(Header* run)
    {
        run->Magic = 0;
        Header* previous = null;
        Header* next = s_runs;
        while (next != null && next < run)
        {
            previous = next;
            next = next->Next;
        }
        if (next != null && (byte*)run + run->Fresh == (byte*)next)
        {
            run->Fresh += next->Fresh;
            next = next->Next;
        }
        run->Next = next;
        if (previous == null)
        {
            s_runs = run;
        }
        else if ((byte*)previous + previous->Fresh == (byte*)run)
        {
            previous->Fresh += run->Fresh;
            previous->Next = next;
        }
        else
        {
            previous->Next = run;
        }
    }
}
