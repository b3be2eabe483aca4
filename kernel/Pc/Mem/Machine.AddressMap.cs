// Who has which virtual addresses.
//
// AM1  A region is a pair of constants here, XBase and XSize. No two overlap, and all lie in the upper half (LayoutTests).
// AM2  The low half is never mapped, so that a null dereference always faults.
// Context: anywhere. Allocates nothing. Reference: design section 4.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Physical address p of RAM is at DirectMap + p.</summary>
    public const ulong DirectMap = DirectMapBase;

    internal const ulong DirectMapBase = 0xffff_8000_0000_0000;
    internal const ulong DirectMapSize = MemoryMap.Highest;

    /// <summary>Reserved for goroutine stacks; pages appear on fault.</summary>
    public const ulong StackRegionBase = 0xffff_a000_0000_0000;

    /// <summary>Bytes reserved for goroutine stacks: 16 TiB.</summary>
    public const ulong StackRegionSize = 0x1000_0000_0000;

    /// <summary>Reserved for the runtime's tables over the heap; pages appear when committed.</summary>
    public const ulong TableRegionBase = 0xffff_b000_0000_0000;

    /// <summary>Bytes reserved for them.</summary>
    public const ulong TableRegionSize = 0x100_0000_0000;

    // A slot for every core but the boot core: its block and its stacks.
    internal const ulong CoreRegionBase = 0xffff_b400_0000_0000;
    internal const ulong CoreRegionSize = 0x100_0000_0000;

    /// <summary>Where memory mapped by programs (mmap) lives, page by page.</summary>
    public const ulong MapRegionBase = 0xffff_b800_0000_0000;

    /// <summary>Bytes reserved for it: 8 TiB.</summary>
    public const ulong MapRegionSize = 0x800_0000_0000;

    // Device registers at MmioBase + physical.
    internal const ulong MmioBase = 0xffff_c000_0000_0000;
    internal const ulong MmioSize = MemoryMap.Highest;

    // Firmware tables at FirmwareBase + physical.
    internal const ulong FirmwareBase = 0xffff_e000_0000_0000;
    internal const ulong FirmwareSize = 0x1f00_0000_0000;

    // The image, at KernelVma + physical.
    internal const ulong ImageBase = KernelVma;
    internal const ulong ImageSize = 0x8000_0000;
    private const ulong KernelVma = 0xffff_ffff_8000_0000;
}
