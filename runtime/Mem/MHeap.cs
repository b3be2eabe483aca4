// The heap: spans of pages, and the tables over its range of addresses.
//
// MH1  The heap's pieces lie between Base and the machine's HeapLimit. Tables are indexed by the distance from Base and lie
//      in the machine's table region; what covers a piece is committed before the piece is used.
// MH2  SpanOf(page) is the span a page belongs to, or null; KindOf(page) says in a byte what a marker needs to know.
//      Both are written before a span's first object is published and cleared before its pages are free.
// MH3  s_lock guards the page allocator and the list of unused span structures.
// MH4  Spans are numbered: the sweeper walks them by number (Gc/Sweeper.cs).
// Context: lock depth raised. Allocates: pages of the machine. Reference: Go's mheap.go.
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Mem;

/// <summary>What KindOf says about a page.</summary>
internal static class PageKind
{
    internal const byte None = 0;
    internal const byte NoScan = 1;
    internal const byte Scan = 2;
}

internal static unsafe class MHeap
{
    internal const int PageShift = 13;
    internal const nuint PageBytes = Machine.HeapPageBytes;

    private const nuint GrowPages = 128;                // 1 MiB
    private const int StructuresAtOnce = 16;
    private const ulong MaxBytes = 1UL << 40;           // what the tables have room for

    // The table region's parts.
    private const ulong BitsBytes = MaxBytes >> (MarkBits.BytesPerBitShift + 3);
    private const ulong FirstBits = Machine.TableRegionBase;
    private const ulong SecondBits = FirstBits + BitsBytes;
    private const ulong SpanTable = SecondBits + BitsBytes;
    private const ulong KindTable = SpanTable + ((MaxBytes >> PageShift) * 8);
    private const ulong SpanStructures = KindTable + (MaxBytes >> PageShift);
    private const ulong PageBitmap = SpanStructures + ((MaxBytes >> PageShift) * 64);
    private const ulong PageSummaries = PageBitmap + (MaxBytes >> PageShift);
    private const ulong Caches = PageSummaries + (1UL << 32);
    private const ulong CheckBits = Caches + (1UL << 32);

    private static SpinLock s_lock;
    private static PageAlloc s_pages;                   // guarded by s_lock
    private static MSpan* s_unused;                     // guarded by s_lock
    private static uint s_spanCount;                    // written with s_lock held; atomic
    private static nuint s_committedSpans;              // bytes of span structures; guarded by s_lock
    private static ulong s_freshFrom;                   // no page from here on was ever used; atomic
    private static byte* s_base;
    private static nuint s_bytes;
    private static long s_inUsePages;                   // atomic
    private static long s_heldPages;                    // got from the machine; atomic

    /// <summary>Where indices begin. Immutable after Init.</summary>
    internal static byte* Base => s_base;

    /// <summary>Bytes of the range of addresses. Immutable after Init.</summary>
    internal static nuint RangeBytes => s_bytes;

    /// <summary>Bytes of spans in use.</summary>
    internal static long InUseBytes => Atomic.Load(ref s_inUsePages) << PageShift;

    /// <summary>Bytes got from the machine so far.</summary>
    internal static long HeldBytes => Atomic.Load(ref s_heldPages) << PageShift;

    internal static uint SpanCount => Atomic.Load(ref s_spanCount);

    internal static MSpan* SpanAt(uint number) => (MSpan*)SpanStructures + number;

    /// <summary>Boot context.</summary>
    internal static void Init()
    {
        byte* tables = (byte*)Machine.AllocPage();
        if (tables == null)
        {
            Throw.Fatal("out of memory for the table of size classes"u8);
        }
        SizeClasses.Init(tables);
        s_base = Machine.HeapBase;
        s_bytes = (nuint)(Machine.HeapLimit - s_base);
        if (sizeof(MSpan) != 64 || s_bytes > MaxBytes)
        {
            Throw.Fatal("the machine has more memory than the heap's tables are made for"u8);
        }
        MarkBits.Init((ulong*)FirstBits, (ulong*)SecondBits);
        s_pages.Init((byte*)PageBitmap, (byte*)PageSummaries, s_bytes >> PageShift);
        if (!Commit(PageSummaries, 0, PageAlloc.TopSummaryBytes(s_bytes >> PageShift)))
        {
            Throw.Fatal("out of memory for the heap's tables"u8);
        }
    }

    /// <summary>Memory for a core's allocation cache, zeroed; null when memory is out.</summary>
    internal static void* CacheMemory(int core, nuint bytes)
    {
        byte* p = (byte*)Caches + ((ulong)core << 16);
        return Machine.CommitPages(p, bytes) ? p : null;
    }

    /// <summary>The third bitmap, of GODEBUG=gccheckmark=1.</summary>
    internal static ulong* CheckMarks => (ulong*)CheckBits;

