// Goroutine traces in Go's form, from any context.
//
// TB1  Allocates nothing, takes no lock, never throws: usable in fatal paths and on interrupt stacks.
// TB3  The runtime's own frames on top (how a goroutine came to wait, or to report) are left out, as Go does.
// TB2  More than 100 frames print as the 50 innermost, a line that counts the rest, and the 50 outermost.
// Context: any. Reference: Go src/runtime/traceback.go.
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Traceback
{
    private const int Whole = 100;
    private const int Half = 50;
    private const int NameBytes = 512;
    private const int MaxFrames = 10_000_000;       // a stack of the largest class cannot hold more

    private static byte* s_text;        // where the trace goes instead of the console; one core
    private static int s_capacity;
    private static int s_length;

    /// <summary>Writes the trace into a buffer instead of printing it; returns its length, cut to the buffer's.</summary>
    internal static int ToBuffer(byte* buffer, int capacity, bool all)
    {
        s_text = buffer;
        s_capacity = capacity;
        s_length = 0;
        if (all)
        {
            All(null);
        }
        else
        {
            Running(Proc.GetG(), null);
        }
        s_text = null;
        return s_length;
    }

    private static void Out(ReadOnlySpan<byte> text)
    {
        fixed (byte* p = text)
        {
            Out(p, (nuint)text.Length);
        }
    }

    private static void Out(byte* p, nuint n)
    {
        if (s_text == null)
        {
            Machine.Print(p, n);
            return;
        }
        for (nuint i = 0; i < n && s_length < s_capacity; i++)
        {
            s_text[s_length++] = p[i];
        }
    }

    private static void OutDecimal(ulong value)
    {
        byte* digits = stackalloc byte[20];
        int at = 20;
        do
        {
            digits[--at] = (byte)('0' + (value % 10));
            value /= 10;
        }
        while (value != 0);
        Out(digits + at, (nuint)(20 - at));
    }

    private static void OutHex(ulong value)
    {
        byte* digits = stackalloc byte[16];
        int at = 16;
        do
        {
            int d = (int)(value & 15);
            digits[--at] = (byte)(d < 10 ? '0' + d : 'a' + d - 10);
            value >>= 4;
        }
        while (value != 0);
        Out(digits + at, (nuint)(16 - at));
    }

    /// <summary>Prints all goroutines: the running one first (from <paramref name="f"/> when it was interrupted).</summary>
    internal static void All(TrapFrame* f)
    {
        G* current = Proc.GetG();
        if (current != null)
        {
            Running(current, f);
        }
        for (G* gp = Proc.AllGs; gp != null; gp = gp->AllLink)
        {
            if (gp != current && gp->Status is not (GStatus.Dead or GStatus.Idle))
            {
                Parked(gp);
            }
        }
    }

    /// <summary>Prints the running goroutine.</summary>
    internal static void Running(G* gp, TrapFrame* f)
    {
        UnwindContext c;
        if (f != null)
        {
            c.Rip = (nuint)f->Rip;
            c.Rsp = (nuint)f->Rsp;
            c.Rbp = (nuint)f->Rbp;
            c.Rbx = (nuint)f->Rbx;
            c.R12 = (nuint)f->R12;
            c.R13 = (nuint)f->R13;
            c.R14 = (nuint)f->R14;
            c.R15 = (nuint)f->R15;
        }
        else
        {
            Unwinder.CaptureContext(&c);
        }
        Header(gp, gp->Id == 0 ? "boot"u8 : gp->Status == GStatus.Waiting ? WaitReasons.Text(gp->WaitReason) : "running"u8);
        Frames(&c, f != null);
        CreatedBy(gp);
    }

    /// <summary>Prints the running goroutine from an exception's throw site.</summary>
    internal static void Thrown(G* gp)
    {
        Header(gp, "running"u8);
        UnwindContext c;
        ExInfo* ex = (ExInfo*)gp->ExInfoHead;
        if (ex == null)
        {
            Unwinder.CaptureContext(&c);
            Frames(&c, false);
        }
        else
        {
            Unwinder.FromPalContext(&c, ex->Context);
            Frames(&c, false);
        }
        CreatedBy(gp);
    }

    private static void Parked(G* gp)
    {
        nuint* sp = (nuint*)gp->Rsp;
        UnwindContext c;
        c.R15 = sp[0];
        c.R14 = sp[1];
        c.R13 = sp[2];
        c.R12 = sp[3];
        c.Rbp = sp[4];
        c.Rbx = sp[5];
        c.Rip = sp[6];
        c.Rsp = (nuint)(sp + 7);
        Header(gp, gp->Status == GStatus.Runnable ? "runnable"u8 : WaitReasons.Text(gp->WaitReason));
        Frames(&c, false);
        CreatedBy(gp);
    }

    private static void Header(G* gp, ReadOnlySpan<byte> state)
    {
        Out("\ngoroutine "u8);
        OutDecimal((ulong)gp->Id);
        Out(" ["u8);
        Out(state);
        if (gp->Status == GStatus.Waiting)
        {
            long minutes = (Machine.NanoTime() - gp->WaitSinceNs) / 60_000_000_000;
            if (minutes >= 1)
            {
                Out(", "u8);
                OutDecimal((ulong)minutes);
                Out(" minutes"u8);
            }
        }
        Out("]:\n"u8);
    }

    private static void Frames(UnwindContext* c, bool isFault)
    {
        if (!isFault)
        {
            SkipRuntime(c);
        }
        UnwindContext start = *c;
        int count = 1;
        for (bool fault = isFault; count < MaxFrames && Unwinder.Step(c, fault); fault = false)
        {
            count++;
        }
        *c = start;
        for (int i = 0; i < count; i++)
        {
            if (count > Whole && i == Half)
            {
                Out("..."u8);
                OutDecimal((ulong)(count - Whole));
                Out(" frames elided...\n"u8);
            }
            if (count <= Whole || i < Half || i >= count - Half)
            {
                Frame(c->Rip, i > 0 || !isFault);
            }
            if (!Unwinder.Step(c, isFault && i == 0))
            {
                break;
            }
        }
    }

    // TB3; a stack that is all runtime keeps its frames.
    private static void SkipRuntime(UnwindContext* c)
    {
        UnwindContext at = *c;
        byte* buffer = stackalloc byte[NameBytes];
        for (int i = 0; i < Whole; i++)
        {
            int n = SymTab.Format(at.Rip, true, buffer, NameBytes);
            ReadOnlySpan<byte> name = new(buffer, n);
            if (!name.StartsWith("Unikernel.Runtime."u8) && !name.StartsWith("Unikernel.HChan"u8)
                && !name.StartsWith("Unikernel.Terminal"u8) && !name.StartsWith("SwitchStack"u8))
            {
                *c = at;
                return;
            }
            if (!Unwinder.Step(&at))
            {
                return;
            }
        }
    }

    private static void Frame(nuint pc, bool isReturnAddress)
    {
        byte* buffer = stackalloc byte[NameBytes];
        int n = SymTab.Format(pc, isReturnAddress, buffer, NameBytes);
        if (n == 0)
        {
            Out("0x"u8);
            OutHex(pc);
            Out("\n"u8);
            return;
        }
        Out(buffer, (nuint)n);
        Out("(...)\n\t"u8);
        n = SymTab.FormatLocation(pc, isReturnAddress, buffer, NameBytes);
        if (n > 0)
        {
            Out(buffer, (nuint)n);
            Out(" "u8);
        }
        Out("pc=0x"u8);
        OutHex(pc);
        Out("\n"u8);
    }

    private static void CreatedBy(G* gp)
    {
        if (gp->GoPc == 0)
        {
            return;
        }
        byte* buffer = stackalloc byte[NameBytes];
        int n = SymTab.Format(gp->GoPc, true, buffer, NameBytes);
        Out("created by "u8);
        Out(buffer, (nuint)n);
        Out(" in goroutine "u8);
        OutDecimal((ulong)gp->ParentId);
        Out("\n"u8);
    }
}
