// Linux system calls by number; results are negative errno on failure.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

internal static unsafe class Linux
{
    internal const nint Read = 0;
    internal const nint Write = 1;
    internal const nint Open = 2;
    internal const nint Close = 3;
    internal const nint Mmap = 9;
    internal const nint RtSigaction = 13;
    internal const nint RtSigprocmask = 14;
    internal const nint Ioctl = 16;
    internal const nint Mprotect = 10;
    internal const nint SchedYield = 24;
    internal const nint Madvise = 28;
    internal const nint GetPid = 39;
    internal const nint Kill = 62;
    internal const nint SysInfo = 99;
    internal const nint SigAltStack = 131;
    internal const nint Prctl = 157;
    internal const nint ArchPrctl = 158;
    internal const nint GetTid = 186;
    internal const nint Futex = 202;
    internal const nint SchedSetAffinity = 203;
    internal const nint SchedGetAffinity = 204;
    internal const nint TimerCreate = 222;
    internal const nint TimerSetTime = 223;
    internal const nint ClockGetTime = 228;
    internal const nint ExitGroup = 231;
    internal const nint TgKill = 234;
    internal const nint Membarrier = 324;
    internal const nint GetRandom = 318;

    internal const int SigQuit = 3, SigIll = 4, SigTrap = 5, SigBus = 7, SigFpe = 8, SigSegv = 11, SigPipe = 13,
        SigTerm = 15, SigUrg = 23;

    internal const int Eintr = 4;

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxSyscall")]
    internal static extern nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    internal static nint Syscall(nint number, nint a, nint b) => Syscall(number, a, b, 0, 0, 0, 0);

    internal static nint Syscall(nint number, nint a, nint b, nint c) => Syscall(number, a, b, c, 0, 0, 0);

    internal static nint Syscall(nint number, nint a, nint b, nint c, nint d) => Syscall(number, a, b, c, d, 0, 0);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxClone")]
    internal static extern nint Clone(nint flags, void* stackTop, delegate*<void*, void> fn, void* arg);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxSignalEntry")]
    internal static extern void* SignalEntry();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxSignalRestorer")]
    internal static extern void* SignalRestorer();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxSwapIrqOff")]
    internal static extern nuint SwapIrqOff(nuint value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinuxIrqPending")]
    internal static extern int IrqPending();

    /// <summary>Private anonymous memory, read-write; negative errno on failure.</summary>
    internal static nint Map(ulong address, ulong bytes, int moreFlags)
    {
        const int readWrite = 3;
        const int privateAnonymous = 0x22;
        return Syscall(Mmap, (nint)address, (nint)bytes, readWrite, privateAnonymous | moreFlags, -1, 0);
    }
}
