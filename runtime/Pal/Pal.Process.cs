// Other processes, shared libraries, directory watching, mounts: none of it exists.
//
// PX1  Starting a process is refused when System.Diagnostics.Process sets itself up, before it looks for the file.
// PX2  Loading a library fails the way a missing library does (DllNotFoundException, TryLoad false): it is never there.
// Context: goroutine. Allocates: exceptions.
using System;
using System.Runtime;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Processes
{
    [RuntimeExport("SystemNative_RegisterForSigChld")]
    internal static void RegisterForSigChld(void* callback) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_SetDelayedSigChildConsoleConfigurationHandler")]
    internal static void SetDelayedSigChild(void* callback) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_ConfigureTerminalForChildProcess")]
    internal static void ConfigureTerminalForChildProcess(int enable) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_ForkAndExecProcess")]
    internal static int ForkAndExec(
        byte* file,
        byte** arguments,
        byte** environment,
        byte* directory,
        int redirectInput,
        int redirectOutput,
        int redirectError,
        int setUser,
        uint user,
        uint group,
        uint* groups,
        int groupCount,
        int* child,
        int* input,
        int* output,
        int* error) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_Kill")]
    internal static int Kill(int pid, int signal) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_WaitIdAnyExitedNoHangNoWait")]
    internal static int WaitIdAny() => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_WaitPidExitedNoHang")]
    internal static int WaitPid(int pid, int* exitCode) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_GetPriority")]
    internal static int GetPriority(int which, int who) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_SetPriority")]
    internal static int SetPriority(int which, int who, int nice) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_SchedGetAffinity")]
    internal static int SchedGetAffinity(int pid, nint* mask) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_SchedSetAffinity")]
    internal static int SchedSetAffinity(int pid, nint* mask) => throw Unsupported.Processes();

    [RuntimeExport("SystemNative_LoadLibrary")]
    internal static void* LoadLibrary(byte* path) => null;

    [RuntimeExport("SystemNative_GetLoadLibraryError")]
    internal static byte* GetLoadLibraryError()
    {
        ReadOnlySpan<byte> text = "a unikernel loads no libraries: link what is needed into the image\0"u8;
        return (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(
            ref System.Runtime.InteropServices.MemoryMarshal.GetReference(text));     // in the image, never moves
    }

    [RuntimeExport("SystemNative_GetProcAddress")]
    internal static void* GetProcAddress(void* library, byte* name) => null;

    [RuntimeExport("SystemNative_FreeLibrary")]
    internal static void FreeLibrary(void* library) => throw new PlatformNotSupportedException("No library was loaded.");

    [RuntimeExport("SystemNative_GetDefaultSearchOrderPseudoHandle")]
    internal static void* GetDefaultSearchOrderPseudoHandle() =>
        throw new PlatformNotSupportedException("A unikernel loads no libraries.");

    [RuntimeExport("SystemNative_INotifyInit")]
    internal static nint INotifyInit() => throw Unsupported.Files();

    [RuntimeExport("SystemNative_INotifyAddWatch")]
    internal static int INotifyAddWatch(nint fd, byte* path, uint mask) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_INotifyRemoveWatch")]
    internal static int INotifyRemoveWatch(nint fd, int watch) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_Pipe")]
    internal static int Pipe(int* descriptors, int flags) => throw Unsupported.Pipes();

    [RuntimeExport("SystemNative_FcntlCanGetSetPipeSz")]
    internal static int FcntlCanGetSetPipeSize() => 0;

    [RuntimeExport("SystemNative_FcntlGetPipeSz")]
    internal static int FcntlGetPipeSize(nint fd) => throw Unsupported.Pipes();

    [RuntimeExport("SystemNative_FcntlSetPipeSz")]
    internal static int FcntlSetPipeSize(nint fd, int bytes) => throw Unsupported.Pipes();

    [RuntimeExport("SystemNative_FcntlSetFD")]
    internal static int FcntlSetFlags(nint fd, int flags) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetPeerID")]
    internal static int GetPeerId(nint socket, uint* uid) => throw Unsupported.Pipes();

    [RuntimeExport("SystemNative_GetAllMountPoints")]
    internal static int GetAllMountPoints(void* callback, void* context) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetFileSystemTypeNameForMountPoint")]
    internal static int GetFileSystemTypeName(byte* path, byte* buffer, int length, long* type) => throw Unsupported.Files();

    [RuntimeExport("SystemNative_GetSpaceInfoForMountPoint")]
    internal static int GetSpaceInfo(byte* path, void* info) => throw Unsupported.Files();
}
