// Per-P page caches over one page allocator: every page belongs to one owner, and comes back.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using CsCheck;
using Unikernel.Runtime.Mem;
using Xunit;

namespace Unikernel.Tests.Mem;

public unsafe class PageCacheTests
{
    [Fact]
    public void Takes_what_is_free_among_64_aligned_pages()
    {
        using var map = new PageMap(1 << 21);
        map.Grow(100, 100);                             // 100 … 199
        PageCache cache = default;
        Assert.True(cache.IsEmpty);
        Assert.Equal(PageAlloc.None, cache.Alloc(1));
        Assert.True(cache.Fill(map.Pointer));
        Assert.Equal((nuint)28, cache.FreePages);       // 100 … 127
        Assert.Equal((nuint)72, map.Pages.FreePages);
        Assert.Equal((nuint)100, cache.Alloc(3));
        Assert.Equal((nuint)103, cache.Alloc(1));
        Assert.Equal(PageAlloc.None, cache.Alloc(25));
        Assert.Equal((nuint)104, cache.Alloc(24));
        Assert.True(cache.IsEmpty);
        Assert.True(cache.Fill(map.Pointer));
        Assert.Equal((nuint)128, cache.Alloc(64));
        Assert.True(cache.Fill(map.Pointer));
        Assert.Equal((nuint)8, cache.FreePages);        // 192 … 199
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(1));
        cache.Flush(map.Pointer);
        Assert.Equal((nuint)8, map.Pages.FreePages);
        Assert.Equal((nuint)192, map.Pages.Alloc(8));
        Assert.False(cache.Fill(map.Pointer));
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(65UL)]
    [InlineData(ulong.MaxValue)]
    public void Spans_of_no_page_and_of_more_than_64_it_never_has(ulong n)
    {
        using var map = new PageMap(1 << 21);
        map.Grow(0, 1000);
        PageCache cache = default;
        Assert.True(cache.Fill(map.Pointer));
        Assert.Equal(PageAlloc.None, cache.Alloc((nuint)n));
        Assert.Equal((nuint)64, cache.FreePages);
    }

    // Steps: which cache, what (flush, free a span, allocate), how many pages.
    [Fact]
    public void No_page_has_two_owners_and_none_is_lost() =>
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 9], Gen.Int[1, 70]).Array[0, 400].Sample(steps =>
        {
            const int first = 500;
            const int count = 700;
            using var map = new PageMap(1 << 21);
            map.Grow(first, count);
            PageCache* caches = (PageCache*)NativeMemory.AllocZeroed(3, (nuint)sizeof(PageCache));
            var owned = new HashSet<nuint>();
            var spans = new Queue<(nuint Page, nuint N)>();
            foreach ((int which, int what, int pages) in steps)
            {
                nuint n = (nuint)pages;
                ref PageCache cache = ref caches[which];
                if (what == 0)
                {
                    cache.Flush(map.Pointer);
                }
                else if (what <= 3 && spans.TryDequeue(out (nuint Page, nuint N) span))
                {
                    map.Pages.Free(span.Page, span.N);
                    Assert.All(Enumerable.Range(0, (int)span.N), i => Assert.True(owned.Remove(span.Page + (nuint)i)));
                }
                else
                {
                    if (cache.IsEmpty)
                    {
                        _ = cache.Fill(map.Pointer);
                    }
                    nuint page = cache.Alloc(n);
                    page = page == PageAlloc.None ? map.Pages.Alloc(n) : page;
                    if (page != PageAlloc.None)
                    {
                        Assert.InRange(page, (nuint)first, first + count - n);
                        Assert.All(Enumerable.Range(0, pages), i => Assert.True(owned.Add(page + (nuint)i)));
                        spans.Enqueue((page, n));
                    }
                }
                nuint cached = caches[0].FreePages + caches[1].FreePages + caches[2].FreePages;
                Assert.Equal((nuint)count, map.Pages.FreePages + cached + (nuint)owned.Count);
                Assert.True(map.Pages.CheckInvariants(first, count, out nuint bits));
                Assert.Equal(bits, map.Pages.FreePages);
            }
            for (int i = 0; i < 3; i++)
            {
                caches[i].Flush(map.Pointer);
            }
            foreach ((nuint page, nuint n) in spans)
            {
                map.Pages.Free(page, n);
            }
            Assert.True(map.Pages.CheckInvariants(first, count, out nuint free));
            Assert.Equal((nuint)count, free);
            Assert.Equal((nuint)first, map.Pages.Alloc(count));
            NativeMemory.Free(caches);
        }, iter: 100);
}
