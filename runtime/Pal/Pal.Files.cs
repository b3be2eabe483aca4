// Files: there are none. Looking for one finds nothing; making or opening one is refused.
//
// PF1  Questions about a path (Stat, Access, ReadLink) answer "no such file": File.Exists is false, probes of the
//      class library for optional files (time zones, terminal descriptions) go on without.
// PF2  Everything that would use or change a file system throws PlatformNotSupportedException.
// Context: goroutine. Allocates: exceptions.
using System.Runtime;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Files
{
    [RuntimeExport("SystemNative_Stat")]
    internal static int Stat(byte* path, void* status) => Errno.Fail(Errno.Enoent);

    [RuntimeExport("SystemNative_LStat")]
    internal static int LStat(byte* path, void* status) => Errno.Fail(Errno.Enoent);

    [RuntimeExport("SystemNative_Access")]
    internal static int Access(byte* path, int mode) => Errno.Fail(Errno.Enoent);

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
    internal static nint Open(byte* path, int flags, int mode) => throw Unsupported.Files();

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

    [RuntimeExport("SystemNative_MksTemps")]
    internal static nint MksTemps(byte* path, int suffix) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_MkdTemp")]
    internal static byte* MkdTemp(byte* path) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_ChMod")]
    internal static int ChMod(byte* path, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FChMod")]
    internal static int FChMod(nint fd, int mode) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FLock")]
    internal static int FLock(nint fd, int operation) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FTruncate")]
    internal static int FTruncate(nint fd, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FAllocate")]
    internal static int FAllocate(nint fd, long offset, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FSync")]
    internal static int FSync(nint fd) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PRead")]
    internal static int PRead(nint fd, void* buffer, int length, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PWrite")]
    internal static int PWrite(nint fd, void* buffer, int length, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PReadV")]
    internal static long PReadV(nint fd, void* vectors, int count, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PWriteV")]
    internal static long PWriteV(nint fd, void* vectors, int count, long offset) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_PosixFAdvise")]
    internal static int PosixFAdvise(nint fd, long offset, long length, int advice) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetFileSystemType")]
    internal static uint GetFileSystemType(nint fd) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_CopyFile")]
    internal static int CopyFile(nint from, nint to, long length) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_UTimensat")]
    internal static int UTimensat(byte* path, void* times) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_FUTimens")]
    internal static int FUTimens(nint fd, void* times) => throw Unsupported.Files();
}

/// <summary>
/// What the class library asks of OpenSSL. Random bytes exist here; everything else is refused by name.
/// </summary>
internal static unsafe class Crypto
{
    [RuntimeExport("CryptoNative_EnsureOpenSslInitialized")]
    internal static int EnsureInitialized() => 0;       // called before any of the below, also before GetRandomBytes

    [RuntimeExport("CryptoNative_GetRandomBytes")]
    internal static int GetRandomBytes(byte* p, int n)
    {
        Clocks.GetRandomBytes(p, n);
        return 1;
    }

    [RuntimeExport("CryptoNative_ErrGetExceptionError")]
    internal static int ErrGetExceptionError(int* isAllocationFailure) => throw Unsupported.Crypto();

    [RuntimeExport("CryptoNative_ErrErrorStringN")]
    internal static void ErrErrorString(ulong error, byte* buffer, int length) => throw Unsupported.Crypto();

    [RuntimeExport("CryptoNative_GetMaxMdSize")]
    internal static int GetMaxMdSize() => throw Unsupported.Crypto();
}
