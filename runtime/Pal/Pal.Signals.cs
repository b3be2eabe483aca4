// Signals: there is one source of them, Ctrl-C typed at the terminal while a program reads a line.
//
// SG1  Registering for any signal succeeds (hosts register for SIGTERM and the like as a matter of course); only SIGINT
//      is ever raised, and only while somebody has registered for it.
// SG2  A signal that no handler cancels ends the machine with exit code 2, unless its default is to be ignored.
// Context: goroutine. Allocates: no. Reference: signal(7); PosixSignalRegistration.
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Signals
{
    internal const int Sigint = 2;

    private const int Sigchld = 17;
    private const int Sigcont = 18;
    private const int Sigtstp = 20;
    private const int Sigttin = 21;
    private const int Sigttou = 22;
    private const int Sigurg = 23;
    private const int Sigwinch = 28;
    private const int Last = 64;
    private const int ExitCode = 2;                 // 128 + n, as shells have it, is more than an exit code holds here

    private const int PosixSigint = -2;             // PosixSignal.SIGINT

    private static delegate* unmanaged<int, int, int> s_handler;
    private static ulong s_enabled;                 // bit n - 1: somebody registered for signal n

    [RuntimeExport("SystemNative_GetPlatformSignalNumber")]
    internal static int GetPlatformSignalNumber(int signal) => signal switch
    {
        -1 => 1,            // SIGHUP
        PosixSigint => Sigint,
        -3 => 3,            // SIGQUIT
        -4 => 15,           // SIGTERM
        -5 => Sigchld,
        -6 => Sigcont,
        -7 => Sigwinch,
        -8 => Sigttin,
        -9 => Sigttou,
        -10 => Sigtstp,
        > 0 and <= Last => signal,
        _ => 0,
    };

    [RuntimeExport("SystemNative_SetPosixSignalHandler")]
    internal static void SetHandler(delegate* unmanaged<int, int, int> handler) => s_handler = handler;

    [RuntimeExport("SystemNative_EnablePosixSignalHandling")]
    internal static int Enable(int signal)
    {
        s_enabled |= Bit(signal);
        return 1;
    }

    [RuntimeExport("SystemNative_DisablePosixSignalHandling")]
    internal static void Disable(int signal) => s_enabled &= ~Bit(signal);

    [RuntimeExport("SystemNative_HandleNonCanceledPosixSignal")]
    internal static void HandleNonCanceled(int signal)
    {
        if (signal is not (Sigchld or Sigcont or Sigtstp or Sigttin or Sigttou or Sigurg or Sigwinch))
        {
            Machine.Exit(ExitCode);
        }
    }

    /// <summary>Ctrl-C: SIGINT for those who registered; the class library calls them on a thread of its own.</summary>
    internal static void RaiseInterrupt()
    {
        if (s_handler != null && (s_enabled & Bit(Sigint)) != 0 && s_handler(Sigint, PosixSigint) == 0)
        {
            HandleNonCanceled(Sigint);
        }
    }

    private static ulong Bit(int signal) => signal is > 0 and <= Last ? 1UL << (signal - 1) : 0;
}
