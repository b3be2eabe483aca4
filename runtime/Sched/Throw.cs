// Fatal errors: what cannot be recovered from stops the machine and says what is known. Exit code 2, as in Go.
//
// TW1  The other cores are frozen first. Nothing here allocates, parks or throws; a second fatal error while one is reported ends the machine at once.
// Context: anywhere. Reference: Go's panic.go (throw, fatal), GOTRACEBACK.
using System;
using System.Diagnostics.CodeAnalysis;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Throw
{
    internal const int ExitCode = 2;

    private static int s_dyingCore;             // 0 = none, else its id + 1; atomic

    /// <summary>A broken invariant of the runtime: every goroutine's trace, this one's with the runtime's own frames.</summary>
    [DoesNotReturn]
    internal static void Fatal(ReadOnlySpan<byte> text)
    {
        Begin();
        Report(text);
        Traceback.PrintAll(true);
        End();
    }

    /// <summary>A program's mistake that Go makes fatal: every goroutine's trace.</summary>
    [DoesNotReturn]
    internal static void FatalUser(ReadOnlySpan<byte> text)
    {
        Begin();
        Report(text);
        Traceback.PrintAll(false);
        End();
    }

    /// <summary>Fault context: the trace of the goroutine that <paramref name="f"/> interrupted.</summary>
    [DoesNotReturn]
    internal static void FatalTrap(ReadOnlySpan<byte> text, TrapFrame* f)
    {
        Begin();
        Report(text);
        Traceback.PrintTrapped(f, false);
        End();
    }

    /// <summary>To be called before a report is printed.</summary>
    internal static void Begin()
    {
        ThisCore.Acquire();
        _ = Machine.DisableInterrupts();
        int self = Machine.CurrentCore->Id + 1;
        if (Atomic.Load(ref s_dyingCore) == self)
        {
            Machine.Exit(ExitCode);
        }
        while (!Atomic.Swap(ref s_dyingCore, 0, self))
        {
            Machine.Halt();                     // another core reports, and ends the machine
        }
        Machine.FreezeOthers();
    }

    [DoesNotReturn]
    internal static void End()
    {
        Machine.Exit(ExitCode);
        while (true)
        {
            Machine.Halt();
        }
    }

    private static void Report(ReadOnlySpan<byte> text)
    {
        Machine.Print("fatal error: "u8);
        Machine.Print(text);
        Machine.Print("\n"u8);
    }
}