    /// <summary>World stopped: makes the part of the third bitmap that covers a span usable and empties it; false when memory is out.</summary>
    internal static bool ClearCheckMarks(MSpan* s)
    {
        const int shift = PageShift - MarkBits.BytesPerBitShift - 3;
        nuint first = (nuint)(s->Base - s_base) >> PageShift;
        if (!Commit(CheckBits, first << shift, s->Pages << shift))
        {
            return false;
        }
        Cpu.MemSet((byte*)CheckBits + (first << shift), 0, s->Pages << shift);
        return true;
    }

    internal static bool IsInRange(byte* p) => (nuint)(p - s_base) < s_bytes;

    /// <summary>The span of an address in the range, or null.</summary>
    internal static MSpan* SpanOf(byte* p)
    {
        nuint page = (nuint)(p - s_base) >> PageShift;
        return KindOf(page) == PageKind.None ? null : ((MSpan**)SpanTable)[page];
    }

    /// <summary>Of a page whose tables are committed, or whose neighbours' are: any that was ever held.</summary>
    internal static byte KindOf(nuint page) => IsHeld(page) ? ((byte*)KindTable)[page] : PageKind.None;

    /// <summary>The same of a page that an object lies in.</summary>
    internal static byte KindOfObject(nuint page) => ((byte*)KindTable)[page];

    // The tables are committed for pages in between.
    private static nuint s_firstHeld = nuint.MaxValue;      // written with s_lock held; atomic
    private static nuint s_endHeld;

    private static bool IsHeld(nuint page) => page >= s_firstHeld && page < s_endHeld;

    /// <summary>A span for a class of slots, or of <paramref name="pages"/> for a large object (class 0); null when memory is out.</summary>
    internal static MSpan* AllocSpan(MCache* c, int sizeClass, bool isNoScan, nuint pages)
    {
        MSpan* s = c->Structures;
        nuint page = s == null ? PageAlloc.None : c->Pages.Alloc(pages);
        if (page == PageAlloc.None)
        {
            s_lock.Acquire(LockRank.Heap);
            s = s != null ? s : TakeStructures(c);
            page = s == null ? PageAlloc.None : TakePages(c, pages);
            s_lock.Release();
            if (page == PageAlloc.None)
            {
                return null;
            }
        }
        c->Structures = s->Next;
        bool isUsed = !Machine.FreshHeapIsZero || !TakeFresh(page, pages);
        Atomic.Add(ref s_inUsePages, (long)pages);
        s->Base = s_base + (page << PageShift);
        s->Pages = pages;
        s->Next = null;
        s->Class = (byte)sizeClass;
        s->IsNoScan = isNoScan;
        s->SlotBytes = sizeClass == 0 ? pages << PageShift : SizeClasses.SizeOf(sizeClass);
        s->Slots = sizeClass == 0 ? 1 : SizeClasses.SlotsOf(sizeClass);
        s->Magic = sizeClass == 0 ? 0 : SizeClasses.MagicOf(sizeClass);
        s->FreeIndex = 0;
        s->Taken = 0;
        s->NeedsZero = isUsed;
        byte kind = isNoScan ? PageKind.NoScan : PageKind.Scan;
        for (nuint i = 0; i < pages; i++)
        {
            ((MSpan**)SpanTable)[page + i] = s;
            ((byte*)KindTable)[page + i] = kind;
        }
        return s;                               // the caller sets SweptCycle and State
    }

    /// <summary>Gives a span's pages and its structure back. Nobody refers to it; its bits are empty.</summary>
    internal static void FreeSpan(MSpan* s)
    {
        nuint page = (nuint)(s->Base - s_base) >> PageShift;
        for (nuint i = 0; i < s->Pages; i++)
        {
            ((byte*)KindTable)[page + i] = PageKind.None;
        }
        Atomic.Add(ref s_inUsePages, -(long)s->Pages);
        s_lock.Acquire(LockRank.Heap);
        s->State = SpanState.Unused;
        s_pages.Free(page, s->Pages);
        s->Next = s_unused;
        s_unused = s;
        s_lock.Release();
    }

    // Lock held.
    private static nuint TakePages(MCache* c, nuint n)
    {
        if (n <= PageCache.MaxSpanPages && c->Pages.IsEmpty)
        {
            fixed (PageAlloc* pages = &s_pages)
            {
                _ = c->Pages.Fill(pages);
            }
            nuint cached = c->Pages.Alloc(n);
            if (cached != PageAlloc.None)
            {
                return cached;
            }
        }
        nuint page = s_pages.Alloc(n);
        if (page == PageAlloc.None && Grow(n))
        {
            page = s_pages.Alloc(n);
        }
        return page;
    }

