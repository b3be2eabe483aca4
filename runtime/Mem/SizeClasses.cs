// Size classes of small objects: which slot size serves a size, and how many pages a span of such slots has.
//
// SC1  Class 0 is "large": a span of its own. Classes 1 … Count-1 have ascending slot sizes, multiples of 8 from 24 (the
//      smallest .NET object) to 32768; those above 1024 are multiples of 64.
// SC2  A size that is a multiple of 8, from 24 on, wastes at most 1/8 of the slot it gets; a span's tail, behind its last
//      slot, is at most 1/8 of the span.
// SC3  For every offset inside a span, (offset * MagicOf(c)) >> 32 is exactly offset / SizeOf(c).
// SC4  The tables lie in the memory given to Init and are immutable after it.
// The slot sizes were chosen by dynamic programming over all that satisfy SC1 and SC2: the least expected waste (slot and
// tail) when sizes are log-uniform with peaks at arrays of 2^k bytes (24 + 2^k here), with a price for every class.
// Spans of slots up to 512 bytes have one page; larger slots have the pages that give little tail and several slots.
// Context: anywhere after Init. Allocates nothing. Reference: Go's sizeclasses.go (what a table must satisfy).
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Mem;

internal static unsafe class SizeClasses
{
    internal const int Count = 65;
    internal const int LargeClass = 0;
    internal const int MinBytes = 24;
    internal const int MaxBytes = 32768;
    internal const int PageShift = 13;
    internal const int PageBytes = 1 << PageShift;
    internal const int MaxPages = 10;
    internal const int MaxSlots = 341;

    /// <summary>Bytes that <see cref="Init"/> fills; their address must be a multiple of 64.</summary>
    internal const int TableBytes = (Count * RowBytes) + FineEntries + CoarseEntries;

    /// <summary>Length of the table that <see cref="CopySmallTable"/> fills.</summary>
    internal const int SmallTableBytes = 256;

    private const int RowBytes = 16;
    private const int FineLimit = 1024;                 // up to here a map entry every 8 bytes, above every 64 (SC1)
    private const int FineShift = 3;
    private const int CoarseShift = 6;
    private const int FineEntries = (FineLimit >> FineShift) + 1;
    private const int CoarseEntries = ((MaxBytes - FineLimit) >> CoarseShift) + 1;

    private static ReadOnlySpan<ushort> SlotBytes =>
    [
        0, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 120, 136, 152, 168, 184, 208, 232, 256, 280, 312, 352, 384, 424,
        480, 544, 584, 664, 744, 840, 944, 1088, 1216, 1344, 1536, 1728, 1920, 2112, 2304, 2560, 2880, 3264, 3712, 4096,
        4352, 4672, 5248, 5952, 6528, 7360, 8192, 9088, 10240, 11456, 13056, 14720, 16384, 18432, 20480, 21824, 24576,
        27264, 28672, 32768,
    ];

    private static ReadOnlySpan<byte> SpanPages =>
    [
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 3, 1, 4, 3, 2, 3, 2, 3, 3, 4, 6, 2, 5, 6, 2, 5, 4,
        8, 4, 9, 8, 4, 9, 1, 10, 5, 7, 8, 9, 2, 9, 5, 8, 3,
        10, 7, 4,
    ];

    /// <summary>A class; all zero for class 0.</summary>
    [StructLayout(LayoutKind.Sequential, Size = RowBytes)]
    internal struct Row
    {
        internal uint SizeBytes;
        internal uint Magic;
        internal ushort Pages;
        internal ushort Slots;
    }

    private static Row* s_rows;                         // immutable after Init, as the next two
    private static byte* s_fine;                        // class of (i << FineShift) bytes
    private static byte* s_coarse;                      // class of FineLimit + (i << CoarseShift) bytes

    /// <summary>Fills <paramref name="memory"/>, <see cref="TableBytes"/> long, and uses it from then on.</summary>
    internal static void Init(byte* memory)
    {
        Row* rows = (Row*)memory;
        byte* fine = memory + (Count * RowBytes);
        byte* coarse = fine + FineEntries;
        ref ushort sizes = ref MemoryMarshal.GetReference(SlotBytes);
        ref byte pages = ref MemoryMarshal.GetReference(SpanPages);
        rows[LargeClass] = default;
        int fineFilled = 0;
        int coarseFilled = 0;
        for (int c = 1; c < Count; c++)
        {
            uint size = Unsafe.Add(ref sizes, c);
            uint spanBytes = (uint)Unsafe.Add(ref pages, c) << PageShift;
            rows[c].SizeBytes = size;
            rows[c].Pages = Unsafe.Add(ref pages, c);
            rows[c].Slots = (ushort)(spanBytes / size);
            // Rounded up by less than size: the product is too large by less than offset * size < 2^32, so SC3 holds.
            rows[c].Magic = (uint)(((1UL << 32) + size - 1) / size);
            for (; fineFilled < FineEntries && (uint)fineFilled << FineShift <= size; fineFilled++)
            {
                fine[fineFilled] = (byte)c;
            }
            for (; coarseFilled < CoarseEntries && FineLimit + ((uint)coarseFilled << CoarseShift) <= size; coarseFilled++)
            {
                coarse[coarseFilled] = (byte)c;
            }
        }
        s_rows = rows;
        s_fine = fine;
        s_coarse = coarse;
    }

    /// <summary>The table of classes, <see cref="Count"/> rows; for loops that need several columns.</summary>
    internal static Row* Rows => s_rows;

    internal static uint SizeOf(int c) => s_rows[c].SizeBytes;

    internal static uint PagesOf(int c) => s_rows[c].Pages;

    internal static uint SlotsOf(int c) => s_rows[c].Slots;

    /// <summary>For SC3.</summary>
    internal static uint MagicOf(int c) => s_rows[c].Magic;

    /// <summary>The class with the smallest slots that hold <paramref name="bytes"/>; 0 when none does.</summary>
    internal static int ClassOf(nuint bytes)
    {
        if (bytes <= FineLimit)
        {
            return s_fine[(bytes + (1 << FineShift) - 1) >> FineShift];
        }
        return bytes <= MaxBytes ? s_coarse[(bytes - FineLimit + (1 << CoarseShift) - 1) >> CoarseShift] : LargeClass;
    }

    /// <summary>Fills a table whose byte i is the class of i * 8 bytes (of byte 0: the smallest), for the fast paths in assembly.</summary>
    internal static void CopySmallTable(byte* to256)
    {
        for (int i = 0; i < SmallTableBytes; i++)
        {
            to256[i] = (byte)ClassOf((nuint)i << FineShift);
        }
    }
}
