// The page allocator: which 8 KiB pages of the heap are free. First fit, lowest address; spans of any length.
//
// PA1  A bit per page, 1 = free. Zeroed memory is "not ours or allocated": nothing is written before Grow.
// PA2  Chunks of 512 pages have a summary (PageSummary) each; five levels of summaries, the lowest of chunks, eight
//      nodes under one of the level above, the top scanned in order. Every summary is that of its bits.
// PA3  No page below _low is free.
// PA4  Only the 64-byte groups (of bits, of sibling summaries) that cover a page once given to Grow are read or written,
//      and the top level. Who grows commits what CoverOf names first; the rest may be unmapped.
// Cost: a search reads at most 8 summaries a level, and 8 bytes for every 16 GiB; a change writes one summary a level and
// one for every 4 MiB of the span. Summaries take 8 bytes for 4 MiB (1 TiB: 2.3 MiB, of which 293 KiB are above the
// chunks'), bits 1 byte for 64 KiB.
// Context: anywhere; the caller holds the lock that guards it. Allocates nothing. Reference: Go's mpagealloc.go.
using System.Numerics;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Mem;

internal unsafe struct PageAlloc
{
    internal static nuint None => nuint.MaxValue;
    internal const int Levels = 5;
    internal const int BitmapLevel = Levels;        // for CoverOf
    internal const int ChunkShift = 9;

    private const int FanOutShift = 3;
    private const int FanOut = 1 << FanOutShift;
    private const int Leaf = Levels - 1;
    private const int WordShift = 6;
    private const nuint WordPages = 1 << WordShift;
    private const int ChunkWords = 1 << (ChunkShift - WordShift);
    private const nuint GroupBytes = 64;            // a chunk's bits; the summaries under one node

    private fixed ulong _levels[Levels];            // PageSummary*; immutable after Init
    private ulong* _bits;                           // immutable after Init
    private nuint _maxPages;                        // immutable after Init
    private nuint _low;                             // PA3

    /// <summary>Pages that could be allocated, if not in one span.</summary>
    internal nuint FreePages { get; private set; }

    /// <summary>Bytes of bitmap that <see cref="Init"/> needs.</summary>
    internal static nuint BitmapBytes(nuint maxPages) => Entries(Leaf, maxPages) * GroupBytes;

    /// <summary>Bytes of summaries that <see cref="Init"/> needs.</summary>
    internal static nuint SummaryBytes(nuint maxPages) => LevelOffset(Levels, maxPages);

    /// <summary>Bytes at the start of the summaries without the lowest level: little enough to be committed at once.</summary>
    internal static nuint UpperSummaryBytes(nuint maxPages) => LevelOffset(Leaf, maxPages);

    /// <summary>Bytes at the start of the summaries that must be readable before anything else: the top level.</summary>
    internal static nuint TopSummaryBytes(nuint maxPages) => LevelOffset(1, maxPages);

    // Log2 of the pages that a summary of the level stands for.
    private static int Shift(int level) => ChunkShift + (FanOutShift * (Leaf - level));

    // Rounded up to whole groups.
    private static nuint Entries(int level, nuint maxPages)
    {
        nuint n = (maxPages + ((nuint)1 << Shift(level)) - 1) >> Shift(level);
        return (n + FanOut - 1) & ~(nuint)(FanOut - 1);
    }

    private static nuint LevelOffset(int level, nuint maxPages)
    {
        nuint bytes = 0;
        for (int l = 0; l < level; l++)
        {
            bytes += Entries(l, maxPages) * (nuint)sizeof(PageSummary);
        }
        return bytes;
    }

    /// <summary>
    /// No page is ours yet. Both memories are zeroed (or will be, when committed: PA4) and 64-byte aligned.
    /// </summary>
    internal void Init(byte* bitmap, byte* summaries, nuint maxPages)
    {
        this = default;
        _bits = (ulong*)bitmap;
        _maxPages = maxPages;
        for (int l = 0; l < Levels; l++)
        {
            _levels[l] = (ulong)(summaries + LevelOffset(l, maxPages));
        }
    }

