// malloc for the class library (NativeMemory, Marshal.AllocHGlobal, its own tables).
//
// PM1  Blocks up to 2 KiB come in power-of-two classes cut from page frames and return to their class's list; larger
//      ones are whole runs of pages from the heap's growth, kept in a list and reused first fit.
// PM2  16 bytes in front of every block hold its size; results are 16-byte aligned.
// Context: goroutine. Allocates: off-heap.
using System;
using System.Runtime;
using System.Runtime.InteropServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Memory
{
    private const nuint HeaderBytes = 16;
    private const nuint PageBytes = 4096;
    private const int SmallestShift = 5;
    private const int LargestShift = 11;

    [StructLayout(LayoutKind.Sequential)]
    private struct Block
    {
        internal nuint Size;        // with the header
        internal Block* Next;       // while free
    }

    [System.Runtime.CompilerServices.InlineArray(LargestShift + 1)]
    private struct Lists
    {
        private nuint _first;
    }

    private static Lists s_free;
    private static Block* s_large;

    [RuntimeExport("SystemNative_Malloc")]
    internal static void* Malloc(nuint bytes)
    {
        if (bytes > nuint.MaxValue / 2)
        {
            return null;
        }
        nuint need = bytes + HeaderBytes;
        int shift = SmallestShift;
        while (shift <= LargestShift && need > (nuint)1 << shift)
        {
            shift++;
        }
        Block* b = shift <= LargestShift ? Small(shift) : Large((need + PageBytes - 1) & ~(PageBytes - 1));
        return b == null ? null : (byte*)b + HeaderBytes;
    }

    private static Block* Small(int shift)
    {
        Block* b = (Block*)s_free[shift];
        if (b == null)
        {
            byte* page = (byte*)Machine.AllocPage();
            if (page == null)
            {
                return null;
            }
            nuint size = (nuint)1 << shift;
            for (nuint at = 0; at < PageBytes; at += size)
            {
                Block* next = (Block*)(page + at);
                next->Size = size;
                next->Next = b;
                b = next;
            }
        }
        s_free[shift] = (nuint)b->Next;
        return b;
    }

    private static Block* Large(nuint size)
    {
        Block* previous = null;
        for (Block* b = s_large; b != null; previous = b, b = b->Next)
        {
            if (b->Size >= size)
            {
                if (previous == null)
                {
                    s_large = b->Next;
                }
                else
                {
                    previous->Next = b->Next;
                }
                return b;
            }
        }
        Block* fresh = (Block*)Machine.GrowHeap(size);
        if (fresh != null)
        {
            fresh->Size = size;
        }
        return fresh;
    }

    [RuntimeExport("SystemNative_Free")]
    internal static void Free(void* p)
    {
        if (p == null)
        {
            return;
        }
        Block* b = (Block*)((byte*)p - HeaderBytes);
        if (b->Size >= PageBytes)
        {
            b->Next = s_large;
            s_large = b;
            return;
        }
        int shift = SmallestShift;
        while (b->Size > (nuint)1 << shift)
        {
            shift++;
        }
        b->Next = (Block*)s_free[shift];
        s_free[shift] = (nuint)b;
    }

    [RuntimeExport("SystemNative_Calloc")]
    internal static void* Calloc(nuint count, nuint size)
    {
        if (size != 0 && count > nuint.MaxValue / 2 / size)
        {
            return null;
        }
        void* p = Malloc(count * size);
        if (p != null)
        {
            NativeMemory.Clear(p, count * size);
        }
        return p;
    }

    [RuntimeExport("SystemNative_Realloc")]
    internal static void* Realloc(void* p, nuint bytes)
    {
        void* q = Malloc(bytes);
        if (p == null || q == null)
        {
            return q;
        }
        nuint old = ((Block*)((byte*)p - HeaderBytes))->Size - HeaderBytes;
        NativeMemory.Copy(p, q, old < bytes ? old : bytes);
        Free(p);
        return q;
    }

    // Over-allocates and remembers where the block starts, in the word before the result.
    [RuntimeExport("SystemNative_AlignedAlloc")]
    internal static void* AlignedAlloc(nuint alignment, nuint bytes)
    {
        if (bytes > nuint.MaxValue / 4 || alignment > nuint.MaxValue / 4)
        {
            return null;
        }
        byte* p = (byte*)Malloc(bytes + alignment + (nuint)sizeof(void*));
        if (p == null)
        {
            return null;
        }
        byte* aligned = (byte*)(((nuint)p + (nuint)sizeof(void*) + alignment - 1) & ~(alignment - 1));
        ((void**)aligned)[-1] = p;
        return aligned;
    }

    [RuntimeExport("SystemNative_AlignedFree")]
    internal static void AlignedFree(void* p)
    {
        if (p != null)
        {
            Free(((void**)p)[-1]);
        }
    }

    [RuntimeExport("SystemNative_AlignedRealloc")]
    internal static void* AlignedRealloc(void* p, nuint alignment, nuint bytes)
    {
        void* q = AlignedAlloc(alignment, bytes);
        if (p == null || q == null)
        {
            return q;
        }
        byte* start = (byte*)((void**)p)[-1];
        nuint old = ((Block*)(start - HeaderBytes))->Size - HeaderBytes - (nuint)((byte*)p - start);
        NativeMemory.Copy(p, q, old < bytes ? old : bytes);
        AlignedFree(p);
        return q;
    }

    private const int MapAnonymous = 0x10;
    private const int ProtectNone = 0;
    private const int ProtectReadWrite = 3;
    private static byte* s_mapNext = (byte*)Machine.MapRegionBase;

    /// <summary>
    /// Anonymous memory: reserved (no access, no frames) or readable and writable. There are no files, and code is
    /// never made at run time. Addresses are not used twice: the region is 8 TiB.
    /// </summary>
    [RuntimeExport("SystemNative_MMap")]
    internal static void* MMap(void* address, nuint length, int protection, int flags, nint fd, long offset)
    {
        if ((flags & MapAnonymous) == 0 || address != null)
        {
            throw Unsupported.Files();
        }
        nuint bytes = (length + PageBytes - 1) & ~(PageBytes - 1);
        byte* p = s_mapNext;
        if (length == 0 || bytes < length || bytes > Machine.MapRegionSize - (nuint)(p - (byte*)Machine.MapRegionBase))
        {
            Errno.Fail(length == 0 ? Errno.Einval : Errno.Enomem);
            return (void*)-1;
        }
        s_mapNext += bytes + PageBytes;             // a page that stays unmapped between two
        if (MProtect(p, bytes, protection) != 0)
        {
            MUnmap(p, bytes);
            return (void*)-1;
        }
        return p;
    }

    [RuntimeExport("SystemNative_MUnmap")]
    internal static int MUnmap(void* address, nuint length)
    {
        for (nuint at = 0; at < length; at += PageBytes)
        {
            void* frame = Machine.UnmapPage((byte*)address + at);
            if (frame != null)
            {
                Machine.FreePage(frame);
            }
        }
        return 0;
    }

    /// <summary>Commits reserved pages. Protection is otherwise not changed: PlatformNotSupportedException.</summary>
    [RuntimeExport("SystemNative_MProtect")]
    internal static int MProtect(void* address, nuint length, int protection)
    {
        if (protection == ProtectNone)
        {
            return 0;                               // as reserved; committed pages are given back by MUnmap
        }
        if (protection != ProtectReadWrite)
        {
            throw new PlatformNotSupportedException("Mapped memory is readable and writable, never executable.");
        }
        for (nuint at = 0; at < length; at += PageBytes)
        {
            byte* page = (byte*)address + at;
            if (Machine.IsMapped(page))
            {
                continue;
            }
            void* frame = Machine.AllocPage();
            if (frame == null || !Machine.MapPage(page, frame))
            {
                return Errno.Fail(Errno.Enomem);
            }
        }
        return 0;
    }

    [RuntimeExport("SystemNative_SysConf")]
    internal static long SysConf(int name) => name == 2 ? (long)PageBytes : Errno.Fail(Errno.Einval);    // _SC_PAGESIZE is 2 in the enum
}