    // Whether nobody has had one of these pages before.
    private static bool TakeFresh(nuint page, nuint n)
    {
        ulong from = Atomic.Load(ref s_freshFrom);
        bool isFresh = page >= from;
        while (page + n > from && !Atomic.Swap(ref s_freshFrom, from, (ulong)(page + n)))
        {
            from = Atomic.Load(ref s_freshFrom);
        }
        return isFresh;
    }

    /// <summary>
    /// Pages for another use, which never come back: the machine has none left, and the heap has some to spare. Anything
    /// may be in them; null when there are none.
    /// </summary>
    internal static void* GiveAway(nuint bytes)
    {
        nuint n = (bytes + PageBytes - 1) >> PageShift;
        s_lock.Acquire(LockRank.Heap);
        nuint page = s_pages.Alloc(n);
        s_lock.Release();
        if (page == PageAlloc.None)
        {
            return null;
        }
        _ = TakeFresh(page, n);
        Atomic.Add(ref s_heldPages, -(long)n);
        return s_base + (page << PageShift);
    }

    /// <summary>World stopped: what a core's cache has of free pages goes back, so that it can serve anybody.</summary>
    internal static void FlushPages(MCache* c)
    {
        s_lock.Acquire(LockRank.Heap);
        fixed (PageAlloc* pages = &s_pages)
        {
            c->Pages.Flush(pages);
        }
        s_lock.Release();
    }

    // Lock held.
    private static bool Grow(nuint n)
    {
        if (n > s_bytes >> PageShift)
        {
            return false;
        }
        nuint want = n > GrowPages ? n : GrowPages;
        byte* p = (byte*)Machine.GrowHeap(want << PageShift);
        if (p == null && want > n)
        {
            want = n;
            p = (byte*)Machine.GrowHeap(want << PageShift);
        }
        if (p == null)
        {
            return false;
        }
        nuint page = (nuint)(p - s_base) >> PageShift;
        bool isCovered = Cover(page, want);
        // Holes, and others' pieces in between, are of no kind.
        if (isCovered && s_endHeld != 0 && page > s_endHeld)
        {
            isCovered = Commit(KindTable, s_endHeld, page - s_endHeld);
        }
        else if (isCovered && s_endHeld != 0 && page + want < s_firstHeld)
        {
            isCovered = Commit(KindTable, page + want, s_firstHeld - page - want);
        }
        if (!isCovered)
        {
            return false;                       // the piece is lost, as everything will be soon
        }
        s_firstHeld = page < s_firstHeld ? page : s_firstHeld;
        s_endHeld = page + want > s_endHeld ? page + want : s_endHeld;
        s_pages.Grow(page, want);
        Atomic.Add(ref s_heldPages, (long)want);
        return true;
    }

    // MH1
    private static bool Cover(nuint page, nuint n) =>
        Commit(FirstBits, page << (PageShift - MarkBits.BytesPerBitShift - 3), n << (PageShift - MarkBits.BytesPerBitShift - 3))
        && Commit(SecondBits, page << (PageShift - MarkBits.BytesPerBitShift - 3), n << (PageShift - MarkBits.BytesPerBitShift - 3))
        && Commit(SpanTable, page * 8, n * 8)
        && Commit(KindTable, page, n)
        && CoverPages(page, n);

    // The page allocator's own.
    private static bool CoverPages(nuint page, nuint n)
    {
        bool done = true;
        for (int level = 0; level <= PageAlloc.BitmapLevel && done; level++)
        {
            s_pages.CoverOf(level, page, n, out nuint from, out nuint to);
            done = Commit(level == PageAlloc.BitmapLevel ? PageBitmap : PageSummaries, from, to - from);
        }
        return done;
    }

    /// <summary>Makes the bytes of a table usable.</summary>
    private static bool Commit(ulong table, nuint from, nuint bytes)
    {
        ulong first = (table + from) & ~4095UL;
        ulong end = (table + from + bytes + 4095) & ~4095UL;
        return Machine.CommitPages((void*)first, (nuint)(end - first));
    }

    // Lock held: some for a core without any; the first, or null.
    private static MSpan* TakeStructures(MCache* c)
    {
        for (int i = 0; i < StructuresAtOnce; i++)
        {
            MSpan* s = TakeStructure();
            if (s == null)
            {
                break;
            }
            s->Next = c->Structures;
            c->Structures = s;
        }
        return c->Structures;
    }

    // Lock held.
    private static MSpan* TakeStructure()
    {
        MSpan* s = s_unused;
        if (s != null)
        {
            s_unused = s->Next;
            return s;
        }
        nuint at = s_spanCount * 64;
        if (at == s_committedSpans)
        {
            if (!Machine.CommitPages((byte*)SpanStructures + at, 4096))
            {
                return null;
            }
            s_committedSpans += 4096;
        }
        s = SpanAt(s_spanCount);
        Atomic.Store(ref s_spanCount, s_spanCount + 1);
        return s;
    }
}
