// Files: there are none. Looking for one finds nothing; making or opening one is refused.
//
// PF1  Questions about a path (Stat, Access, ReadLink) answer "no such file": File.Exists is false, probes of the
//      class library for optional files go on without. Only "/" is there: a directory, since it is the current one.
// PF2  Everything that would use or change a file system throws PlatformNotSupportedException.
// PF3  Opening for reading below the directories of time zones and terminal descriptions answers "no such file" too:
//      the class library opens those on its own and turns the answer into its own (TimeZoneNotFoundException).
// Context: goroutine. Allocates: exceptions.
using System;
using System.Runtime;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Files
{
    private const int OpenAccessMask = 0xF;         // the class library's OpenFlags: access mode, 0 = read only
    private const int OpenCreate = 0x20;

    [RuntimeExport("SystemNative_Stat")]
    internal static int Stat(byte* path, PalConsole.FileStatus* status)
    {
        const int readableDirectory = 0x4000 | 0x16D;       // r-xr-xr-x
        if (!IsRoot(path))
        {
            return Errno.Fail(Errno.Enoent);
        }
        *status = default;
        status->Mode = readableDirectory;
        return 0;
    }

    [RuntimeExport("SystemNative_LStat")]
    internal static int LStat(byte* path, PalConsole.FileStatus* status) => Stat(path, status);

    [RuntimeExport("SystemNative_Access")]
    internal static int Access(byte* path, int mode)
    {
        const int write = 2;
        if (!IsRoot(path))
        {
            return Errno.Fail(Errno.Enoent);
        }
        return (mode & write) == 0 ? 0 : Errno.Fail(Errno.Erofs);
    }

    private static bool IsRoot(byte* path) => path[0] == (byte)'/' && path[1] == 0;

    [RuntimeExport("SystemNative_ReadLink")]
    internal static int ReadLink(byte* path, byte* buffer, int length) => Errno.Fail(Errno.Enoent);

    [RuntimeExport("SystemNative_RealPath")]
    internal static byte* RealPath(byte* path)
    {
        Errno.Fail(Errno.Enoent);
        return null;
    }

    [RuntimeExport("SystemNative_CanGetHiddenFlag")]
    internal static int CanGetHiddenFlag() => 0;

    [RuntimeExport("SystemNative_LChflagsCanSetHiddenFlag")]
    internal static int CanSetHiddenFlag() => 0;

    [RuntimeExport("SystemNative_Open")]
    internal static nint Open(byte* path, int flags, int mode)
    {
        if ((flags & (OpenAccessMask | OpenCreate)) == 0 && IsProbed(CText.Of(path)))
        {
            return Errno.Fail(Errno.Enoent);
        }
        throw Unsupported.Files();
    }

    // PF3
    private static bool IsProbed(ReadOnlySpan<byte> path) =>
        path.StartsWith("/usr/share/zoneinfo/"u8) || path.IndexOf("/terminfo/"u8) >= 0;

    [RuntimeExport("SystemNative_OpenDir")]
    internal static void* OpenDir(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ReadDir")]
    internal static int ReadDir(void* dir, void* entry) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_CloseDir")]
    internal static int CloseDir(void* dir) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MkDir")]
    internal static int MkDir(byte* path, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_RmDir")]
    internal static int RmDir(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ChDir")]
    internal static int ChDir(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_Unlink")]
    internal static int Unlink(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_Rename")]
    internal static int Rename(byte* from, byte* to) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_Link")]
    internal static int Link(byte* from, byte* to) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_SymLink")]
    internal static int SymLink(byte* target, byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MkFifo")]
    internal static int MkFifo(byte* path, uint mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MkNod")]
    internal static int MkNod(byte* path, uint mode, uint major, uint minor) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetDeviceIdentifiers")]
    internal static void GetDeviceIdentifiers(ulong device, uint* major, uint* minor) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MksTemps")]
    internal static nint MksTemps(byte* path, int suffix) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MkdTemp")]
    internal static byte* MkdTemp(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ChMod")]
    internal static int ChMod(byte* path, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FChMod")]
    internal static int FChMod(nint fd, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FChflags")]
    internal static int FChflags(nint fd, uint flags) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_LChflags")]
    internal static int LChflags(byte* path, uint flags) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FLock")]
    internal static int FLock(nint fd, int operation) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_LockFileRegion")]
    internal static int LockFileRegion(nint fd, long offset, long length, short kind) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FTruncate")]
    internal static int FTruncate(nint fd, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FAllocate")]
    internal static int FAllocate(nint fd, long offset, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FSync")]
    internal static int FSync(nint fd) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PRead")]
    internal static int PRead(nint fd, byte* buffer, int length, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PWrite")]
    internal static int PWrite(nint fd, byte* buffer, int length, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PReadV")]
    internal static long PReadV(nint fd, void* vectors, int count, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PWriteV")]
    internal static long PWriteV(nint fd, void* vectors, int count, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PosixFAdvise")]
    internal static int PosixFAdvise(nint fd, long offset, long length, int advice) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PathConf")]
    internal static int PathConf(byte* path, int name) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetFileSystemType")]
    internal static uint GetFileSystemType(nint fd) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_CopyFile")]
    internal static int CopyFile(nint from, nint to, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_UTimensat")]
    internal static int UTimensat(byte* path, void* times) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FUTimens")]
    internal static int FUTimens(nint fd, void* times) => throw Unsupported.Files();
}
