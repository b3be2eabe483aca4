// A P's own pages: the free ones of 64 aligned pages, taken from the page allocator at once, so that small spans need no lock.
//
// PC1  Bit i of the mask = page _base + i is free and this cache's; the page allocator counts it as allocated.
// PC2  It is filled when it is empty. When Alloc finds no run in what there is, the page allocator is asked for the span:
//      filling again would only bring the same pages back.
// Context: the owner's core with its lock depth raised; Fill and Flush also hold the page allocator's lock. Allocates
// nothing. Reference: Go's mpagecache.go.
using System.Numerics;

namespace Unikernel.Runtime.Mem;

/// <summary>Zeroed memory is an empty cache.</summary>
internal unsafe struct PageCache
{
    /// <summary>Spans up to so many pages are worth asking it for; longer ones seldom fit and would empty it.</summary>
    internal const nuint MaxSpanPages = 16;

    private nuint _base;
    private ulong _free;

    internal readonly bool IsEmpty => _free == 0;

    internal readonly nuint FreePages => (nuint)BitOperations.PopCount(_free);

    /// <summary>The lowest span of 1 … 64 pages in it; the first page, or <see cref="PageAlloc.None"/>.</summary>
    internal nuint Alloc(nuint n)
    {
        if (n is 0 or > 64)
        {
            return PageAlloc.None;
        }
        ulong starts = PageSummary.RunsOf(_free, (int)n);
        if (starts == 0)
        {
            return PageAlloc.None;
        }
        int at = BitOperations.TrailingZeroCount(starts);
        _free &= ~((ulong.MaxValue >> (64 - (int)n)) << at);
        return _base + (nuint)at;
    }

    /// <summary>Gives back what it has and takes the lowest pages there are; false when there are none.</summary>
    internal bool Fill(PageAlloc* pages)
    {
        Flush(pages);
        nuint page = pages->Take64(out ulong bits);
        if (page == PageAlloc.None)
        {
            return false;
        }
        _base = page;
        _free = bits;
        return true;
    }

    /// <summary>Gives back what it has.</summary>
    internal void Flush(PageAlloc* pages)
    {
        if (_free != 0)
        {
            pages->Give64(_base, _free);
            _free = 0;
        }
    }
}
