// The page allocator against a bool per page: first fit exactly, at the borders of chunks and of every level, with holes.
using System;
using System.Collections.Generic;
using System.Linq;
using CsCheck;
using Unikernel.Runtime.Mem;
using Xunit;

namespace Unikernel.Tests.Mem;

public unsafe class PageAllocTests
{
    private const int Window = 8192;
    private const nuint Root = 1 << 21;             // pages under a node of the top level

    private enum PageState : byte { NotOurs, Free, Allocated }

    // A window of the pages with what they are; the rest is not ours.
    private sealed class Model(nuint first)
    {
        private readonly PageState[] _pages = new PageState[Window];

        internal nuint First { get; } = first;

        internal nuint FreePages => (nuint)_pages.Count(p => p == PageState.Free);

        internal PageState this[int i] => _pages[i];

        internal bool IsAll(int at, int n, PageState state) => _pages.AsSpan(at, n).IndexOfAnyExcept(state) < 0;

        internal void Set(int at, int n, PageState state) => _pages.AsSpan(at, n).Fill(state);

        internal int FirstFit(int n)
        {
            int run = 0;
            for (int i = 0; i < Window; i++)
            {
                run = _pages[i] == PageState.Free ? run + 1 : 0;
                if (run == n)
                {
                    return i + 1 - n;
                }
            }
            return -1;
        }
    }

    // What, where in the window, how many.
    private static readonly Gen<(int, int, int)> s_step = Gen.Select(
        Gen.Int[0, 9], Gen.Int[0, Window - 1],
        Gen.Frequency((4, Gen.Int[1, 20]), (2, Gen.Int[60, 70]), (2, Gen.Int[500, 530]), (1, Gen.Int[1, 3000])));

    // The window begins the memory, straddles a border of every level, ends the memory, lies anywhere.
    private static readonly Gen<nuint> s_first = Gen.OneOf(
        Gen.OneOfConst<nuint>(0, Root - (Window / 2), (4 * Root) - Window, (3 * Root / 8) - 512),
        Gen.ULong[0, (4 * Root) - Window].Select(p => (nuint)p));

    private static string? Play(nuint first, (int What, int At, int N)[] steps)
    {
        using var map = new PageMap(4 * Root);
        ref PageAlloc pages = ref map.Pages;
        var model = new Model(first);
        var spans = new List<(int At, int N)>();
        foreach ((int what, int at, int wanted) in steps)
        {
            if (at % 16 == 0 && Check(ref pages, model) is string wrong)
            {
                return wrong;
            }
            int n = Math.Min(wanted, Window - at);
            switch (what)
            {
                case 0 or 1 when model.IsAll(at, n, PageState.NotOurs):
                    map.Grow(first + (nuint)at, (nuint)n);
                    model.Set(at, n, PageState.Free);
                    break;
                case 2 or 3 when spans.Count > 0:
                    (int freed, int length) = spans[at % spans.Count];
                    spans.RemoveAt(at % spans.Count);
                    if (length > 1 && (at & 1) != 0)        // in two parts
                    {
                        pages.Free(first + (nuint)freed, 1);
                        pages.Free(first + (nuint)freed + 1, (nuint)length - 1);
                    }
                    else
                    {
                        pages.Free(first + (nuint)freed, (nuint)length);
                    }
                    model.Set(freed, length, PageState.Free);
                    break;
                default:
                    int fit = model.FirstFit(wanted);
                    nuint got = pages.Alloc((nuint)wanted);
                    if (got != (fit < 0 ? PageAlloc.None : first + (nuint)fit))
                    {
                        return $"Alloc({wanted}) is {got}, should be {first} + {fit}";
                    }
                    if (fit >= 0)
                    {
                        model.Set(fit, wanted, PageState.Allocated);
                        spans.Add((fit, wanted));
                    }
                    break;
            }
            if (pages.FreePages != model.FreePages)
            {
                return $"{pages.FreePages} pages free, should be {model.FreePages}";
            }
            for (int i = 0; i < Window; i++)
            {
                bool isFree = model[i] == PageState.Free;
                if (model[i] != PageState.NotOurs && pages.IsFree(first + (nuint)i) != isFree)
                {
                    return $"page {i} is {model[i]}";
                }
            }
        }
        return Check(ref pages, model);
    }

    // Grown pages only (PA4), range by range.
    private static string? Check(ref PageAlloc pages, Model model)
    {
        nuint free = 0;
        for (int i = 0; i < Window;)
        {
            int to = i;
            while (to < Window && model[to] != PageState.NotOurs)
            {
                to++;
            }
            if (!pages.CheckInvariants(model.First + (nuint)i, (nuint)(to - i), out nuint here))
            {
                return $"an invariant is broken in {i} … {to}";
            }
            free += here;
            i = to + 1;
        }
        return free == pages.FreePages ? null : $"{free} bits, {pages.FreePages} counted";
    }

    [Fact]
    public void First_fit_with_holes_as_the_model() =>
        Gen.Select(s_first, s_step.Array[1, 200]).Sample((first, steps) =>
        {
            string? wrong = Play(first, steps);
            Assert.True(wrong is null, wrong);
        }, iter: 150);

