// Turns a firmware memory map into a sorted list of usable ranges. Pure: no machine access, tested on the host.
//
// MM1  Output ranges are page aligned, non-empty, sorted, disjoint, at or above 1 MiB and below the direct map's size.
// MM2  What any entry calls unusable, and every excluded range, is in no output range, whatever the order or overlap.
// MM3  When the output is full, memory is left out, never added wrongly.
// May not allocate. Reference: ACPI 6.5 section 15.

using System.Runtime.InteropServices;

namespace Unikernel.Kernel;

/// <summary>One firmware entry; PVH and multiboot2 both use this shape.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MemoryMapEntry
{
    public ulong Base;
    public ulong Length;
    public uint Type;
    public uint Reserved;

    public const uint Usable = 1;
}

/// <summary>Physical addresses Base (inclusive) to End (exclusive).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PhysRange
{
    public ulong Base;
    public ulong End;
}

internal static unsafe class MemoryMap
{
    public const ulong PageSize = 4096;
    public const ulong Lowest = 0x100000;
    public const ulong Highest = 1UL << 45;

    /// <summary>Fills output and returns how many ranges there are.</summary>
    public static int Normalise(MemoryMapEntry* entries, int count, PhysRange* exclude, int excludeCount, PhysRange* output, int capacity)
    {
        var n = 0;
        for (var i = 0; i < count; i++)
        {
            if (entries[i].Type == MemoryMapEntry.Usable)
            {
                var start = entries[i].Base;
                var end = EndOf(start, entries[i].Length) & ~(PageSize - 1);
                start = start < Lowest ? Lowest : start;
                if (start < Highest)
                {
                    n = Insert(output, n, capacity, (start + PageSize - 1) & ~(PageSize - 1), end);
                }
            }
        }
        for (var i = 0; i < count; i++)
        {
            if (entries[i].Type != MemoryMapEntry.Usable && entries[i].Length != 0)
            {
                n = Subtract(output, n, capacity, entries[i].Base, EndOf(entries[i].Base, entries[i].Length));
            }
        }
        for (var i = 0; i < excludeCount; i++)
        {
            if (exclude[i].Base < exclude[i].End)
            {
                n = Subtract(output, n, capacity, exclude[i].Base, exclude[i].End);
            }
        }
        return n;
    }

    /// <summary>Bytes of all ranges.</summary>
    public static ulong Total(PhysRange* ranges, int count)
    {
        ulong total = 0;
        for (var i = 0; i < count; i++)
        {
            total += ranges[i].End - ranges[i].Base;
        }
        return total;
    }

    /// <summary>A usable page below 1 MiB, preferably above the first 64 KiB, which firmware is known to scribble on; 0 if there is none.</summary>
    public static ulong FindLowPage(MemoryMapEntry* entries, int count, PhysRange* exclude, int excludeCount)
    {
        for (ulong i = 0; i < 0x9f; i++)
        {
            var page = (i < 0x90 ? i + 0x10 : i - 0x8f) * PageSize;     // 0x10..0x9f, then 0x01..0x0f
            if (IsFree(page, entries, count, exclude, excludeCount))
            {
                return page;
            }
        }
        return 0;
    }

    private static bool IsFree(ulong page, MemoryMapEntry* entries, int count, PhysRange* exclude, int excludeCount)
    {
        var isUsable = false;
        for (var i = 0; i < count; i++)
        {
            var start = entries[i].Base;
            var end = EndOf(start, entries[i].Length);
            if (entries[i].Type == MemoryMapEntry.Usable)
            {
                isUsable |= start <= page && end >= page + PageSize;
            }
            else if (start < page + PageSize && end > page)
            {
                return false;
            }
        }
        for (var i = 0; i < excludeCount; i++)
        {
            if (exclude[i].Base < page + PageSize && exclude[i].End > page)
            {
                return false;
            }
        }
        return isUsable;
    }

    private static ulong EndOf(ulong start, ulong length)
    {
        var end = start + length;
        return end < start || end > Highest ? Highest : end;
    }

    /// <summary>Adds [start, end) to a sorted list, joining what it touches.</summary>
    private static int Insert(PhysRange* list, int n, int capacity, ulong start, ulong end)
    {
        if (start >= end)
        {
            return n;
        }
        var at = 0;
        while (at < n && list[at].End < start)
        {
            at++;
        }
        var last = at;
        while (last < n && list[last].Base <= end)
        {
            start = list[last].Base < start ? list[last].Base : start;
            end = list[last].End > end ? list[last].End : end;
            last++;
        }
        if (last == at)
        {
            if (n == capacity)
            {
                return n;
            }
            for (var i = n; i > at; i--)
            {
                list[i] = list[i - 1];
            }
            n++;
        }
        else
        {
            for (var i = last; i < n; i++)
            {
                list[at + 1 + i - last] = list[i];
            }
            n -= last - at - 1;
        }
        list[at].Base = start;
        list[at].End = end;
        return n;
    }

    /// <summary>Takes [start, end), widened to pages, out of a sorted list.</summary>
    private static int Subtract(PhysRange* list, int n, int capacity, ulong start, ulong end)
    {
        start &= ~(PageSize - 1);
        end = (end + PageSize - 1) & ~(PageSize - 1);
        var i = 0;
        while (i < n)
        {
            if (list[i].End <= start || list[i].Base >= end)
            {
                i++;
            }
            else if (list[i].Base < start && list[i].End > end)
            {
                var tail = list[i].End;
                list[i].End = start;
                return Insert(list, n, capacity, end, tail);
            }
            else if (list[i].Base < start)
            {
                list[i++].End = start;
            }
            else if (list[i].End > end)
            {
                list[i++].Base = end;
            }
            else
            {
                for (var j = i; j < n - 1; j++)
                {
                    list[j] = list[j + 1];
                }
                n--;
            }
        }
        return n;
    }
}
