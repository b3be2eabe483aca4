// Page tables, page frames, the heap's growth.
//
// MM1  The heap grows up from the start of the largest usable range, frames are taken down from its end; the smaller
//      ranges go to frames first. They never meet: each checks the other.
// MM2  A freed frame is linked through its own first word and zeroed when it is taken again.
// MM3  The fault reserve is frames for a stack fault that strikes inside AllocPage itself (design section 5); any other
//      stack fault allocates as everyone does. It is refilled in goroutine context, before a switch.
// MM4  After InitMemory: image pages by section (W^X), all memory once more in the direct map (RW, NX), nothing in the
//      low half, guard pages below every trap stack.
// Context: goroutine, except AllocFaultPage and MapFaultPage. Reference: Intel SDM 3A section 4.5.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong PageBytes = 4096;
    private const ulong LargeBytes = 2 << 20;
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong WriteThrough = 8;
    private const ulong CacheDisable = 16;
    private const ulong Large = 1 << 7;
    private const ulong Global = 1 << 8;
    private const ulong NoExecute = 1UL << 63;
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;
    private const ulong LeastMemory = 12 << 20;
    private const ulong KernelVma = 0xffff_ffff_8000_0000;
    private const ulong MmioBase = 0xffff_c000_0000_0000;
    private const int FaultReserve = 8;

    /// <summary>Reserved for goroutine stacks; pages appear on fault.</summary>
    public const ulong StackRegionBase = 0xffff_a000_0000_0000;

    /// <summary>Bytes reserved for goroutine stacks: 16 TiB.</summary>
    public const ulong StackRegionSize = 0x1000_0000_0000;

    /// <summary>Where memory mapped by programs (mmap) lives, page by page.</summary>
    public const ulong MapRegionBase = 0xffff_b800_0000_0000;

    /// <summary>Bytes reserved for it: 8 TiB.</summary>
    public const ulong MapRegionSize = 0x800_0000_0000;

    private struct FaultFrames
    {
        internal fixed ulong Frames[FaultReserve];
        internal int Count;
    }

    private static ulong* s_pml4;
    private static byte* s_heapNext;
    private static byte* s_heapEnd;             // frames of the largest range start here and move down
    private static byte* s_freeFrames;
    private static nuint s_freeCount;
    private static nuint s_totalMemory;
    private static MemoryMap s_spare;           // ranges not yet cut into frames
    private static FaultFrames s_fault;
    private static volatile bool s_isAllocating;
    private static ulong s_mmioNext;

    public static nuint TotalMemory => s_totalMemory;

    public static nuint FreeMemory => (nuint)(s_heapEnd - s_heapNext) + (s_freeCount * (nuint)PageBytes) + (nuint)s_spare.TotalBytes;

    /// <summary>Installs the final page tables and the allocators.</summary>
    public static void InitMemory()
    {
        ImageLayout* image = Cpu.Layout();
        s_boot.Memory.Remove(image->BootPhysStart, image->ImageEnd - KernelVma);
        s_boot.Memory.Remove(s_boot.InfoStart, s_boot.InfoEnd);
        s_boot.Memory.Normalize();
        // The boot tables map the first 4 GiB only: what the new tables are built in must lie below.
        int largest = -1;
        for (int i = 0; i < s_boot.Memory.Count; i++)
        {
            MemoryRange r = s_boot.Memory[i];
            if (largest < 0 || r.End - r.Start > s_boot.Memory[largest].End - s_boot.Memory[largest].Start)
            {
                largest = i;
            }
        }
        s_totalMemory = (nuint)s_boot.Memory.TotalBytes;
        if (largest < 0 || s_totalMemory < LeastMemory)
        {
            RefuseMachine("too little memory: at least 32 MiB are needed"u8);
        }
        for (int i = 0; i < s_boot.Memory.Count; i++)
        {
            if (i != largest)
            {
                s_spare.Add(s_boot.Memory[i].Start, s_boot.Memory[i].End - s_boot.Memory[i].Start);
            }
        }
        s_heapNext = (byte*)(DirectMap + s_boot.Memory[largest].Start);
        s_heapEnd = (byte*)(DirectMap + s_boot.Memory[largest].End);
        if (s_boot.Memory[largest].End > 4UL << 30)
        {
            BuildTablesLow();
        }
        s_mmioNext = MmioBase;
        BuildTables(image);
        RefillFaultReserve();
        BootStep("memory"u8);
    }

    // The largest range lies (partly) above what is mapped yet: build the tables from a spare range below.
    private static void BuildTablesLow()
    {
        for (int i = 0; i < s_spare.Count; i++)
        {
            MemoryRange r = s_spare[i];
            if (r.End <= 4UL << 30 && r.End - r.Start >= 1 << 20)
            {
                return;
            }
        }
        RefuseMachine("there is no memory below 4 GiB for the page tables"u8);
    }

    private static void BuildTables(ImageLayout* image)
    {
        s_pml4 = (ulong*)AllocPage();
        ulong end = (s_boot.HighestAddress + (1UL << 30) - 1) & ~((1UL << 30) - 1);
        end = end < 4UL << 30 ? 4UL << 30 : end;        // firmware tables lie anywhere below 4 GiB
        uint* id = stackalloc uint[4];
        Cpu.Id(0x80000001, 0, id);
        bool hasGigabytePages = (id[3] & (1u << 26)) != 0;
        for (ulong at = 0; at < end; at += hasGigabytePages ? 1UL << 30 : LargeBytes)
        {
            ulong* pdpt = Table(s_pml4, DirectMap + at, 39);
            if (hasGigabytePages)
            {
                pdpt[Index(DirectMap + at, 30)] = at | Present | Writable | Large | Global | NoExecute;
            }
            else
            {
                ulong* pd = Table(pdpt, DirectMap + at, 30);
                pd[Index(DirectMap + at, 21)] = at | Present | Writable | Large | Global | NoExecute;
            }
        }
        MapImage(image->TextStart, image->TextEnd, 0);
        MapImage(image->RodataStart, image->RodataEnd, NoExecute);
        MapImage(image->DataStart, image->DataEnd, Writable | NoExecute);
        MapImage(image->SymblobStart, image->ImageEnd, NoExecute);
        for (int i = 0; i < ImageLayout.GuardCount; i++)
        {
            *Entry(image->Guards[i]) = 0;
        }
        Cpu.WriteCr3((ulong)s_pml4 - DirectMap);
    }

    private static void MapImage(ulong start, ulong end, ulong flags)
    {
        for (ulong at = start & ~(PageBytes - 1); at < end; at += PageBytes)
        {
            *Entry(at) = (at - KernelVma) | Present | Global | flags;
        }
    }

    private static int Index(ulong va, int shift) => (int)((va >> shift) & 511);

    // The next table down, made when there is none; null when memory is out.
    private static ulong* Table(ulong* table, ulong va, int shift)
    {
        ulong* e = &table[Index(va, shift)];
        if (*e == 0)
        {
            ulong* made = (ulong*)AllocPage();
            if (made == null)
            {
                return null;
            }
            *e = ((ulong)made - DirectMap) | Present | Writable;
        }
        return (ulong*)((*e & AddressMask) + DirectMap);
    }

    private static ulong* Entry(ulong va)
    {
        ulong* t = Table(s_pml4, va, 39);
        t = t == null ? null : Table(t, va, 30);
        t = t == null ? null : Table(t, va, 21);
        return t == null ? null : &t[Index(va, 12)];
    }

    /// <summary>Maps a frame (a direct-map address) read-write at a page of virtual memory; false when memory is out.</summary>
    public static bool MapPage(void* va, void* page)
    {
        ulong* e = Entry((ulong)va);
        if (e == null)
        {
            return false;
        }
        *e = ((ulong)page - DirectMap) | Present | Writable | NoExecute;
        return true;
    }

    /// <summary>Whether a page of virtual memory has a frame.</summary>
    public static bool IsMapped(void* va)
    {
        ulong* t = s_pml4;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong e = t[Index((ulong)va, shift)];
            if ((e & Present) == 0)
            {
                return false;
            }
            t = (ulong*)((e & AddressMask) + DirectMap);
        }
        return (t[Index((ulong)va, 12)] & Present) != 0;
    }

    /// <summary>Takes a page's frame away; its direct-map address, or null.</summary>
    public static void* UnmapPage(void* va)
    {
        if (!IsMapped(va))
        {
            return null;
        }
        ulong* e = Entry((ulong)va);
        void* page = (void*)((*e & AddressMask) + DirectMap);
        *e = 0;
        Cpu.Invlpg(va);
        return page;
    }

    /// <summary>Maps device registers, uncached; null when memory is out.</summary>
    public static void* MapMmio(ulong physical, ulong bytes)
    {
        ulong offset = physical & (PageBytes - 1);
        ulong start = s_mmioNext;
        for (ulong at = 0; at < bytes + offset; at += PageBytes)
        {
            ulong* e = Entry(s_mmioNext);
            if (e == null)
            {
                return null;
            }
            *e = (physical - offset + at) | Present | Writable | NoExecute | CacheDisable | WriteThrough;
            s_mmioNext += PageBytes;
        }
        return (void*)(start + offset);
    }

    /// <summary>A zeroed frame as a direct-map address; null when memory is out.</summary>
    public static void* AllocPage()
    {
        s_isAllocating = true;
        byte* p = s_freeFrames;
        if (p != null)
        {
            s_freeFrames = *(byte**)p;
            s_freeCount--;
        }
        else
        {
            p = FreshFrame();
        }
        s_isAllocating = false;
        if (p != null)
        {
            Cpu.MemSet(p, 0, (nuint)PageBytes);
        }
        return p;
    }

    private static byte* FreshFrame()
    {
        while (s_spare.Count > 0)
        {
            MemoryRange r = s_spare[s_spare.Count - 1];
            if (r.Start < r.End)
            {
                r.End -= PageBytes;
                s_spare[s_spare.Count - 1] = r;
                return (byte*)(DirectMap + r.End);
            }
            s_spare.Count--;
        }
        if (s_heapEnd - s_heapNext < (long)PageBytes)
        {
            return null;
        }
        s_heapEnd -= PageBytes;
        return s_heapEnd;
    }

    public static void FreePage(void* p)
    {
        *(byte**)p = s_freeFrames;
        s_freeFrames = (byte*)p;
        s_freeCount++;
    }

    /// <summary>The next zeroed piece of the heap, right after the last; null when memory is out.</summary>
    public static void* GrowHeap(nuint bytes)
    {
        bytes = (bytes + (nuint)PageBytes - 1) & ~((nuint)PageBytes - 1);
        if (bytes > (nuint)(s_heapEnd - s_heapNext))
        {
            return null;
        }
        byte* p = s_heapNext;
        s_heapNext += bytes;
        Cpu.MemSet(p, 0, bytes);
        return p;
    }

    /// <summary>Fills the reserve of stack faults. Called where a fault cannot be under way.</summary>
    public static void RefillFaultReserve()
    {
        while (s_fault.Count < FaultReserve)
        {
            void* p = AllocPage();
            if (p == null)
            {
                return;
            }
            nuint flags = DisableInterrupts();
            s_fault.Frames[s_fault.Count] = (ulong)p;
            s_fault.Count++;
            RestoreInterrupts(flags);
        }
    }

    /// <summary>Interrupt context: a zeroed frame; from the reserve when AllocPage itself was interrupted.</summary>
    public static void* AllocFaultPage()
    {
        if (!s_isAllocating)
        {
            return AllocPage();         // the interrupted code is not in there: a deep recursion is not bound by the reserve
        }
        return s_fault.Count == 0 ? null : (void*)s_fault.Frames[--s_fault.Count];
    }

    /// <summary>Interrupt context: MapPage with its tables from the reserve too.</summary>
    public static bool MapFaultPage(void* va, void* page)
    {
        ulong* t = s_pml4;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong* e = &t[Index((ulong)va, shift)];
            if (*e == 0)
            {
                void* made = AllocFaultPage();
                if (made == null)
                {
                    return false;
                }
                *e = ((ulong)made - DirectMap) | Present | Writable;
            }
            t = (ulong*)((*e & AddressMask) + DirectMap);
        }
        t[Index((ulong)va, 12)] = ((ulong)page - DirectMap) | Present | Writable | NoExecute;
        return true;
    }

    // ---- the seam's one-instruction members

    public static nuint DisableInterrupts() => Cpu.DisableInterrupts();

    public static void RestoreInterrupts(nuint flags) => Cpu.RestoreInterrupts(flags);

    public static void Halt() => Cpu.Halt();

    public static void* GetG() => Cpu.GetG();

    public static void SetG(void* g) => Cpu.SetG(g);

    public static void SetTlsBase(void* end) => Cpu.SetFsBase(end);

    public static void SwitchStack(nuint* saveRsp, nuint newRsp) => Cpu.SwitchStack(saveRsp, newRsp);
}
