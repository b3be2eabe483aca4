// Page tables: the final ones, single pages for stacks, windows to devices and firmware tables.
//
// PG1  After InitMemory: the image by section (W^X); RAM once more in the direct map (RW, NX), where the image's text and
//      read-only data are read-only; nothing in the low half; guard pages below every trap stack unmapped.
// PG2  A table or a page is hung in by one compare-and-swap, for a stack fault (FR4) or another core may have hung in the
//      same one meanwhile.
// PG3  Tables are never taken away, so a pointer into one stays good.
// PG4  Windows: device registers at MmioBase + physical (uncached), firmware tables at FirmwareBase + physical (read-only).
// PG5  A page goes in two steps: retired, its entry is not present but still holds the frame; when no TLB has it any more,
//      the frame is released and the entry is 0. Only a 0 entry takes a new page.
// Context: as Machine.Frames.cs. Reference: Intel SDM 3A section 4.5.
namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong WriteThrough = 8;
    private const ulong CacheDisable = 16;
    private const ulong Dirty = 1 << 6;
    private const ulong Large = 1 << 7;
    private const ulong Global = 1 << 8;
    private const ulong NoExecute = 1UL << 63;
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;

    private static ulong* s_pml4;                   // immutable after InitMemory

    private static void BuildTables(ImageLayout* image, PhysRange* ram, int count)
    {
        s_pml4 = (ulong*)AllocPage();
        var id = stackalloc uint[4];
        Cpu.Id(0x80000001, 0, id);
        var hasHugePages = (id[3] & (1u << 26)) != 0;
        for (var i = 0; i < count; i++)
        {
            MapRam(ram[i], image, hasHugePages);
        }
        MapImage(image->TextStart, image->TextEnd, 0);
        MapImage(image->RodataStart, image->RodataEnd, NoExecute);
        MapImage(image->DataStart, image->DataEnd, Writable | NoExecute);
        MapImage(image->SymblobStart, image->ImageEnd, NoExecute);
        for (var i = 0; i < ImageLayout.GuardCount; i++)
        {
            *Entry(image->Guards[i], false) = 0;
        }
        Cpu.WriteCr3((ulong)s_pml4 - DirectMap);
    }

    // One range of RAM into the direct map, widened to large pages.
    private static void MapRam(PhysRange range, ImageLayout* image, bool hasHugePages)
    {
        const ulong flags = Present | Writable | Global | NoExecute;
        var fixedStart = image->TextStart - KernelVma;          // text and read-only data
        var fixedEnd = image->RodataEnd - KernelVma;
        for (var at = range.Base & ~(LargeBytes - 1); at < range.End;)
        {
            var pdpt = NextTable(s_pml4, Index(DirectMap + at, 39), false);
            var isHuge = hasHugePages && (at & (HugeBytes - 1)) == 0 && range.End - at >= HugeBytes
                && (fixedEnd <= at || fixedStart >= at + HugeBytes);
            if (isHuge)
            {
                pdpt[Index(DirectMap + at, 30)] = at | flags | Large;
                at += HugeBytes;
                continue;
            }
            var pd = NextTable(pdpt, Index(DirectMap + at, 30), false);
            var index = Index(DirectMap + at, 21);
            if (fixedStart >= at + LargeBytes || fixedEnd <= at)
            {
                pd[index] = at | flags | Large;
            }
            else
            {
                var pt = NextTable(pd, index, false);
                for (ulong page = 0; page < LargeBytes; page += PageBytes)
                {
                    var isFixed = at + page >= fixedStart && at + page < fixedEnd;
                    pt[page / PageBytes] = (at + page) | (isFixed ? flags & ~Writable : flags);
                }
            }
            at += LargeBytes;
        }
    }

    private static void MapImage(ulong start, ulong end, ulong flags)
    {
        for (var at = start & ~(PageBytes - 1); at < end; at += PageBytes)
        {
            *Entry(at, false) = (at - KernelVma) | Present | Global | flags;
        }
    }

    private static int Index(ulong va, int shift) => (int)((va >> shift) & 511);

    // The table an entry points at, made when there is none (PG2); null when memory is out or a large page is there.
    private static ulong* NextTable(ulong* table, int index, bool isFault)
    {
        var entry = Volatile.Read(ref table[index]);
        if (entry == 0)
        {
            var made = isFault ? AllocFaultPage() : AllocPage();
            if (made == null)
            {
                return null;
            }
            entry = ((ulong)made - DirectMap) | Present | Writable;
            var old = Interlocked.CompareExchange(ref table[index], entry, 0);
            if (old != 0)
            {
                if (isFault)
                {
                    FreeFaultPage(made);
                }
                else
                {
                    FreePage(made);
                }
                entry = old;
            }
        }
        return (entry & Large) != 0 ? null : (ulong*)((entry & AddressMask) + DirectMap);
    }

    // The entry of a 4 KiB page, with the tables above it.
    private static ulong* Entry(ulong va, bool isFault)
    {
        var table = s_pml4;
        for (var shift = 39; shift > 12; shift -= 9)
        {
            table = NextTable(table, Index(va, shift), isFault);
            if (table == null)
            {
                return null;
            }
        }
        return table + Index(va, 12);
    }

    // The same, but only if it is there.
    private static ulong* FindEntry(ulong va)
    {
        var table = s_pml4;
        for (var shift = 39; shift > 12; shift -= 9)
        {
            var entry = table[Index(va, shift)];
            if ((entry & Present) == 0 || (entry & Large) != 0)
            {
                return null;
            }
            table = (ulong*)((entry & AddressMask) + DirectMap);
        }
        return table + Index(va, 12);
    }

    private enum MapResult
    {
        NoMemory,
        Mapped,
        Occupied,
    }

    // Maps a frame (a direct-map address) read-write at a page of virtual memory, unless one is there.
    private static MapResult MapFrame(void* va, void* page, bool isFault)
    {
        var e = Entry((ulong)va, isFault);
        if (e == null)
        {
            return MapResult.NoMemory;
        }
        var entry = ((ulong)page - DirectMap) | Present | Writable | NoExecute;
        for (ulong old; (old = Interlocked.CompareExchange(ref *e, entry, 0)) != 0; Cpu.Pause())
        {
            if ((old & Present) != 0)
            {
                return MapResult.Occupied;
            }
            Answer(CurrentCore);                        // being released: the releaser may wait for this core
        }
        return MapResult.Mapped;
    }

    /// <summary>Whether a page of virtual memory has a frame.</summary>
    private static bool IsMapped(void* va)
    {
        var e = FindEntry((ulong)va);
        return e != null && (*e & Present) != 0;
    }

    /// <summary>
    /// The first piece of the image's data at or after <paramref name="from"/> in which anything was written since the image
    /// was mapped; false when there is none before <paramref name="end"/>. Types and constants, most of it, never are.
    /// </summary>
    public static bool FindWritten(ref byte* from, byte* end, out byte* to)
    {
        while (from < end && !IsWritten(from))
        {
            from = NextPage(from);
        }
        to = from;
        while (to < end && IsWritten(to))
        {
            to = NextPage(to);
        }
        to = to < end ? to : end;
        return from < end;
    }

    // The processor says so when it first writes; nobody takes it back.
    private static bool IsWritten(byte* p)
    {
        var e = FindEntry((ulong)p);
        return e == null || (Volatile.Read(ref *e) & Dirty) != 0;
    }

    private static byte* NextPage(byte* p) => (byte*)(((ulong)p & ~(PageBytes - 1)) + PageBytes);

    // The two steps of PG5.
    private static bool Retire(ulong* e)
    {
        var entry = Volatile.Read(ref *e);
        return (entry & Present) != 0 && Interlocked.CompareExchange(ref *e, entry & ~Present, entry) == entry;
    }

    private static void Release(ulong* e)
    {
        if ((Volatile.Read(ref *e) & Present) == 0)
        {
            var entry = Interlocked.Exchange(ref *e, 0);
            if (entry != 0)
            {
                FreePage((void*)((entry & AddressMask) + DirectMap));
            }
        }
    }

    /// <summary>Maps device registers, uncached, always at the same address; null when memory is out or the address is none.</summary>
    public static void* MapMmio(ulong physical, ulong bytes) =>
        MapWindow(MmioBase, MmioSize, physical, bytes, Present | Writable | NoExecute | CacheDisable | WriteThrough);

    /// <summary>Maps memory firmware has filled, read-only; null as MapMmio.</summary>
    private static byte* MapFirmware(ulong physical, ulong bytes) =>
        (byte*)MapWindow(FirmwareBase, FirmwareSize, physical, bytes, Present | NoExecute);

    private static void* MapWindow(ulong window, ulong size, ulong physical, ulong bytes, ulong flags)
    {
        if (bytes == 0 || physical >= size || bytes > size - physical)
        {
            return null;
        }
        var first = physical & ~(PageBytes - 1);
        for (var at = first; at < physical + bytes; at += PageBytes)
        {
            var e = Entry(window + at, false);
            if (e == null)
            {
                return null;
            }
            *e = at | flags;
        }
        return (void*)(window + physical);
    }

    // ---- the seam's one-instruction members

    public static nuint DisableInterrupts() => Cpu.DisableInterrupts();

    public static void RestoreInterrupts(nuint flags) => Cpu.RestoreInterrupts(flags);

    public static void Halt() => Cpu.Halt();

    /// <summary>In a spinning loop now and then: nothing to do where cores are real.</summary>
    public static void SpinYield()
    {
    }

    public static void* GetG() => Cpu.GetG();

    public static void SetG(void* g) => Cpu.SetG(g);

    public static Core* SwitchStack(nuint* saveRsp, nuint newRsp, void* g, void* tlsEnd) => (Core*)Cpu.SwitchStack(saveRsp, newRsp, g, tlsEnd);
}
