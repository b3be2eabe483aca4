// Summaries of bits and of children against counting page by page.
using System.Linq;
using CsCheck;
using Unikernel.Runtime.Mem;
using Xunit;

namespace Unikernel.Tests.Mem;

public unsafe class PageSummaryTests
{
    // Words as they occur: mostly full, empty, or with few borders.
    private static readonly Gen<ulong> s_word = Gen.OneOf(
        Gen.Const(0UL), Gen.Const(ulong.MaxValue), Gen.ULong,
        Gen.Select(Gen.Int[0, 63], Gen.Int[1, 64], (at, n) => (ulong.MaxValue >> (64 - n)) << at),
        Gen.Select(Gen.Int[0, 63], Gen.Int[1, 64], (at, n) => ~((ulong.MaxValue >> (64 - n)) << at)));

    private static (nuint Start, nuint Max, nuint End) Naive(bool[] free)
    {
        nuint max = 0;
        nuint run = 0;
        foreach (bool isFree in free)
        {
            run = isFree ? run + 1 : 0;
            max = run > max ? run : max;
        }
        return ((nuint)free.TakeWhile(f => f).Count(), max, run);
    }

    private static bool[] Bits(ulong[] words) => [.. words.SelectMany(w => Enumerable.Range(0, 64).Select(i => ((w >> i) & 1) != 0))];

    private static PageSummary Of(ulong[] words)
    {
        fixed (ulong* p = words)
        {
            return PageSummary.OfBits(p, words.Length);
        }
    }

    [Fact]
    public void Bits_as_counted_one_by_one() => s_word.Array[8].Sample(words =>
    {
        PageSummary s = Of(words);
        return (s.Start, s.Max, s.End) == Naive(Bits(words)) && s.IsNone == words.All(w => w == 0);
    }, iter: 20_000);

    [Fact]
    public void Children_as_the_bits_under_them() => s_word.Array[8].Array[8].Sample(chunks =>
    {
        PageSummary[] children = [.. chunks.Select(Of)];
        fixed (PageSummary* p = children)
        {
            PageSummary s = PageSummary.OfChildren(p, 8, 9);
            return (s.Start, s.Max, s.End) == Naive(Bits([.. chunks.SelectMany(c => c)]));
        }
    }, iter: 3_000);

    [Fact]
    public void Two_million_pages_all_free_are_told_from_one_less()
    {
        PageSummary[] children = [.. Enumerable.Repeat(PageSummary.Full(18), 8)];
        fixed (PageSummary* p = children)
        {
            PageSummary s = PageSummary.OfChildren(p, 8, 18);
            Assert.Equal(((nuint)1 << 21, (nuint)1 << 21, (nuint)1 << 21), (s.Start, s.Max, s.End));
            Assert.True(s.Is(PageSummary.Full(21)));
            nuint less = ((nuint)1 << 18) - 1;
            children[7] = new PageSummary(less, less, 0);
            s = PageSummary.OfChildren(p, 8, 18);
            Assert.Equal((((nuint)1 << 21) - 1, ((nuint)1 << 21) - 1, (nuint)0), (s.Start, s.Max, s.End));
            children[7] = PageSummary.Full(18);
            children[0] = new PageSummary(0, less, less);
            s = PageSummary.OfChildren(p, 8, 18);
            Assert.Equal(((nuint)0, ((nuint)1 << 21) - 1, ((nuint)1 << 21) - 1), (s.Start, s.Max, s.End));
        }
    }

    [Fact]
    public void Runs_as_counted_one_by_one() => Gen.Select(s_word, Gen.Int[1, 64]).Sample((word, n) =>
    {
        ulong runs = PageSummary.RunsOf(word, n);
        bool[] bits = Bits([word]);
        return Enumerable.Range(0, 64).All(i => ((runs >> i) & 1) != 0 == (i + n <= 64 && bits.Skip(i).Take(n).All(b => b)));
    }, iter: 5_000);
}
