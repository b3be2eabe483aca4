// Firmware memory maps: invariants MM1..MM3 of kernel/Pc/Boot/MemoryMap.cs, against a model with one flag a page.
using System;
using System.Collections.Generic;
using CsCheck;
using Unikernel.Kernel;
using Xunit;

namespace Unikernel.Tests.Kernel;

public unsafe class MemoryMapTests
{
    private const ulong MiB = 1 << 20;

    private static List<(ulong, ulong)> Normalise((ulong Base, ulong Length, uint Type)[] entries, (ulong, ulong)[] exclude, int capacity = 64)
    {
        MemoryMapEntry* input = stackalloc MemoryMapEntry[entries.Length + 1];
        for (int i = 0; i < entries.Length; i++)
        {
            input[i] = new MemoryMapEntry { Base = entries[i].Base, Length = entries[i].Length, Type = entries[i].Type };
        }
        PhysRange* out_ = stackalloc PhysRange[capacity + 1];
        PhysRange* ex = stackalloc PhysRange[exclude.Length + 1];
        for (int i = 0; i < exclude.Length; i++)
        {
            ex[i] = new PhysRange { Base = exclude[i].Item1, End = exclude[i].Item2 };
        }
        out_[capacity] = new PhysRange { Base = 0xdead, End = 0xbeef };
        int n = MemoryMap.Normalise(input, entries.Length, ex, exclude.Length, out_, capacity);
        Assert.InRange(n, 0, capacity);
        Assert.Equal(0xdeadUL, out_[capacity].Base);
        var result = new List<(ulong, ulong)>();
        for (int i = 0; i < n; i++)
        {
            result.Add((out_[i].Base, out_[i].End));
        }
        return result;
    }

    [Fact]
    public void APcMapLosesTheFirstMiBAndTheImage()
    {
        List<(ulong, ulong)> ranges = Normalise(
            [(0, 0x9fc00, 1), (0x9fc00, 0x400, 2), (0xf0000, 0x10000, 2), (MiB, 0x3fee0000, 1), (0x3ffe0000, 0x20000, 2), (0xfffc0000, 0x40000, 2)],
            [(MiB, 5 * MiB)]);
        Assert.Equal([(5 * MiB, 0x3ffe0000UL)], ranges);
    }

    private static ulong LowPage((ulong Base, ulong Length, uint Type)[] entries, params (ulong, ulong)[] exclude)
    {
        MemoryMapEntry* input = stackalloc MemoryMapEntry[entries.Length + 1];
        for (int i = 0; i < entries.Length; i++)
        {
            input[i] = new MemoryMapEntry { Base = entries[i].Base, Length = entries[i].Length, Type = entries[i].Type };
        }
        PhysRange* ex = stackalloc PhysRange[exclude.Length + 1];
        for (int i = 0; i < exclude.Length; i++)
        {
            ex[i] = new PhysRange { Base = exclude[i].Item1, End = exclude[i].Item2 };
        }
        return MemoryMap.FindLowPage(input, entries.Length, ex, exclude.Length);
    }

    [Fact]
    public void TheLowPageIsUsableMemoryThatNobodyHas()
    {
        Assert.Equal(0x10000UL, LowPage([(0, 0x9fc00, 1), (0x9fc00, 0x400, 2), (MiB, MiB, 1)]));
        Assert.Equal(0x14000UL, LowPage([(0, 0x9fc00, 1), (0x10001, 0x2000, 2)], (0x13000, 0x13001)));
        Assert.Equal(0x9e000UL, LowPage([(0x9d001, 0x2bff, 1)]));
        Assert.Equal(0x1000UL, LowPage([(0, 0x10000, 1), (0x10000, 0x90000, 2)]));
        Assert.Equal(0UL, LowPage([(0, 0x1fff, 1), (0xa0000, 0x60000, 1), (MiB, MiB, 1)]));
    }

    [Fact]
    public void UnsortedTouchingAndOverlappingEntriesBecomeOne() =>
        Assert.Equal([(2 * MiB, 8 * MiB)], Normalise([(4 * MiB, 2 * MiB, 1), (2 * MiB, 2 * MiB, 1), (5 * MiB, 3 * MiB, 1)], []));