    /// <summary>
    /// The bytes [<paramref name="from"/>, <paramref name="to"/>) that pages [page, page + n) need: of the summaries at
    /// levels 0 … <see cref="Levels"/> - 1, of the bitmap at <see cref="BitmapLevel"/>. n is not 0.
    /// </summary>
    internal readonly void CoverOf(int level, nuint page, nuint n, out nuint from, out nuint to)
    {
        int groupShift = level == BitmapLevel ? ChunkShift : Shift(level) + FanOutShift;
        nuint offset = level == BitmapLevel ? 0 : LevelOffset(level, _maxPages);
        from = offset + ((page >> groupShift) * GroupBytes);
        to = offset + ((((page + n - 1) >> groupShift) + 1) * GroupBytes);
    }

    /// <summary>Pages [page, page + n) become ours, and free. Their cover is committed (PA4).</summary>
    internal void Grow(nuint page, nuint n)
    {
        if (!TryFree(page, n))
        {
            Throw.Fatal("page allocator: grows by pages it has"u8);
        }
    }

    /// <summary>The lowest span of <paramref name="n"/> free pages is taken; its first page, or <see cref="None"/>.</summary>
    internal nuint Alloc(nuint n)
    {
        if (n == 0 || n > FreePages)
        {
            return None;
        }
        nuint page = Find(n);
        if (page != None)
        {
            SetBits(page, n, false);
            FreePages -= n;
            if (n == 1 || page == _low)
            {
                _low = page + n;
            }
            Summarize(page, n);
        }
        return page;
    }

    /// <summary>Gives back pages, not necessarily as they were allocated.</summary>
    internal void Free(nuint page, nuint n)
    {
        if (!TryFree(page, n))
        {
            Throw.Fatal("page allocator: free of pages that are free"u8);
        }
    }

    /// <summary>The same; false, and nothing is changed, when one of the pages is free already or out of range.</summary>
    internal bool TryFree(nuint page, nuint n)
    {
        if (page > _maxPages || n > _maxPages - page || !AreBits(page, n, false))
        {
            return false;
        }
        if (n != 0)
        {
            SetBits(page, n, true);
            FreePages += n;
            _low = page < _low ? page : _low;
            Summarize(page, n);
        }
        return true;
    }

    /// <summary>Takes all free pages of the first 64 aligned ones that have any; the first of the 64, or <see cref="None"/>.</summary>
    internal nuint Take64(out ulong bits)
    {
        nuint page = FreePages == 0 ? None : Find(1);
        bits = 0;
        if (page == None)
        {
            return None;
        }
        page &= ~(WordPages - 1);
        ulong* word = _bits + (page >> WordShift);
        bits = *word;
        *word = 0;
        FreePages -= (nuint)BitOperations.PopCount(bits);
        _low = page + WordPages;
        Summarize(page, WordPages);
        return page;
    }

    /// <summary>Gives back some of 64 aligned pages; bit i is page + i.</summary>
    internal void Give64(nuint page, ulong bits)
    {
        ulong* word = _bits + (page >> WordShift);
        if ((*word & bits) != 0)
        {
            Throw.Fatal("page allocator: a page cache gives back pages that are free"u8);
        }
        if (bits != 0)
        {
            *word |= bits;
            FreePages += (nuint)BitOperations.PopCount(bits);
            nuint first = page + (nuint)BitOperations.TrailingZeroCount(bits);
            _low = first < _low ? first : _low;
            Summarize(page, WordPages);
        }
    }

    /// <summary>Whether the page is free; it was given to <see cref="Grow"/> once.</summary>
    internal readonly bool IsFree(nuint page) => ((_bits[page >> WordShift] >> (int)(page & (WordPages - 1))) & 1) != 0;

    private readonly PageSummary* Level(int level) => (PageSummary*)_levels[level];

    // The lowest n free pages in a row. At each level: either they begin before a node and end in it (or begin with it),
    // or they lie inside the first node with a run as long, and the search goes on among its children.
    private readonly nuint Find(nuint n)
    {
        nuint from = 0;
        nuint to = (_maxPages + ((nuint)1 << Shift(0)) - 1) >> Shift(0);
        for (int level = 0; level < Levels; level++)
        {
            PageSummary* nodes = Level(level);
            int shift = Shift(level);
            nuint run = 0;                          // free pages right before the node
            nuint at = _low >> shift;               // PA3
            at = at > from ? at : from;
            for (; at < to; at++)
            {
                PageSummary s = nodes[at];
                if (s.IsNone)
                {
                    run = 0;
                    continue;
                }
                nuint start = s.Start;
                if (run + start >= n)
                {
                    return (at << shift) - run;
                }
                if (s.Max >= n)
                {
                    break;
                }
                run = start == (nuint)1 << shift ? run + start : s.End;
            }
            if (at >= to)
            {
                return None;                        // level 0 only: below, the parent's summary has promised it (PA2)
            }
            from = at << FanOutShift;
            to = from + FanOut;
        }
        return FindInChunk(from >> FanOutShift, n);
    }

