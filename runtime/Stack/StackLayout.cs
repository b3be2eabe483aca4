// Where goroutine stacks lie: arithmetic only.
//
// SL1  The region's four quarters belong to the slot classes 128 KiB, 4 MiB, 64 MiB and 1 GiB. A slot's lowest page is
//      its guard, never mapped; the stack grows down from the slot's end.
// SL3  Slots lie a page further apart than that. At a distance of a power of two the tops of all stacks, which is where
//      parked goroutines were last at work, would compete for the same few sets of caches and TLBs. Within their pages the
//      tops differ by Colour.
// SL2  The last 64 GiB of the region hold the runtime's growing arrays, not slots.
// Context: anywhere. Allocates nothing.
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static class StackLayout
{
    internal const int ClassCount = 4;
    internal const int SmallClass = 0;
    internal const int LargeClass = 2;
    internal const int MainClass = 3;
    internal const ulong PageBytes = 4096;
    internal const ulong GuardBytes = PageBytes;
    internal const ulong ArraysBytes = 64UL << 30;
    internal const ulong ArraysBase = Machine.StackRegionBase + Machine.StackRegionSize - ArraysBytes;
    internal const ulong ArrayBytes = ArraysBytes / Machine.MaxCores;
    private const ulong QuarterBytes = Machine.StackRegionSize / ClassCount;
    private const ulong SmallBytes = 128 << 10;
    private const int BaseShift = 18;
    private const int ClassShift = 4;
    private const ulong Colours = 16;
    private const ulong CacheLineBytes = 64;

    /// <summary>Where a core's growing array lies.</summary>
    internal static ulong ArrayOf(int core) => ArraysBase + ((ulong)core * ArrayBytes);

    internal static ulong SlotBytes(int slotClass) =>
        (slotClass == SmallClass ? SmallBytes : 1UL << (ClassShift * slotClass) << BaseShift) + PageBytes;

    /// <summary>Bytes of a slot that a stack can use.</summary>
    internal static ulong UsableBytes(int slotClass) => SlotBytes(slotClass) - PageBytes - GuardBytes;

    /// <summary>Bytes to leave free at the top of the stack that ends at <paramref name="hi"/>: a multiple of 64 below 1 KiB.</summary>
    internal static ulong Colour(ulong hi) => (hi / PageBytes % Colours) * CacheLineBytes;

    internal static ulong SlotCount(int slotClass) =>
        (QuarterBytes - (slotClass == MainClass ? ArraysBytes : 0)) / SlotBytes(slotClass);

    /// <summary>One past the slot's highest address.</summary>
    internal static ulong SlotHi(int slotClass, ulong index) =>
        Machine.StackRegionBase + ((ulong)slotClass * QuarterBytes) + ((index + 1) * SlotBytes(slotClass));

    /// <summary>The smallest class with <paramref name="sizeBytes"/> usable bytes, or -1.</summary>
    internal static int ClassFor(ulong sizeBytes)
    {
        for (int c = 0; c < ClassCount; c++)
        {
            if (sizeBytes <= UsableBytes(c))
            {
                return c;
            }
        }
        return -1;
    }

    /// <summary>The slot an address lies in, its guard page included; false when it lies in none.</summary>
    internal static bool TryLocate(ulong address, out int slotClass, out ulong index)
    {
        ulong offset = address - Machine.StackRegionBase;
        slotClass = (int)(offset / QuarterBytes);
        index = 0;
        if (offset >= Machine.StackRegionSize)
        {
            return false;
        }
        index = (offset % QuarterBytes) / SlotBytes(slotClass);
        return index < SlotCount(slotClass);
    }
}
