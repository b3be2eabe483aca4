// Goroutine traces in Go's form:
//
//   goroutine 7 [chan receive, 2 minutes]:
//   Namespace.Type.Method(...)
//           File.cs:12
//   created by Namespace.Type.Other in goroutine 1
//           File.cs:34
//
// TB1  Only reads: stacks, G structures, unwind tables, symbols. Nothing allocates, parks or throws.
// TB2  The runtime's own frames at the inner end (parking) and the outer end (start) are left out unless asked for; so are its
//      own goroutines.
// TB3  Of more than 100 frames the 50 innermost and the 50 outermost are printed; FastWalk passes over the rest.
// Context: anywhere, interrupt stacks included. Reference: Go's traceback.go.
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Traceback
{
    private const int MaxFrames = 100;
    private const int HalfFrames = MaxFrames / 2;
    private const int NameBytes = 512;
    private const int MaxHandlerFrames = 32;
    private const long NsPerMinute = 60_000_000_000;

    /// <summary>Everybody's trace while the other cores stand still; then they go on.</summary>
    internal static void Dump()
    {
        ThisCore.Acquire();
        Machine.FreezeOthers();
        PrintAll(false);
        Machine.ThawOthers();
        ThisCore.Release();
    }

    /// <summary>Ctrl-\ or SIGQUIT: Go's report of all goroutines, then exit code 2. Without a frame the caller is the one interrupted.</summary>
    internal static void OnQuit(TrapFrame* f) => Quit("SIGQUIT: quit\n"u8, f);

    /// <summary>The operator's other way to ask for it.</summary>
    internal static void OnNmi(TrapFrame* f) => Quit("\nNMI: quit\n"u8, f);

    private static void Quit(ReadOnlySpan<byte> title, TrapFrame* f)
    {
        Throw.Begin();
        Machine.Print(title);
        if (f == null)
        {
            PrintAll(false);
        }
        else
        {
            Machine.Print("PC=0x"u8);
            Machine.PrintHex(f->Rip, 1);
            Machine.Print(" m="u8);
            Machine.PrintDecimal((ulong)Machine.CurrentCore->Id);
            Machine.Print("\n"u8);
            PrintTrapped(f, Proc.GetG() == ThisCore.State->G0);
            TraceWriter w = default;
            PrintOthers(&w, Proc.GetG(), false);
            Machine.Print("\n"u8);
            Machine.PrintRegisters(f);
        }
        Throw.End();
    }

    /// <summary>What the runtime adds to the machine's report of a fatal trap.</summary>
    internal static void OnFatalTrap(TrapFrame* f)
    {
        PrintTrapped(f, true);
        TraceWriter w = default;
        PrintOthers(&w, Proc.GetG(), true);
    }

    /// <summary>The trace of the current goroutine, which <paramref name="f"/> interrupted.</summary>
    internal static void PrintTrapped(TrapFrame* f, bool withRuntime)
    {
        UnwindContext c = ContextOf(f);
        TraceWriter w = default;
        PrintCurrent(&w, &c, true, withRuntime);
    }

    private static UnwindContext ContextOf(TrapFrame* f)
    {
        UnwindContext c;
        c.Rip = (nuint)f->Rip;
        c.Rsp = (nuint)f->Rsp;
        c.Rbp = (nuint)f->Rbp;
        c.Rbx = (nuint)f->Rbx;
        c.R12 = (nuint)f->R12;
        c.R13 = (nuint)f->R13;
        c.R14 = (nuint)f->R14;
        c.R15 = (nuint)f->R15;
        return c;
    }

    /// <summary>All goroutines on the console, the calling one first.</summary>
    internal static void PrintAll(bool withRuntime)
    {
        UnwindContext c;
        Unwinder.CaptureContext(&c);
        TraceWriter w = default;
        PrintCurrent(&w, &c, false, withRuntime);
        PrintOthers(&w, Proc.GetG(), withRuntime);
    }

    /// <summary>The calling goroutine, or all while the other cores stand still.</summary>
    internal static void Print(TraceWriter* w, bool all)
    {
        UnwindContext c;
        Unwinder.CaptureContext(&c);
        if (!all)
        {
            PrintCurrent(w, &c, false, false);
            return;
        }
        ThisCore.Acquire();
        Machine.FreezeOthers();
        PrintCurrent(w, &c, false, false);
        PrintOthers(w, Proc.GetG(), false);
        Machine.ThawOthers();
        ThisCore.Release();
    }

    /// <summary>The current goroutine's trace from where <paramref name="c"/> says it is.</summary>
    internal static void PrintCurrent(TraceWriter* w, UnwindContext* c, bool isFault, bool withRuntime)
    {
        G* gp = Proc.GetG();
        if (gp == null || gp == ThisCore.State->G0)
        {
            if (withRuntime)
            {
                w->Write("\nruntime stack:\n"u8);
                PrintFrames(w, c, isFault, true);
            }
            return;
        }
        PrintHeader(w, gp);
        PrintFrames(w, c, isFault, withRuntime);
        PrintCreator(w, gp);
    }

    private static void PrintOthers(TraceWriter* w, G* current, bool withRuntime)
    {
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            if (gp == current || gp->Status is GStatus.Idle or GStatus.Dead || (gp->IsSystem && !withRuntime))
            {
                continue;
            }
            PrintHeader(w, gp);
            if (TryContext(gp, out UnwindContext c, out bool isExact))
            {
                PrintFrames(w, &c, isExact, false);
            }
            else
            {
                w->Write("\tgoroutine running on another core; stack unavailable\n"u8);
            }
            PrintCreator(w, gp);
        }
    }

    /// <summary>
    /// Where a goroutine other than the caller's stands; false when a core that is not frozen runs it. Status does not tell:
    /// a core may have been frozen between the change of status and the switch. The stack it stands on does.
    /// </summary>
    internal static bool TryContext(G* gp, out UnwindContext c, out bool isExact)
    {
        c = default;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            Core* core = Machine.CoreAt(i);
            TrapFrame* f = core->Frozen;
            if (f == null)
            {
                continue;
            }
            UnwindContext at = ContextOf(f);
            if (IsOnStackOf(gp, &at) || (core->G == gp && StepToStackOf(gp, &at)))
            {
                c = at;
                isExact = true;
                return true;
            }
        }
        isExact = false;
        if (gp->Status is not (GStatus.Runnable or GStatus.Waiting) || gp->Rsp == 0)      // 0: on its way off a core
        {
            return false;
        }
        nuint* saved = Stash.SavedRegisters(gp);    // kernel/Cpu/core.S, CP2
        c.R15 = saved[0];
        c.R14 = saved[1];
        c.R13 = saved[2];
        c.R12 = saved[3];
        c.Rbp = saved[4];
        c.Rbx = saved[5];
        c.Rip = saved[6];
        c.Rsp = (nuint)(saved + 7);
        return true;
    }

    private static bool IsOnStackOf(G* gp, UnwindContext* c) => (byte*)c->Rsp >= gp->StackLo && (byte*)c->Rsp < gp->StackHi;

    // The core was frozen in an interrupt handler, on a stack of its own: outwards to what that interrupted.
    private static bool StepToStackOf(G* gp, UnwindContext* c)
    {
        bool more = true;
        for (int i = 0; more && i < MaxHandlerFrames; i++)
        {
            more = Unwinder.Step(c, i == 0);
            if (IsOnStackOf(gp, c))
            {
                return true;
            }
        }
        return false;
    }

    internal static void PrintHeader(TraceWriter* w, G* gp)
    {
        w->Write(w->Length == 0 && !w->IsConsole ? "goroutine "u8 : "\ngoroutine "u8);
        w->Write(gp->Id);
        w->Write(" ["u8);
        switch (gp->Status)
        {
            case GStatus.Runnable:
                w->Write("runnable"u8);
                break;
            case GStatus.Waiting:
                w->Write(WaitReasons.Text(gp->WaitReason));
                long minutes = (Machine.NanoTime() - gp->SinceNs) / NsPerMinute;
                if (minutes >= 1)
                {
                    w->Write(", "u8);
                    w->Write(minutes);
                    w->Write(" minutes"u8);
                }
                break;
            default:
                w->Write("running"u8);
                break;
        }
        w->Write("]:\n"u8);
    }

    internal static void PrintCreator(TraceWriter* w, G* gp)
    {
        if (gp->GoPc == 0)
        {
            return;
        }
        byte* name = stackalloc byte[NameBytes];
        int n = SymTab.Format(gp->GoPc, true, name, NameBytes);
        w->Write("created by "u8);
        w->Write(name, (nuint)n);
        w->Write(" in goroutine "u8);
        w->Write(gp->ParentId);
        w->Write("\n"u8);
        PrintLocation(w, gp->GoPc, false);
    }

    /// <summary>One frame; <paramref name="isExact"/>: the address is the instruction itself, not a return address.</summary>
    internal static void PrintFrame(TraceWriter* w, nuint pc, bool isExact)
    {
        byte* name = stackalloc byte[NameBytes];
        int n = SymTab.Format(pc, !isExact, name, NameBytes);
        w->Write(name, (nuint)n);
        w->Write("(...)\n"u8);
        PrintLocation(w, pc, isExact);
    }

    private static void PrintLocation(TraceWriter* w, nuint pc, bool isExact)
    {
        byte* location = stackalloc byte[NameBytes];
        int n = SymTab.FormatLocation(pc, !isExact, location, NameBytes);
        if (n > 0)
        {
            w->Write("\t"u8);
            w->Write(location, (nuint)n);
            w->Write("\n"u8);
        }
    }

    internal static void PrintFrames(TraceWriter* w, UnwindContext* c, bool isFault, bool withRuntime)
    {
        bool isExact = isFault;
        bool more = true;
        if (!withRuntime)
        {
            while (more && IsRuntime(c->Rip, isExact))
            {
                more = Unwinder.Step(c, isExact);
                isExact = false;
            }
        }
        UnwindContext at = *c;
        bool exactAt = isExact;
        int count = 0;
        while (more && count <= MaxFrames && (withRuntime || !IsStart(at.Rip, exactAt)))
        {
            more = Unwinder.Step(&at, exactAt);
            exactAt = false;
            count++;
        }
        if (count <= MaxFrames)
        {
            PrintRun(w, c, isExact, count);
            return;
        }
        PrintRun(w, c, isExact, HalfFrames);        // leaves c at the first frame not printed
        UnwindContext rest = *c;
        long left = Skip(&rest, long.MaxValue, withRuntime);
        long elided = left - HalfFrames;
        if (elided > 0)
        {
            w->Write("..."u8);
            w->Write(elided);
            w->Write(" frames elided...\n"u8);
            _ = Skip(c, elided, true);
        }
        PrintRun(w, c, false, HalfFrames < left ? HalfFrames : (int)left);
    }

    private static void PrintRun(TraceWriter* w, UnwindContext* c, bool isExact, int count)
    {
        for (int i = 0; i < count; i++)
        {
            PrintFrame(w, c->Rip, isExact);
            if (!Unwinder.Step(c, isExact))
            {
                return;
            }
            isExact = false;
        }
    }

    // TB3. Moves c outwards by at most limit frames; how many it was. Stops before the start routine unless withRuntime.
    private static long Skip(UnwindContext* c, long limit, bool withRuntime)
    {
        FastWalk walk = default;
        nuint notStart = 0;
        nuint notStartBefore = 0;           // recursion is mostly of one method or two
        long count = 0;
        while (count < limit)
        {
            if (!withRuntime && c->Rip != notStart && c->Rip != notStartBefore)
            {
                if (IsStart(c->Rip, false))
                {
                    break;
                }
                notStartBefore = notStart;
                notStart = c->Rip;
            }
            count++;
            if (!walk.Step(c))
            {
                break;
            }
        }
        return count;
    }

    /// <summary>The runtime's own frames.</summary>
    internal static bool IsRuntime(nuint pc, bool isExact)
    {
        byte* name = stackalloc byte[NameBytes];
        int n = SymTab.Format(pc, !isExact, name, NameBytes);
        return StartsWith(name, n, "Unikernel.Runtime."u8) || StartsWith(name, n, "Unikernel.Kernel."u8)
            || StartsWith(name, n, "SwitchStack"u8) || StartsWith(name, n, "Sched"u8) || StartsWith(name, n, "AbiCaptureContext"u8);
    }

    /// <summary>What programs call to wait or to yield.</summary>
    internal static bool IsPublicFace(nuint pc, bool isExact)
    {
        byte* name = stackalloc byte[NameBytes];
        int n = SymTab.Format(pc, !isExact, name, NameBytes);
        return StartsWith(name, n, "Unikernel.Go."u8) || StartsWith(name, n, "Unikernel.Chan"u8) || StartsWith(name, n, "Unikernel.WaitGroup."u8)
            || StartsWith(name, n, "Unikernel.Terminal."u8);
    }

    // The outer end of every goroutine: the start routine and the method of the scheduler it calls.
    internal static bool IsStart(nuint pc, bool isExact)
    {
        byte* name = stackalloc byte[NameBytes];
        int n = SymTab.Format(pc, !isExact, name, NameBytes);
        return StartsWith(name, n, "SchedStart"u8) || StartsWith(name, n, "Unikernel.Runtime.Sched."u8)
            || StartsWith(name, n, "Unikernel.Runtime.Pal.Threads."u8) || StartsWith(name, n, "Unikernel.Iso."u8) || StartsWith(name, n, "Module.StartupCodeMain"u8);
    }

    private static bool StartsWith(byte* name, int length, ReadOnlySpan<byte> prefix)
    {
        if (length < prefix.Length)
        {
            return false;
        }
        for (int i = 0; i < prefix.Length; i++)
        {
            if (name[i] != prefix[i])
            {
                return false;
            }
        }
        return true;
    }
}
