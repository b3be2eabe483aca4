// Unhandled exceptions: Go's panic report, then exit code 2.
//
// PN1  Reached from CoreLib's dispatcher in the first pass, so the goroutine's stack is as it was at the throw.
// Context: goroutine. Allocates: the text of the message.
// Reference: Go src/runtime/panic.go (printpanics, fatalpanic).
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Text;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Panic
{
    private const int ExitCode = 2;
    private static bool s_isReporting;

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("OnUnhandledException")]
    private static extern void NotifyProgram(object exception);

    /// <summary>Takes CoreLib's place in the class library table: the program's handlers first, then the report.</summary>
    [RuntimeExport("AbiOnUnhandledException")]
    internal static void OnUnhandled(object exception)
    {
        if (!s_isReporting)
        {
            s_isReporting = true;
            try
            {
                NotifyProgram(exception);       // AppDomain.UnhandledException
                Print(exception);
            }
            catch (Exception)
            {
                Machine.Print("panic: (its message cannot be printed)"u8);
            }
        }
        Machine.Print("\n"u8);
        Traceback.Thrown(Proc.GetG());
        Machine.Exit(ExitCode);
    }

    private static void Print(object exception)
    {
        Machine.Print("panic: "u8);
        Text(Describe(exception));
        for (Exception? e = (exception as Exception)?.InnerException; e != null; e = e.InnerException)
        {
            Machine.Print("\n\tcaused by: "u8);
            Text(Describe(e));
        }
    }

    private static string Describe(object exception) => exception switch
    {
        GoPanicException g => g.Message,
        Exception e => $"{e.GetType().FullName}: {e.Message}",
        _ => exception.ToString() ?? "",
    };

    private static void Text(string s)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(s);
        Machine.Print(utf8);
    }
}
