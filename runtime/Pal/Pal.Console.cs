// File descriptors 0, 1 and 2: the serial console.
//
// PC1  The class library is told that they are not terminals: then Console is a plain reader and writer on them, looks
//      for no terminal description, and Console.ReadKey is refused by the class library itself. Line editing is done
//      here, by Tty, for whoever reads descriptor 0.
// PC2  A duplicate of a descriptor is the descriptor; closing one does nothing: the console never closes.
// Context: goroutine. Allocates: exceptions only.
using System;
using System.Runtime;
using System.Runtime.InteropServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class PalConsole
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct FileStatus
    {
        internal int Flags;
        internal int Mode;
        internal fixed long Rest[12];
    }

    internal static bool IsConsole(nint fd) => fd is >= 0 and <= 2;

    [RuntimeExport("SystemNative_Write")]
    internal static int Write(nint fd, byte* p, int n)
    {
        if (fd is not (1 or 2))
        {
            return Errno.Fail(Errno.Ebadf);
        }
        if (n < 0)
        {
            return Errno.Fail(Errno.Einval);
        }
        Machine.ConsoleWrite(p, (nuint)n);
        return n;
    }

    [RuntimeExport("SystemNative_Read")]
    internal static int Read(nint fd, byte* p, int n)
    {
        if (fd != 0)
        {
            return Errno.Fail(Errno.Ebadf);
        }
        return n < 0 ? Errno.Fail(Errno.Einval) : Tty.Read(new Span<byte>(p, n));
    }

    [RuntimeExport("SystemNative_ReadStdin")]
    internal static int ReadStdin(byte* p, int n) => Read(0, p, n);

    [RuntimeExport("SystemNative_Log")]
    internal static void Log(byte* p, int n) => LogError(p, n);

    [RuntimeExport("SystemNative_LogError")]
    internal static void LogError(byte* p, int n)
    {
        if (n > 0)
        {
            Machine.Print(p, (nuint)n);
        }
    }

    // The system log is the console. The class library's only format is "%s".
    [RuntimeExport("SystemNative_SysLog")]
    internal static void SysLog(int priority, byte* format, byte* text)
    {
        Machine.Print(CText.Of(text));
        Machine.Print("\n"u8);
    }

    [RuntimeExport("SystemNative_IsATty")]
    internal static int IsATty(nint fd)
    {
        Errno.Fail(IsConsole(fd) ? Errno.Enotty : Errno.Ebadf);
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
    internal static int FStat(nint fd, FileStatus* status)
    {
        const int fifo = 0x1000;
        if (!IsConsole(fd))
        {
            return Errno.Fail(Errno.Ebadf);
        }
        *status = default;
        status->Mode = fifo;
        return 0;
    }

    [RuntimeExport("SystemNative_GetWindowSize")]
    internal static int GetWindowSize(nint fd, void* size) => Errno.Fail(Errno.Enotty);

    [RuntimeExport("SystemNative_Poll")]
    internal static int Poll(void* events, uint count, int timeout, uint* triggered) =>
        throw new PlatformNotSupportedException("File descriptors cannot be polled.");

    // Terminal set-up: these descriptors are no terminals (PC1), so there is nothing to set up or to put back.
    [RuntimeExport("SystemNative_InitializeTerminalAndSignalHandling")]
    internal static int InitializeTerminal() => 1;

    [RuntimeExport("SystemNative_UninitializeTerminal")]
    internal static void UninitializeTerminal()
    {
    }

    [RuntimeExport("SystemNative_InitializeConsoleBeforeRead")]
    internal static void InitializeConsoleBeforeRead(byte minChars, byte decisecondsTimeout)
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

    // Called when the terminal's settings change: ours never do.
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
    internal static int StdinReady() => Tty.IsReady ? 1 : 0;

    // 1: Ctrl-C is a signal, not input.
    [RuntimeExport("SystemNative_GetSignalForBreak")]
    internal static int GetSignalForBreak() => 1;

    [RuntimeExport("SystemNative_SetSignalForBreak")]
    internal static int SetSignalForBreak(int signal) =>
        throw new PlatformNotSupportedException("Ctrl-C cannot be read as input here; Unikernel.Terminal reads single keys.");

    // Only terminal descriptions have formats to fill, and there are none (PC1).
    [RuntimeExport("SystemNative_SNPrintF_1S")]
    internal static int SnPrintS(byte* buffer, int length, byte* format, byte* argument) =>
        throw new PlatformNotSupportedException("Terminal descriptions are not interpreted.");

    [RuntimeExport("SystemNative_SNPrintF_1I")]
    internal static int SnPrintI(byte* buffer, int length, byte* format, int argument) =>
        throw new PlatformNotSupportedException("Terminal descriptions are not interpreted.");
}
