// The end by an exception nobody catches: Go's report, exit code 2.
//
// PN1  CoreLib calls in the first pass of exception dispatch, before anything is unwound: no finally block has run.
// PN2  What can call into the program (messages) is asked before the report begins and may fail; the report itself
//      reads only.
// Context: goroutine. Allocates: the messages. Reference: Go's printpanics, GOTRACEBACK=single.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

[MayAlloc("the end of a goroutine of the program: asks its exceptions for their messages before anything is frozen")]
internal static unsafe class Panic
{
    private const int MaxInner = 8;
    private const int EdiSeparator = 1;         // CoreLib's mark between the traces of a re-dispatched exception
    private const int MaxFrames = 100;

    // ExInfo.Kind of CoreLib.
    private const int KindMask = 3;
    private const int HardwareFault = 2;

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("OnUnhandledException")]
    private static extern void NotifyProgram(object exception);

    /// <summary>What exception dispatch calls when nobody catches, in CoreLib's place (runtime/Abi/Startup.S).</summary>
    [RuntimeExport("AbiOnUnhandledException")]
    internal static void OnUnhandled(object exception)
    {
        try
        {
            NotifyProgram(exception);           // AppDomain.UnhandledException
        }
        catch (Exception)
        {
            // PN2
        }
        Unhandled((Exception)exception);
    }

    /// <summary>Reports <paramref name="e"/> in Go's way and ends the machine.</summary>
    internal static void Unhandled(Exception e)
    {
        Report r = default;
        Gather(ref r, e);
        Throw.Begin();
        TraceWriter w = default;
        w.Write("panic: "u8);
        PrintText(&w, e, r.Texts, 0);
        int i = 1;
        for (Exception? inner = e.InnerException; inner != null && i <= MaxInner; inner = inner.InnerException)
        {
            w.Write("\tcaused by: "u8);
            PrintText(&w, inner, r.Texts, i++);
        }
        Traceback.PrintHeader(&w, Proc.GetG());
        if (!PrintTrace(&w, e, IsHardware(Proc.GetG())))
        {
            UnwindContext c;
            Unwinder.CaptureContext(&c);
            Traceback.PrintFrames(&w, &c, false, false);
        }
        Traceback.PrintCreator(&w, Proc.GetG());
        i = 1;
        for (Exception? inner = e.InnerException; inner != null && i <= MaxInner; inner = inner.InnerException)
        {
            w.Write("\ncaused by: "u8);
            PrintText(&w, inner, r.Texts, i++);
            _ = PrintTrace(&w, inner, false);
        }
        Throw.End();
    }

    private struct Report
    {
        internal string?[]? Texts;
    }

    // Type and message of each; whatever goes wrong there leaves a gap.
    private static void Gather(ref Report r, Exception e)
    {
        try
        {
            r.Texts = new string?[MaxInner + 1];
            int i = 0;
            for (Exception? at = e; at != null && i <= MaxInner; at = at.InnerException)
            {
                r.Texts[i++] = Text(at);
            }
        }
        catch (Exception)
        {
            // PN2
        }
    }

    private static string Text(Exception e)
    {
        string type = e.GetType().ToString();
        try
        {
            return e is GoPanicException ? e.Message : type + ": " + e.Message;
        }
        catch (Exception)
        {
            return type;
        }
    }

    private static void PrintText(TraceWriter* w, Exception e, string?[]? texts, int index)
    {
        string? text = texts?[index];
        if (text == null)
        {
            w->Write(e is OutOfMemoryException ? "System.OutOfMemoryException"u8 : "an exception that cannot say what it is"u8);
        }
        w->Write(text);
        w->Write("\n"u8);
    }

    private static bool IsHardware(G* gp)
    {
        ExInfo* ex = (ExInfo*)gp->ExInfoHead;
        return ex != null && (ex->Kind & KindMask) == HardwareFault;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_corDbgStackTrace")]
    private static extern ref nint[]? StackAddresses(Exception e);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_idxFirstFreeStackTraceEntry")]
    private static extern ref int StackAddressCount(Exception e);

    // The return addresses dispatch has collected, innermost first. False when there are none.
    private static bool PrintTrace(TraceWriter* w, Exception e, bool isHardware)
    {
        nint[]? addresses = StackAddresses(e);
        int count = addresses == null ? 0 : Math.Min(StackAddressCount(e), addresses.Length);
        while (count > 0 && Traceback.IsStart((nuint)addresses![count - 1], false))
        {
            count--;
        }
        int elided = count - MaxFrames;
        for (int i = 0; i < count; i++)
        {
            if (elided > 0 && i == MaxFrames / 2)
            {
                w->Write("..."u8);
                w->Write(elided);
                w->Write(" frames elided...\n"u8);
                i += elided;
            }
            if (addresses![i] != EdiSeparator)
            {
                Traceback.PrintFrame(w, (nuint)addresses[i], isHardware && i == 0);
            }
        }
        return count > 0;
    }
}