    [Fact]
    public void ReservedWinsOverUsableWhateverTheOrder() =>
        Assert.Equal(
            [(2 * MiB, 3 * MiB), ((4 * MiB) + 4096, 8 * MiB)],
            Normalise([(3 * MiB, MiB + 1, 2), (2 * MiB, 6 * MiB, 1)], []));

    [Fact]
    public void PartsOfPagesAreNotUsable() =>
        Assert.Equal([((2 * MiB) + 4096, 3 * MiB)], Normalise([((2 * MiB) + 1, MiB + 4094, 1), (7 * MiB, 4095, 1)], []));

    [Fact]
    public void LengthsThatOverflowAreCut() =>
        Assert.Equal([(2 * MiB, MemoryMap.Highest)], Normalise([(2 * MiB, ulong.MaxValue, 1), (ulong.MaxValue, 4096, 1), (1UL << 60, MiB, 1)], []));

    [Fact]
    public void AReservedEntryThatOverflowsTakesAllAboveIt() =>
        Assert.Equal([(2 * MiB, 3 * MiB)], Normalise([(2 * MiB, 6 * MiB, 1), (3 * MiB, ulong.MaxValue - 5, 2)], []));

    [Fact]
    public void EmptyMapsAreEmpty()
    {
        Assert.Empty(Normalise([], []));
        Assert.Empty(Normalise([(MiB, 0, 1), (0, MiB, 1)], []));
    }

    [Fact]
    public void AgreesWithAModelOfPages()
    {
        const int pages = 64;
        Gen<(ulong, ulong, uint)> entry = Gen.Select(
            Gen.ULong[0, pages * 4096], Gen.ULong[0, 20 * 4096], Gen.UInt[1, 3],
            (start, length, type) => (MiB + start, length, type));
        Gen<(ulong, ulong)> range = Gen.Select(Gen.ULong[0, pages * 4096], Gen.ULong[0, 8 * 4096], (start, length) => (MiB + start, MiB + start + length));
        Gen.Select(entry.Array[0, 12], range.Array[0, 4], Gen.Int[1, 64]).Sample((entries, exclude, capacity) =>
        {
            var usable = new bool[pages * 2];
            foreach ((ulong start, ulong length, uint type) in entries)
            {
                for (int p = 0; p < usable.Length; p++)
                {
                    ulong at = MiB + ((ulong)p * 4096);
                    usable[p] |= type == 1 && IsCovered(at, entries);
                }
            }
            for (int p = 0; p < usable.Length; p++)
            {
                ulong at = MiB + ((ulong)p * 4096);
                foreach ((ulong start, ulong length, uint type) in entries)
                {
                    usable[p] &= type == 1 || length == 0 || at + 4096 <= start || at >= start + length;
                }
                foreach ((ulong start, ulong end) in exclude)
                {
                    usable[p] &= start >= end || at + 4096 <= start || at >= end;
                }
            }
            List<(ulong, ulong)> ranges = Normalise(entries, exclude, capacity);
            ulong last = 0;
            var got = new bool[usable.Length];
            foreach ((ulong start, ulong end) in ranges)
            {
                Assert.True(start < end && (start > last || last == 0) && ((start | end) & 4095) == 0);
                last = end;
                for (ulong at = start; at < end; at += 4096)
                {
                    got[(at - MiB) / 4096] = true;
                }
            }
            for (int p = 0; p < usable.Length; p++)
            {
                Assert.True(usable[p] || !got[p], "an unusable page is in");
                Assert.True(capacity < 40 || !usable[p] || got[p], "a usable page is missing");
            }
        });
    }

    // Usable as the kernel counts it: each entry's whole pages; neighbours do not make a page whole together.
    private static bool IsCovered(ulong page, (ulong Start, ulong Length, uint Type)[] entries)
    {
        foreach ((ulong start, ulong length, uint type) in entries)
        {
            if (type == 1 && page >= start && page + 4096 <= start + length)
            {
                return true;
            }
        }
        return false;
    }
}
