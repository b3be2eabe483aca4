// File descriptors 0, 1 and 2: the serial console.
//
// The class library is told that they are not terminals: then Console is a plain reader and writer on them, looks for
// no terminal description, and the line discipline here (Terminal.cs) does the editing.
// Context: goroutine. Allocates: no.
using System;
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class PalConsole
{
    private static bool IsConsole(nint fd) => fd is >= 0 and <= 2;

    [RuntimeExport("SystemNative_Write")]
    internal static int Write(nint fd, byte* p, int n)
    {
        if (fd is not (1 or 2) || n < 0)
        {
            return Errno.Fail(Errno.Ebadf);
        }
        Machine.ConsoleWrite(p, (nuint)n);
        return n;
    }

    [RuntimeExport("SystemNative_Read")]
    internal static int Read(nint fd, byte* p, int n) =>
        fd == 0 && n >= 0 ? Terminal.Read(new Span<byte>(p, n)) : Errno.Fail(Errno.Ebadf);

    [RuntimeExport("SystemNative_ReadStdin")]
    internal static int ReadStdin(byte* p, int n) => Read(0, p, n);

    [RuntimeExport("SystemNative_Log")]
    internal static void Log(byte* p, int n) => Machine.Print(p, (nuint)n);

    [RuntimeExport("SystemNative_LogError")]
    internal static void LogError(byte* p, int n) => Machine.Print(p, (nuint)n);

    [RuntimeExport("SystemNative_IsATty")]
    internal static int IsATty(nint fd)
    {
        Errno.Fail(Errno.Enotty);
        return 0;
    }

    [RuntimeExport("SystemNative_Dup")]
    internal static nint Dup(nint fd) => IsConsole(fd) ? fd : Errno.Fail(Errno.Ebadf);

    [RuntimeExport("SystemNative_Close")]
    internal static int Close(nint fd) => IsConsole(fd) ? 0 : Errno.Fail(Errno.Ebadf);

    [RuntimeExport("SystemNative_LSeek")]
    internal static long LSeek(nint fd, long offset, int whence) => Errno.Fail(IsConsole(fd) ? Errno.Espipe : Errno.Ebadf);

    // A pipe as far as the class library can tell: no position, no length.
    [RuntimeExport("SystemNative_FStat")]
    internal static int FStat(nint fd, long* status)
    {
        const int words = 15;               // FileStatus is 120 bytes or less
        const int fifo = 0x1000;
        if (!IsConsole(fd))
        {
            return Errno.Fail(Errno.Ebadf);
        }
        new Span<long>(status, words - 1).Clear();
        ((int*)status)[1] = fifo;           // Flags, Mode
        return 0;
    }

    [RuntimeExport("SystemNative_GetWindowSize")]
    internal static int GetWindowSize(nint fd, void* size) => Errno.Fail(Errno.Enotty);

    [RuntimeExport("SystemNative_SetWindowSize")]
    internal static int SetWindowSize(void* size) => Errno.Fail(Errno.Enotty);

    [RuntimeExport("SystemNative_Poll")]
    internal static int Poll(void* events, uint count, int timeout, uint* triggered) =>
        throw new PlatformNotSupportedException("File descriptors cannot be polled.");

    // Terminal set-up: these descriptors are no terminals, so there is nothing to set up or to put back.
    [RuntimeExport("SystemNative_InitializeTerminalAndSignalHandling")]
    internal static int InitializeTerminal() => 1;

    [RuntimeExport("SystemNative_UninitializeTerminal")]
    internal static void UninitializeTerminal()
    {
    }

    [RuntimeExport("SystemNative_InitializeConsoleBeforeRead")]
    internal static void InitializeConsoleBeforeRead(int minChars, int decisecondsTimeout)
    {
    }

    [RuntimeExport("SystemNative_UninitializeConsoleAfterRead")]
    internal static void UninitializeConsoleAfterRead()
    {
    }

    [RuntimeExport("SystemNative_SetKeypadXmit")]
    internal static void SetKeypadXmit(nint fd, byte* sequence)
    {
    }

    [RuntimeExport("SystemNative_SetTerminalInvalidationHandler")]
    internal static void SetTerminalInvalidationHandler(void* handler)
    {
    }

    [RuntimeExport("SystemNative_GetControlCharacters")]
    internal static void GetControlCharacters(int* names, byte* values, int count, byte* disabled)
    {
        *disabled = 0;
        new Span<byte>(values, count).Clear();
    }

    [RuntimeExport("SystemNative_StdinReady")]
    internal static int StdinReady() => 0;

    [RuntimeExport("SystemNative_GetSignalForBreak")]
    internal static int GetSignalForBreak() => 0;

    [RuntimeExport("SystemNative_SetSignalForBreak")]
    internal static int SetSignalForBreak(int signal) => throw new PlatformNotSupportedException("There are no signals.");
}
