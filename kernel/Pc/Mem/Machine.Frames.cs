// Page frames and the heap's growth.
//
// FR1  The heap grows up from the start of the largest usable range, frames are taken down from its end; the other
//      ranges go to frames first, from their ends, and to the heap last, from their starts. They never meet: each
//      checks the other.
// FR2  The first range is a pool right behind the image, below 4 GiB: it holds the first frames, among them the page
//      tables, which must lie in what boot.S mapped, and keeps them in memory the loader has touched already.
// FR3  A free frame is linked through its own first word and zeroed when it is taken again.
// FR4  A stack fault may strike while this core has the frames' lock (Core.Allocating): Machine.FaultReserve.cs.
// FR5  The lock is held for a few instructions, with interrupts off. Frames are zeroed outside it.
// Context: goroutine or boot, interrupts on or off, and as FR4 says.
// Reference: design section 5.
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const ulong PageBytes = 4096;
    private const ulong LargeBytes = 2 << 20;
    private const ulong HugeBytes = 1 << 30;
    private const ulong LeastMemory = 14 << 20;     // a machine of 16 MiB shows this much above the first
    private const ulong LeastFree = 4 << 20;
    private const nuint MostKeptForFrames = 32 << 20;
    private const int MaxRanges = 128;

    /// <summary>A stack keeps this much, at its top, when its goroutine has ended.</summary>
    public const ulong StackKeepBytes = 64 * 1024;

    private struct FrameRanges
    {
        internal fixed ulong Words[MaxRanges * 2];  // PhysRange[]
        internal int Count;
        internal int Current;                       // frames come from this range's end
    }

    private static FrameRanges s_ranges;
    private static byte* s_heapNext;
    private static byte* s_heapEnd;                 // frames of the largest range start here and move down
    private static byte* s_freeFrames;
    private static nuint s_freeCount;
    private static nuint s_totalMemory;             // immutable after InitMemory
    private static int s_frameLock;                 // guards all but the reserve; atomic

    /// <summary>Whether GrowHeap gives zeroed memory.</summary>
    public const bool FreshHeapIsZero = false;

    /// <summary>No piece of the heap lies below.</summary>
    public static byte* HeapBase => (byte*)DirectMap;

    /// <summary>No piece of the heap lies at or above. Immutable after InitMemory.</summary>
    public static byte* HeapLimit { get; private set; }

    /// <summary>Bytes of memory the kernel manages.</summary>
    public static nuint TotalMemory => s_totalMemory;

    /// <summary>Bytes neither given to the heap nor used as frames. While others allocate, off by what they do meanwhile.</summary>
    public static nuint FreeMemory
    {
        get
        {
            var n = (ulong)(s_heapEnd - s_heapNext) + s_freeCount * PageBytes;
            var ranges = Ranges;
            for (var i = s_ranges.Current; i < s_ranges.Count; i++)
            {
                n += ranges[i].End - ranges[i].Base;
            }
            return (nuint)n;
        }
    }

    private static PhysRange* Ranges => (PhysRange*)Unsafe.AsPointer(ref s_ranges.Words[0]);

    /// <summary>Sorts out what memory there is and installs the final page tables.</summary>
    public static void InitMemory()
    {
        var image = Cpu.Layout();
        var all = stackalloc PhysRange[MaxRanges];
        var entries = (MemoryMapEntry*)Boot->EntryWords;
        var allCount = MemoryMap.Normalise(entries, s_boot.EntryCount, null, 0, all, MaxRanges);
        var found = MemoryMap.Total(all, allCount);

        var exclude = stackalloc PhysRange[BootInfo.MaxModules + 1];
        exclude[0].Base = image->BootPhysStart;
        exclude[0].End = image->ImageEnd - KernelVma;
        for (var i = 0; i < s_boot.ModuleCount; i++)
        {
            exclude[i + 1].Base = s_boot.ModuleWords[i * 2];
            exclude[i + 1].End = s_boot.ModuleWords[i * 2 + 1];
        }
        var ranges = Ranges;
        var count = MemoryMap.Normalise(entries, s_boot.EntryCount, exclude, s_boot.ModuleCount + 1, ranges, MaxRanges - 1);
        s_totalMemory = (nuint)MemoryMap.Total(ranges, count);
        if (found < LeastMemory || s_totalMemory < LeastFree)
        {
            Print("unikernel: too little memory: "u8);
            PrintDecimal(found >> 20);
            Print(" MiB above the first, of which the image leaves "u8);
            PrintDecimal((ulong)s_totalMemory >> 20);
            Print("; at least 16 MiB are needed\n"u8);
            Exit(3);
        }
        ReserveHeap(ranges, SplitPool(ranges, count, all, allCount));
        BuildTables(image, all, allCount);
        for (ulong at = image->BootPhysStart; at < image->BootPhysEnd; at += PageBytes)
        {
            FreePage((void*)(DirectMap + at));
        }
        RefillFaultReserve();
        BootStep("memory"u8);
    }

    // Puts the pool of FR2 first; the ranges' new number.
    private static int SplitPool(PhysRange* ranges, int count, PhysRange* all, int allCount)
    {
        ulong tables = 64 + (Cpu.Layout()->ImageEnd - Cpu.Layout()->ImageStart) / LargeBytes;
        for (var i = 0; i < allCount; i++)
        {
            tables += (all[i].End - all[i].Base) / HugeBytes + 4;
        }
        for (var i = 0; i < count; i++)
        {
            var poolEnd = (ranges[i].Base + (tables * PageBytes) + LargeBytes - 1) & ~(LargeBytes - 1);
            if (poolEnd > ranges[i].End)
            {
                poolEnd = ranges[i].Base + (tables * PageBytes);
            }
            if (poolEnd > ranges[i].End || poolEnd > BootMapSize)
            {
                continue;
            }
            PhysRange pool;
            pool.Base = ranges[i].Base;
            pool.End = poolEnd;
            ranges[i].Base = poolEnd;       // may leave an empty range, which is harmless
            for (var j = count; j > 0; j--)
            {
                ranges[j] = ranges[j - 1];
            }
            ranges[0] = pool;
            return count + 1;
        }
        RefuseMachine("no memory below 4 GiB is large enough for the page tables"u8);
        return 0;
    }

    // The largest range behind the pool becomes the heap's; the others stay with the frames.
    private static void ReserveHeap(PhysRange* ranges, int count)
    {
        var largest = 1;
        for (var i = 2; i < count; i++)
        {
            if (ranges[i].End - ranges[i].Base > ranges[largest].End - ranges[largest].Base)
            {
                largest = i;
            }
        }
        s_heapNext = (byte*)(DirectMap + ranges[largest].Base);
        s_heapEnd = (byte*)(DirectMap + ranges[largest].End);
        for (var i = 1; i < count; i++)
        {
            var end = (byte*)(DirectMap + ranges[i].End);
            HeapLimit = end > HeapLimit ? end : HeapLimit;
        }
        for (var i = largest; i < count - 1; i++)
        {
            ranges[i] = ranges[i + 1];
        }
        s_ranges.Count = count - 1;
    }

    /// <summary>A zeroed frame as a direct-map address; null when memory is out.</summary>
    public static void* AllocPage()
    {
        var flags = LockFrames();
        var p = s_freeFrames;
        if (p != null)
        {
            s_freeFrames = *(byte**)p;
            s_freeCount--;
        }
        else
        {
            p = FreshFrame();
        }
        UnlockFrames(flags);
        if (p != null)
        {
            Cpu.MemSet(p, 0, (nuint)PageBytes);
        }
        return p;
    }

    private static byte* FreshFrame()
    {
        var ranges = Ranges;
        for (; s_ranges.Current < s_ranges.Count; s_ranges.Current++)
        {
            var range = ranges + s_ranges.Current;
            if (range->Base < range->End)
            {
                range->End -= PageBytes;
                return (byte*)(DirectMap + range->End);
            }
        }
        if (s_heapEnd - s_heapNext < (long)PageBytes)
        {
            return null;
        }
        s_heapEnd -= PageBytes;
        return s_heapEnd;
    }

    /// <summary>Takes a frame back. Nothing may use or map it any more.</summary>
    public static void FreePage(void* p)
    {
        var flags = LockFrames();
        *(byte**)p = s_freeFrames;
        s_freeFrames = (byte*)p;
        s_freeCount++;
        UnlockFrames(flags);
    }

    // FR4: Allocating is raised before the lock is this core's, and no stack is touched between the two.
    private static nuint LockFrames()
    {
        var flags = Cpu.DisableInterrupts();
        var core = CurrentCore;
        while (true)
        {
            core->Allocating = 1;
            if (Interlocked.CompareExchange(ref s_frameLock, 1, 0) == 0)
            {
                return flags;
            }
            core->Allocating = 0;
            Cpu.Pause();
        }
    }

    private static void UnlockFrames(nuint flags)
    {
        Volatile.Write(ref s_frameLock, 0);
        CurrentCore->Allocating = 0;
        Cpu.RestoreInterrupts(flags);
    }

    // A heap that is full leaves this to stacks and to the runtime's structures.
    private static nuint KeptForFrames => s_totalMemory / 32 < MostKeptForFrames ? s_totalMemory / 32 : MostKeptForFrames;

    /// <summary>
    /// The next piece of the heap, of whole pages of HeapPageBytes; usually right after the last. What it holds is
    /// anything (FreshHeapIsZero). Null when memory is out.
    /// </summary>
    public static void* GrowHeap(nuint bytes)
    {
        bytes = (bytes + HeapPageBytes - 1) & ~(HeapPageBytes - 1);
        var flags = LockFrames();
        byte* p = null;
        if (FreeMemory >= KeptForFrames && bytes <= FreeMemory - KeptForFrames)
        {
            p = TakePiece(ref s_heapNext, s_heapEnd, bytes);
            for (var i = s_ranges.Current; p == null && i < s_ranges.Count; i++)
            {
                var from = (byte*)(DirectMap + Ranges[i].Base);
                p = TakePiece(ref from, (byte*)(DirectMap + Ranges[i].End), bytes);
                Ranges[i].Base = (ulong)from - DirectMap;
            }
        }
        UnlockFrames(flags);
        return p;
    }

    private static byte* TakePiece(ref byte* from, byte* end, nuint bytes)
    {
        var p = (byte*)(((ulong)from + HeapPageBytes - 1) & ~(ulong)(HeapPageBytes - 1));
        if (p > end || bytes > (nuint)(end - p))
        {
            return null;
        }
        from = p + bytes;
        return p;
    }
}
