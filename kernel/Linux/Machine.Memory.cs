// Memory: one mapping stands for the machine's RAM, two reserved regions for stacks and programs' mappings.
//
// LM1  RAM is mem=SIZE bytes (default: half of what Linux has): the heap grows up from its start, pages are taken down
//      from its end, so that its exhaustion is met as on bare metal. Linux gives memory on first touch, in small pages: a
//      huge one takes a quarter of a millisecond to clear, several if Linux is a guest whose host has to find the memory,
//      and all that time its core does not stop for a collection and runs no timer.
// LM2  The regions are read-write and committed by Linux on first touch; what is touched there does not count as RAM.
// LM3  All lies below 16 TiB: valgrind has no more addresses.
// LM4  A stack ends, at first, StackKeepBytes below its top: a guard there, so that a goroutine that went deeper is
//      known (and trimmed when it ends). Its fault opens the slot and puts the guard at the slot's limit.
// LM5  Guards are MADV_GUARD_INSTALL (Linux 6.13). On older kernels they are PROT_NONE pages, each of which splits a
//      mapping: vm.max_map_count (65530 by default) then bounds how many goroutines can have had a stack.
// Context: as on bare metal. Reference: madvise(2), Documentation/admin-guide/sysctl/vm.rst.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong PageBytes = 4096;
    private const int ProtNone = 0;
    private const int ProtReadWrite = 3;
    private const int MapNoReserve = 0x4000;
    private const int MapFixed = 0x10;
    private const int AdviseDontNeed = 4;
    private const int AdviseNoHugePages = 15;
    private const int AdvisePopulateWrite = 23;
    private const int AdviseGuardInstall = 102;
    private const int AdviseGuardRemove = 103;
    private const nuint LeastMemory = 16 << 20;
    private const nuint MostKeptForPages = 32 << 20;

    /// <summary>Reserved for goroutine stacks; pages appear on first touch.</summary>
    public const ulong StackRegionBase = 0x200_0000_0000;

    /// <summary>Bytes reserved for goroutine stacks: 8 TiB.</summary>
    public const ulong StackRegionSize = 0x800_0000_0000;

    /// <summary>Reserved for the runtime's tables over the heap.</summary>
    public const ulong TableRegionBase = 0xc00_0000_0000;

    /// <summary>Bytes reserved for them: 1 TiB.</summary>
    public const ulong TableRegionSize = 0x100_0000_0000;

    /// <summary>Where memory mapped by programs (mmap) lives.</summary>
    public const ulong MapRegionBase = 0xa00_0000_0000;

    /// <summary>Bytes reserved for it: 2 TiB.</summary>
    public const ulong MapRegionSize = 0x200_0000_0000;

    /// <summary>A stack keeps this much, at its top, when its goroutine has ended.</summary>
    public const ulong StackKeepBytes = 64 * 1024;

    private static byte* s_heapNext;
    private static byte* s_heapEnd;             // pages from here on are taken
    private static byte* s_freePages;
    private static nuint s_freeCount;
    private static nuint s_totalMemory;         // immutable after InitMemory
    private static bool s_hasGuardAdvice;

    /// <summary>Whether GrowHeap gives zeroed memory.</summary>
    public const bool FreshHeapIsZero = true;

    /// <summary>No piece of the heap lies below. Immutable after InitMemory.</summary>
    public static byte* HeapBase { get; private set; }

    /// <summary>No piece of the heap lies at or above.</summary>
    public static byte* HeapLimit => HeapBase + s_totalMemory;

    /// <summary>Bytes of memory the kernel manages.</summary>
    public static nuint TotalMemory => s_totalMemory;

    /// <summary>Bytes neither given to the heap nor used as pages.</summary>
    public static nuint FreeMemory => (nuint)(s_heapEnd - s_heapNext) + (s_freeCount * (nuint)PageBytes);

    /// <summary>Maps the memory.</summary>
    public static void InitMemory()
    {
        s_totalMemory = AskedMemory();
        var memory = Linux.Map(0, s_totalMemory + HeapAlignment, MapNoReserve);
        if (memory < 0)
        {
            RefuseMachine("the memory asked for by mem= cannot be mapped"u8);
        }
        s_heapNext = (byte*)(((nuint)memory + HeapAlignment - 1) & ~(HeapAlignment - 1));
        s_heapEnd = s_heapNext + s_totalMemory;
        HeapBase = s_heapNext;
        Linux.Syscall(Linux.Madvise, (nint)s_heapNext, (nint)s_totalMemory, AdviseNoHugePages);
        if (Linux.Map(StackRegionBase, StackRegionSize, MapNoReserve | MapFixed) < 0
            || Linux.Map(MapRegionBase, MapRegionSize, MapNoReserve | MapFixed) < 0
            || Linux.Map(TableRegionBase, TableRegionSize, MapNoReserve | MapFixed) < 0)
        {
            RefuseMachine("the regions for stacks and mappings cannot be reserved (ulimit -v?)"u8);
        }
        var trial = unchecked((nint)(MapRegionBase + MapRegionSize - PageBytes));
        s_hasGuardAdvice = Linux.Syscall(Linux.Madvise, trial, (nint)PageBytes, AdviseGuardInstall) == 0;
        if (s_hasGuardAdvice)
        {
            Linux.Syscall(Linux.Madvise, trial, (nint)PageBytes, AdviseGuardRemove);
        }
        BootStep("memory"u8);
    }

    private const nuint HeapAlignment = 2 << 20;    // of a huge page

    private static nuint AskedMemory()
    {
        if (!TryGetArg("mem"u8, out var value, out var length))
        {
            var info = stackalloc ulong[16];        // struct sysinfo: totalram is the fifth word, mem_unit a later int
            return Linux.Syscall(Linux.SysInfo, (nint)info, 0) != 0 ? 1 << 30 : (nuint)info[4] / 2 & ~(HeapAlignment - 1);
        }
        nuint bytes = 0;
        for (var i = 0; i < length; i++)
        {
            var c = (byte)(value[i] | 0x20);
            if (c is >= (byte)'0' and <= (byte)'9' && bytes < 1 << 30)
            {
                bytes = (bytes * 10) + (nuint)(c - '0');
                continue;
            }
            var shift = i != length - 1 ? -1 : c switch { (byte)'k' => 10, (byte)'m' => 20, (byte)'g' => 30, _ => -1 };
            bytes = shift < 0 ? 0 : bytes << shift;
            break;
        }
        if (bytes < LeastMemory)
        {
            RefuseMachine("mem= wants a size of at least 16M, such as 512M or 2G"u8);
        }
        return bytes & ~((nuint)PageBytes - 1);
    }

    private static int s_memoryLock;            // taken with the runtime's lock depth raised or at boot

    private static void LockMemory()
    {
        while (Interlocked.CompareExchange(ref s_memoryLock, 1, 0) != 0)
        {
            SpinYield();
        }
    }

    private static void UnlockMemory() => Volatile.Write(ref s_memoryLock, 0);

    /// <summary>A zeroed page; null when memory is out.</summary>
    public static void* AllocPage()
    {
        LockMemory();
        var p = s_freePages;
        if (p != null)
        {
            s_freePages = *(byte**)p;
            s_freeCount--;
            UnlockMemory();
            Cpu.MemSet(p, 0, (nuint)PageBytes);
            return p;
        }
        if (s_heapEnd - s_heapNext >= (long)PageBytes)
        {
            s_heapEnd -= PageBytes;
            p = s_heapEnd;
        }
        UnlockMemory();
        return p;
    }

    /// <summary>Takes a page back. Nothing may use it any more.</summary>
    public static void FreePage(void* p)
    {
        LockMemory();
        *(byte**)p = s_freePages;
        s_freePages = (byte*)p;
        s_freeCount++;
        UnlockMemory();
    }

    // A heap that is full leaves this to stacks and to the runtime's structures.
    private static nuint KeptForPages => s_totalMemory / 32 < MostKeptForPages ? s_totalMemory / 32 : MostKeptForPages;

    /// <summary>The next zeroed piece of the heap, of whole pages of HeapPageBytes; null when memory is out.</summary>
    public static void* GrowHeap(nuint bytes)
    {
        bytes = (bytes + HeapPageBytes - 1) & ~(HeapPageBytes - 1);
        LockMemory();
        var p = s_heapNext;
        if (s_heapEnd - p < (nint)KeptForPages || bytes > (nuint)(s_heapEnd - p) - KeptForPages)
        {
            p = null;
        }
        else
        {
            s_heapNext = p + bytes;
        }
        UnlockMemory();
        return p;
    }

    /// <summary>Linux does not say cheaply which pages were written: all.</summary>
    public static bool FindWritten(ref byte* from, byte* end, out byte* to)
    {
        to = end;
        return from < end;
    }

    /// <summary>Nothing to fill: Linux gives stacks their pages.</summary>
    public static void RefillFaultReserve()
    {
    }

    /// <summary>Makes pages of a region usable. They are, but tables are touched with the world stopped: Linux finds their memory now, if it can (5.14).</summary>
    public static bool CommitPages(void* va, nuint bytes)
    {
        Linux.Syscall(Linux.Madvise, (nint)va, (nint)bytes, AdvisePopulateWrite);
        return true;
    }

    /// <summary>Gives pages of a region back; touched again, they are zero.</summary>
    public static void DecommitPages(void* va, nuint bytes) =>
        Linux.Syscall(Linux.Madvise, (nint)va, (nint)bytes, AdviseDontNeed);

    /// <summary>Prepares the slot of a new stack that ends at <paramref name="hi"/>; its lowest usable address so far, or null when memory is out.</summary>
    public static byte* MakeStack(byte* hi)
    {
        var low = hi - StackKeepBytes;
        return Guard(low - PageBytes, true) ? low : null;
    }

    /// <summary>
    /// Fault context: makes <paramref name="page"/> of a stack usable, which may not reach below
    /// <paramref name="limit"/>. The lowest address that will not fault, or null when memory is out.
    /// </summary>
    public static byte* GrowStack(byte* page, byte* limit) =>
        Guard(limit - PageBytes, true) && Guard(page, false) ? limit : null;

    /// <summary>Gives a stack's pages from <paramref name="low"/> to <paramref name="keep"/> back.</summary>
    public static void TrimStack(byte* low, byte* keep)
    {
        DecommitPages(low, (nuint)(keep - low));
        Guard(keep - PageBytes, true);
    }

    private static bool Guard(byte* page, bool install) => Guard(page, install, PageBytes);

    private static bool Guard(byte* page, bool install, ulong bytes) => s_hasGuardAdvice
        ? Linux.Syscall(Linux.Madvise, (nint)page, (nint)bytes, install ? AdviseGuardInstall : AdviseGuardRemove) == 0
        : Linux.Syscall(Linux.Mprotect, (nint)page, (nint)bytes, install ? ProtNone : ProtReadWrite) == 0;

    /// <summary>Not with mprotect, of whose effects Linux keeps 65,530.</summary>
    public static bool CanGiveStacksBack => s_hasGuardAdvice;

    /// <summary>Linux has no way to fill a page before others see it.</summary>
    public static bool StacksComeBackWhole => false;

    /// <summary>Gives all pages of <paramref name="n"/> stacks back; a touch faults from then on.</summary>
    public static void GiveStacksBack(StackPages* stacks, int n)
    {
        for (var i = 0; i < n; i++)
        {
            var keep = stacks[i].Hi - StackKeepBytes;
            if (stacks[i].Low < keep)
            {
                TrimStack(stacks[i].Low, keep);
            }
            Guard(keep, true, StackKeepBytes);          // takes the pages away, too
        }
    }

    /// <summary>
    /// Makes a stack that was given back usable, with <paramref name="bytes"/> from <paramref name="from"/> at
    /// <paramref name="at"/>. Its lowest usable address, or null when memory is out.
    /// </summary>
    public static byte* TakeStackBack(byte* hi, byte* at, byte* from, nuint bytes, bool isFault)
    {
        if (!Guard(hi - StackKeepBytes, false, StackKeepBytes))
        {
            return null;
        }
        Cpu.MemMove(at, from, bytes);
        return hi - StackKeepBytes;
    }
}
