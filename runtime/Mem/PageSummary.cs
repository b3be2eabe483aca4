// What a node of the page allocator's tree says about its pages: how many are free at the start, in the longest run
// inside, at the end.
//
// PS1  Three fields of 21 bits. A node of 2^21 pages that are all free does not fit: bit 63 alone stands for it.
// PS2  All zero = no page is free. Start == pages, Max == pages and End == pages are the same: all are free.
// Context: anywhere. Allocates nothing. Reference: Go's mpagealloc.go (pallocSum).
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Unikernel.Runtime.Mem;

internal readonly unsafe struct PageSummary
{
    internal const int MaxShift = 21;

    private const ulong AllFree = 1UL << 63;
    private const ulong Mask = (1UL << MaxShift) - 1;

    private readonly ulong _bits;

    private PageSummary(ulong bits) => _bits = bits;

    internal PageSummary(nuint start, nuint max, nuint end) =>
        _bits = max > Mask ? AllFree : (ulong)start | ((ulong)max << MaxShift) | ((ulong)end << (2 * MaxShift));

    internal static PageSummary Full(int shift) => new((nuint)1 << shift, (nuint)1 << shift, (nuint)1 << shift);

    internal readonly bool IsNone => _bits == 0;

    internal readonly nuint Start => Field(0);

    internal readonly nuint Max => Field(MaxShift);

    internal readonly nuint End => Field(2 * MaxShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly nuint Field(int shift) => (nuint)((long)_bits < 0 ? 1UL << MaxShift : (_bits >> shift) & Mask);

    internal readonly bool Is(PageSummary other) => _bits == other._bits;

    /// <summary>Of 512 bits, 1 = free.</summary>
    internal static PageSummary OfBits(ulong* words, int count)
    {
        nuint start = 0;
        nuint max = 0;
        nuint run = 0;                              // free pages right before the word
        bool isPrefix = true;
        for (int i = 0; i < count; i++)
        {
            ulong x = words[i];
            nuint low = (nuint)BitOperations.TrailingZeroCount(~x);
            run += low;
            if (isPrefix)
            {
                start = run;
                isPrefix = low == 64;
            }
            max = run > max ? run : max;
            if (low == 64)
            {
                continue;
            }
            run = (nuint)BitOperations.LeadingZeroCount(~x);
            if (max < 64)
            {
                // Each step shortens the runs by one page: what is left has runs longer than max.
                for (ulong y = RunsOf(x, (int)max + 1); y != 0; y &= y >> 1)
                {
                    max++;
                }
            }
        }
        return new PageSummary(start, run > max ? run : max, run);
    }

    /// <summary>
    /// Of a node from its <paramref name="count"/> children of 1 &lt;&lt; <paramref name="shift"/> pages each, fewer than
    /// 2^21.
    /// </summary>
    internal static PageSummary OfChildren(PageSummary* children, int count, int shift)
    {
        nuint full = (nuint)1 << shift;
        nuint start = 0;
        nuint max = 0;
        nuint run = 0;
        bool isPrefix = true;
        for (int i = 0; i < count; i++)
        {
            ulong bits = children[i]._bits;         // never PS1's exception
            nuint low = (nuint)(bits & Mask);
            run += low;
            if (isPrefix)
            {
                start = run;
                isPrefix = low == full;
            }
            max = run > max ? run : max;
            if (low != full)
            {
                nuint inside = (nuint)((bits >> MaxShift) & Mask);
                max = inside > max ? inside : max;
                run = (nuint)(bits >> (2 * MaxShift));
            }
        }
        return new PageSummary(start, max, run);
    }

    /// <summary>Bit k is set where bits k … k + <paramref name="n"/> - 1 of <paramref name="x"/> are; n is 1 … 64.</summary>
    internal static ulong RunsOf(ulong x, int n)
    {
        for (int have = 1; have < n;)
        {
            int step = have < n - have ? have : n - have;
            x &= x >> step;
            have += step;
        }
        return x;
    }
}