    private readonly nuint FindInChunk(nuint chunk, nuint n)
    {
        ulong* words = _bits + (chunk * ChunkWords);
        nuint run = 0;
        for (nuint i = 0; i < ChunkWords; i++)
        {
            ulong x = words[i];
            nuint low = (nuint)BitOperations.TrailingZeroCount(~x);
            if (run + low >= n)
            {
                return (chunk << ChunkShift) + (i << WordShift) - run;
            }
            if (low == WordPages)
            {
                run += WordPages;
                continue;
            }
            ulong starts = n < WordPages ? PageSummary.RunsOf(x, (int)n) : 0;
            if (starts != 0)
            {
                return (chunk << ChunkShift) + (i << WordShift) + (nuint)BitOperations.TrailingZeroCount(starts);
            }
            run = (nuint)BitOperations.LeadingZeroCount(~x);
        }
        return None;
    }

    // The bits of word w that stand for pages [page, end).
    private static ulong MaskOf(nuint w, nuint page, nuint end)
    {
        nuint first = w << WordShift;
        ulong mask = ulong.MaxValue;
        if (page > first)
        {
            mask <<= (int)(page - first);
        }
        return end < first + WordPages ? mask & (ulong.MaxValue >> (int)(first + WordPages - end)) : mask;
    }

    private readonly bool AreBits(nuint page, nuint n, bool free)
    {
        nuint end = page + n;
        ulong flip = free ? ulong.MaxValue : 0;
        for (nuint w = page >> WordShift; w << WordShift < end; w++)
        {
            if (((_bits[w] ^ flip) & MaskOf(w, page, end)) != 0)
            {
                return false;
            }
        }
        return true;
    }

    private readonly void SetBits(nuint page, nuint n, bool free)
    {
        nuint end = page + n;
        for (nuint w = page >> WordShift; w << WordShift < end; w++)
        {
            ulong mask = MaskOf(w, page, end);
            _bits[w] = free ? _bits[w] | mask : _bits[w] & ~mask;
        }
    }

    // PA2 again after the bits of [page, page + n) have changed.
    private readonly void Summarize(nuint page, nuint n)
    {
        nuint last = page + n - 1;
        bool isSame = true;                         // then nothing above changes, either
        PageSummary* nodes = Level(Leaf);
        for (nuint c = page >> ChunkShift; c <= last >> ChunkShift; c++)
        {
            PageSummary s = PageSummary.OfBits(_bits + (c * ChunkWords), ChunkWords);
            isSame &= s.Is(nodes[c]);
            nodes[c] = s;
        }
        for (int level = Leaf - 1; level >= 0 && !isSame; level--)
        {
            PageSummary* children = nodes;
            nodes = Level(level);
            isSame = true;
            for (nuint i = page >> Shift(level); i <= last >> Shift(level); i++)
            {
                PageSummary s = PageSummary.OfChildren(children + (i << FanOutShift), FanOut, Shift(level + 1));
                isSame &= s.Is(nodes[i]);
                nodes[i] = s;
            }
        }
    }

    /// <summary>PA2 and PA3 for pages [page, page + n), all of which are committed (PA4); counts the free ones.</summary>
    internal readonly bool CheckInvariants(nuint page, nuint n, out nuint free)
    {
        free = 0;
        for (nuint p = page; p < page + n; p++)
        {
            free += IsFree(p) ? 1u : 0u;
            if (IsFree(p) && p < _low)
            {
                return false;
            }
        }
        for (int level = 0; level < Levels; level++)
        {
            for (nuint i = page >> Shift(level); n != 0 && i <= (page + n - 1) >> Shift(level); i++)
            {
                PageSummary s = level == Leaf
                    ? PageSummary.OfBits(_bits + (i * ChunkWords), ChunkWords)
                    : PageSummary.OfChildren(Level(level + 1) + (i << FanOutShift), FanOut, Shift(level + 1));
                if (!s.Is(Level(level)[i]))
                {
                    return false;
                }
            }
        }
        return free <= FreePages;
    }
}
