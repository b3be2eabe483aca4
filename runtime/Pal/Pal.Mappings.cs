// mmap for the class library: anonymous memory at page grain, reserved first, committed by MMap or MProtect.
//
// MA1  Mappings live in the kernel's region for them, 8 TiB of addresses. Reserving costs nothing but addresses; a page
//      has a frame exactly while it is committed.
// MA2  Memory is readable and writable, or not there: nothing is ever executable, and what is committed stays so until
//      it is unmapped.
// MA3  Free address ranges are kept in address order and merged.
// Context: goroutine. Allocates: frames, and range nodes off-heap.
using System;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Mappings
{
    private const ulong Start = Machine.MapRegionBase;
    private const ulong Bytes = Machine.MapRegionSize;
    private const nuint PageBytes = Memory.PageBytes;

    // The class library's own numbers (MemoryMappedProtections, MemoryMappedFlags).
    private const int ProtectWrite = 2;
    private const int ProtectExecute = 4;
    private const int ProtectReadWrite = 3;
    private const int MapAnonymous = 0x10;

    private struct Range
    {
        internal Range* Next;
        internal byte* Start;
        internal nuint Bytes;
    }

    private static SpinLock s_lock;
    private static Range* s_free;           // guarded by s_lock
    private static nuint s_used;            // guarded by s_lock; bytes of the region ever handed out

    [RuntimeExport("SystemNative_MMap")]
    internal static void* MMap(void* address, ulong length, int protection, int flags, nint fd, long offset)
    {
        if ((flags & MapAnonymous) == 0)
        {
            throw Unsupported.Files();
        }
        if (address != null)
        {
            throw new PlatformNotSupportedException("Memory cannot be mapped at a chosen address.");
        }
        CheckProtection(protection);
        if (length == 0 || length > Bytes)
        {
            return Fail(length == 0 ? Errno.Einval : Errno.Enomem);
        }
        nuint bytes = RoundUp((nuint)length);
        byte* p = TakeRange(bytes);
        if (p == null)
        {
            return Fail(Errno.Enomem);
        }
        if (protection != 0 && !Machine.CommitPages(p, bytes))
        {
            _ = MUnmap(p, bytes);
            return Fail(Errno.Enomem);
        }
        return p;
    }

    [RuntimeExport("SystemNative_MProtect")]
    internal static int MProtect(void* address, ulong length, int protection)
    {
        CheckProtection(protection);
        if ((protection & ProtectReadWrite) != ProtectReadWrite)
        {
            throw new PlatformNotSupportedException("Memory cannot be made read-only or inaccessible.");
        }
        if (!IsOurs(address, length))
        {
            return Errno.Fail(Errno.Einval);
        }
        return Machine.CommitPages(address, RoundUp((nuint)length)) ? 0 : Errno.Fail(Errno.Enomem);
    }

    [RuntimeExport("SystemNative_MUnmap")]
    internal static int MUnmap(void* address, ulong length)
    {
        if (!IsOurs(address, length))
        {
            return Errno.Fail(Errno.Einval);
        }
        nuint bytes = RoundUp((nuint)length);
        byte* p = (byte*)address;
        Machine.DecommitPages(p, bytes);
        return GiveRange(p, bytes) ? 0 : Errno.Fail(Errno.Enomem);
    }

    [RuntimeExport("SystemNative_MSync")]
    internal static int MSync(void* address, ulong length, int flags) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MAdvise")]
    internal static int MAdvise(void* address, ulong length, int advice) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_IsMemfdSupported")]
    internal static int IsMemfdSupported() => 0;

    [RuntimeExport("SystemNative_MemfdCreate")]
    internal static nint MemfdCreate(byte* name, int isReadOnly) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ShmOpen")]
    internal static nint ShmOpen(byte* name, int flags, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ShmUnlink")]
    internal static int ShmUnlink(byte* name) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_SysConf")]
    internal static long SysConf(int name)
    {
        const int clockTicks = 1;
        const int pageSize = 2;
        const int ticksPerSecond = 100;
        return name switch
        {
            clockTicks => ticksPerSecond,
            pageSize => (long)PageBytes,
            _ => Errno.Fail(Errno.Einval),
        };
    }

    private static nuint RoundUp(nuint bytes) => (bytes + PageBytes - 1) & ~(PageBytes - 1);

    private static void* Fail(int error) => (void*)(nint)Errno.Fail(error);

    private static void CheckProtection(int protection)
    {
        if ((protection & ProtectExecute) != 0)
        {
            throw new PlatformNotSupportedException("Memory is never executable: code is not made at run time.");
        }
        if (protection != 0 && (protection & ProtectWrite) == 0)
        {
            throw new PlatformNotSupportedException("Memory is always writable.");
        }
    }

    private static bool IsOurs(void* address, ulong length)
    {
        ulong at = (ulong)address;
        return at % PageBytes == 0 && at >= Start && at - Start < s_used && length != 0 && length <= s_used - (at - Start);
    }

    private static byte* TakeRange(nuint bytes)
    {
        s_lock.Acquire();
        byte* p = Take(bytes);
        s_lock.Release();
        return p;
    }

    private static bool GiveRange(byte* p, nuint bytes)
    {
        s_lock.Acquire();
        bool done = Give(p, bytes);
        s_lock.Release();
        return done;
    }

    private static byte* Take(nuint bytes)
    {
        Range* previous = null;
        for (Range* r = s_free; r != null; previous = r, r = r->Next)
        {
            if (r->Bytes < bytes)
            {
                continue;
            }
            byte* p = r->Start;
            r->Start += bytes;
            r->Bytes -= bytes;
            if (r->Bytes == 0)
            {
                Remove(previous, r);
            }
            return p;
        }
        if (bytes > Bytes - s_used)
        {
            return null;
        }
        byte* fresh = (byte*)(Start + s_used);
        s_used += bytes;
        return fresh;
    }

    private static bool Give(byte* p, nuint bytes)
    {
        Range* previous = null;
        Range* next = s_free;
        while (next != null && next->Start < p)
        {
            previous = next;
            next = next->Next;
        }
        if (next != null && p + bytes == next->Start)
        {
            next->Start = p;
            next->Bytes += bytes;
            if (previous != null && previous->Start + previous->Bytes == p)
            {
                previous->Bytes += next->Bytes;
                Remove(previous, next);
            }
            return true;
        }
        if (previous != null && previous->Start + previous->Bytes == p)
        {
            previous->Bytes += bytes;
            return true;
        }
        Range* made = (Range*)Memory.Malloc((nuint)sizeof(Range));
        if (made == null)
        {
            return false;
        }
        made->Start = p;
        made->Bytes = bytes;
        made->Next = next;
        if (previous == null)
        {
            s_free = made;
        }
        else
        {
            previous->Next = made;
        }
        return true;
    }

    private static void Remove(Range* previous, Range* r)
    {
        if (previous == null)
        {
            s_free = r->Next;
        }
        else
        {
            previous->Next = r->Next;
        }
        Memory.Free(r);
    }
}