    [Fact]
    public void Nothing_grown_is_nothing_found()
    {
        using var map = new PageMap((nuint)1 << 27);
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(1));
        Assert.Equal(PageAlloc.None, map.Pages.Take64(out ulong bits));
        Assert.Equal(0UL, bits);
        map.Grow(5, 1);
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(0));
        Assert.Equal((nuint)5, map.Pages.Alloc(1));
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(1));
    }

    [Fact]
    public void Exhaustion_page_by_page_and_all_back_as_one()
    {
        using var map = new PageMap(Root);
        const int n = 2000;
        map.Grow(100, n);
        for (nuint i = 0; i < n; i++)
        {
            Assert.Equal(100 + i, map.Pages.Alloc(1));
        }
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(1));
        Assert.Equal((nuint)0, map.Pages.FreePages);
        foreach (nuint i in Enumerable.Range(0, n).Select(i => (nuint)((i * 1237) % n)))
        {
            map.Pages.Free(100 + i, 1);
        }
        Assert.Equal(PageAlloc.None, map.Pages.Alloc(n + 1));
        Assert.Equal((nuint)100, map.Pages.Alloc(n));
        map.Pages.Free(100, n);
        Assert.True(map.Pages.CheckInvariants(100, n, out nuint free));
        Assert.Equal((nuint)n, free);
    }

    // 64 GiB and more in one span, over several nodes of the top level; 1 TiB of address space.
    [Fact]
    public void Spans_of_many_gigabytes()
    {
        using var map = new PageMap(64 * Root);
        ref PageAlloc pages = ref map.Pages;
        map.Grow(10, (5 * Root) - 10);                                          // 80 GiB, then a hole
        map.Grow((5 * Root) + 1, 3 * Root);
        Assert.Equal((8 * Root) - 10, pages.FreePages);
        Assert.Equal(PageAlloc.None, pages.Alloc((5 * Root) - 9));
        Assert.Equal((nuint)10, pages.Alloc((3 * Root) + 7));
        Assert.Equal((5 * Root) + 1, pages.Alloc(3 * Root));                    // what is left below is shorter
        Assert.Equal(PageAlloc.None, pages.Alloc((2 * Root) - 16));
        Assert.Equal((3 * Root) + 17, pages.Alloc((2 * Root) - 17));
        Assert.Equal((nuint)0, pages.FreePages);
        pages.Free(Root + 3, 3 * Root);
        Assert.Equal(PageAlloc.None, pages.Alloc((3 * Root) + 1));
        Assert.Equal(Root + 3, pages.Alloc(Root - 3));                          // up to the border of a node …
        Assert.Equal(2 * Root, pages.Alloc(Root));                              // … a whole node …
        Assert.Equal(3 * Root, pages.Alloc(Root + 3));                          // … and what is left
        pages.Free(10, (5 * Root) - 10);
        Assert.Equal((nuint)10, pages.Alloc((5 * Root) - 10));
    }

    [Fact]
    public void Sizes_of_the_tables_are_what_the_header_says()
    {
        const nuint tebibyte = 1 << 27;
        Assert.Equal((nuint)(16 << 20), PageAlloc.BitmapBytes(tebibyte));
        Assert.Equal((nuint)(512 + 4096 + (32 << 10) + (256 << 10)), PageAlloc.UpperSummaryBytes(tebibyte));
        Assert.Equal(PageAlloc.UpperSummaryBytes(tebibyte) + (2 << 20), PageAlloc.SummaryBytes(tebibyte));
        Assert.Equal((nuint)512, PageAlloc.TopSummaryBytes(tebibyte));
        Assert.Equal((nuint)(5 * 64), PageAlloc.SummaryBytes(1));
        Assert.Equal((nuint)(8 * 64), PageAlloc.BitmapBytes(1));
    }

    [Fact]
    public void Memory_ends_anywhere()
    {
        foreach (nuint max in new nuint[] { 1, 63, 64, 511, 512, 513, 4095, 4097, Root - 1, Root + 1 })
        {
            using var map = new PageMap(max);
            map.Grow(0, max);
            Assert.Equal(PageAlloc.None, map.Pages.Alloc(max + 1));
            Assert.Equal((nuint)0, map.Pages.Alloc(max));
            map.Pages.Free(max - 1, 1);
            Assert.Equal(max - 1, map.Pages.Alloc(1));
        }
    }

    [Theory]
    [InlineData(0, 1)]              // never allocated
    [InlineData(99, 2)]             // half of it free
    [InlineData(149, 2)]            // the other half
    [InlineData(90, 100)]           // around
    [InlineData(4 << 21, 1)]        // outside
    [InlineData((4 << 21) - 1, 2)]
    public void What_is_not_allocated_cannot_be_freed_and_nothing_changes(int page, int n)
    {
        using var map = new PageMap(4 * Root);
        map.Grow(0, 1000);
        map.Grow((4 * Root) - 1, 1);
        Assert.Equal((nuint)0, map.Pages.Alloc(1000));
        Assert.True(map.Pages.TryFree(0, 100));
        Assert.True(map.Pages.TryFree(150, 850));
        nuint free = map.Pages.FreePages;
        Assert.False(map.Pages.TryFree((nuint)page, (nuint)n));
        Assert.False(map.Pages.TryFree((nuint)page, nuint.MaxValue));
        Assert.Equal(free, map.Pages.FreePages);
        Assert.True(map.Pages.TryFree(0, 0));
        Assert.True(map.Pages.CheckInvariants(0, 1000, out nuint bits));
        Assert.Equal(free - 1, bits);
        Assert.True(map.Pages.TryFree(100, 50));
    }
}
