// GODEBUG=gccheckmark=1: with the world stopped and marking done, everything is marked once more from all roots, into a
// bitmap of its own. What is reachable now and was not marked before would have been freed in use.
//
// CM1  The scanning code is the marker's (MK6); only where marks go differs.
// CM2  A failure is fatal and names the object, its type and who refers to it: an object, a goroutine or another root.
// CM3  When there is no memory for the bitmap or for grey objects, the check says so and is not made, or not to its end.
// Context: the driver, world stopped, lock depth raised. Allocates: pages. Reference: Go's mgcmark.go (checkmarks).
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal readonly unsafe struct CheckMarks : IMarks
{
    public static bool TrySet(byte* p)
    {
        nuint bit = (nuint)(p - MHeap.Base) >> MarkBits.BytesPerBitShift;
        ulong mask = 1UL << (int)(bit & 63);
        ulong* word = MHeap.CheckMarks + (bit >> 6);
        if ((*word & mask) != 0)
        {
            return false;
        }
        *word |= mask;
        if (!MarkBits.IsSet(p))
        {
            CheckMark.Fail(p);
        }
        return true;
    }

    internal static bool IsSet(byte* p)
    {
        nuint bit = (nuint)(p - MHeap.Base) >> MarkBits.BytesPerBitShift;
        return !MHeap.IsInRange(p) || (MHeap.CheckMarks[bit >> 6] & (1UL << (int)(bit & 63))) != 0;
    }
}

internal static unsafe class CheckMark
{
    private enum Source : byte
    {
        Object,
        Goroutine,
        Data,
        Frozen,
        Handle,
        Finalizer,
        Timer,
        Dependent,
    }

    private static Source s_source;
    private static byte* s_from;            // the object or G

    /// <summary>Checks the cycle's marks; <paramref name="work"/> is empty, and again afterwards.</summary>
    internal static void Run(GcWork* work)
    {
        ThisCore.Acquire();
        long scanned = work->ScannedBytes;
        if (!Clear())
        {
            Machine.Print("gccheckmark: no memory for the bitmap: not checked\n"u8);
            ThisCore.Release();
            return;
        }
        CheckRoots(work);
        for (bool more = true; more;)
        {
            long before = work->ScannedBytes;
            Drain(work);
            Enter(Source.Dependent, null);
            Handles.CheckDependents<CheckMarks>(work, &CheckMarks.IsSet);
            Drain(work);
            more = work->ScannedBytes != before;
        }
        work->Flush();
        work->ScannedBytes = scanned;
        if (GcQueue.Overflowed)
        {
            GcQueue.Overflowed = false;
            Machine.Print("gccheckmark: out of memory: not all is checked\n"u8);
        }
        ThisCore.Release();
    }

    private static bool Clear()
    {
        for (uint i = 0; i < MHeap.SpanCount; i++)
        {
            MSpan* s = MHeap.SpanAt(i);
            if (s->State == SpanState.InUse && !MHeap.ClearCheckMarks(s))
            {
                return false;
            }
        }
        return true;
    }

    private static void CheckRoots(GcWork* work)
    {
        Enter(Source.Data, null);
        Startup.DataRange(out byte* lo, out byte* hi);
        Marker.GuessRange<CheckMarks>(work, lo, hi);
        Enter(Source.Frozen, null);
        Frozen.Guess<CheckMarks>(work);
        Enter(Source.Handle, null);
        Handles.GreyStrong<CheckMarks>(work);
        Enter(Source.Finalizer, null);
        Finalizers.GreyQueue<CheckMarks>(work);
        Enter(Source.Timer, null);
        Proc.ForEachTimerRoot(&GuessTimer, work);
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            Enter(Source.Goroutine, (byte*)gp);
            if (!StackScan.TryScan<CheckMarks>(work, gp) && gp != Mgc.Driver)
            {
                Throw.Fatal("gccheckmark: a goroutine runs in a stopped world"u8);
            }
        }
    }

    private static void GuessTimer(void* e, void* work) => Marker.Guess<CheckMarks>((GcWork*)work, (byte*)e);

    private static void Drain(GcWork* work)
    {
        while (work->TryPop(out ulong entry))
        {
            Enter(Source.Object, Marker.AddressOf(entry));
            Marker.Scan<CheckMarks>(work, s_from, Marker.PieceNumber(entry));
        }
    }

    private static void Enter(Source source, byte* from)
    {
        s_source = source;
        s_from = from;
    }

    /// <summary>CM2</summary>
    internal static void Fail(byte* p)
    {
        TraceWriter w = default;
        w.Write("gccheckmark: an object that is not marked:"u8);
        WriteObject(&w, p);
        w.Write("\ngccheckmark: is referred to by "u8);
        switch (s_source)
        {
            case Source.Object:
                w.Write("an object:"u8);
                WriteObject(&w, s_from);
                break;
            case Source.Goroutine:
                w.Write("goroutine "u8);
                w.Write(((G*)s_from)->Id);
                break;
            case Source.Data:
                w.Write("the image's data"u8);
                break;
            case Source.Frozen:
                w.Write("a frozen object"u8);
                break;
            case Source.Handle:
                w.Write("a handle"u8);
                break;
            case Source.Finalizer:
                w.Write("the finalizer queue"u8);
                break;
            case Source.Timer:
                w.Write("a timer"u8);
                break;
            default:
                w.Write("a dependent handle"u8);
                break;
        }
        w.Write("\n"u8);
        Throw.Fatal("gccheckmark: a reachable object is not marked"u8);
    }

    private static void WriteObject(TraceWriter* w, byte* p)
    {
        MSpan* s = MHeap.SpanOf(p);
        w->Write(" at "u8);
        WriteHex(w, (ulong)p);
        w->Write(" of type "u8);
        WriteHex(w, *(ulong*)p);
        w->Write(" in a slot of "u8);
        w->Write(s == null ? 0 : (long)s->SlotBytes);
        w->Write(" bytes"u8);
    }

    private static void WriteHex(TraceWriter* w, ulong value)
    {
        byte* digits = stackalloc byte[18];
        digits[0] = (byte)'0';
        digits[1] = (byte)'x';
        for (int i = 0; i < 16; i++)
        {
            int digit = (int)(value >> (60 - (4 * i))) & 15;
            digits[i + 2] = (byte)(digit < 10 ? '0' + digit : 'a' + digit - 10);
        }
        w->Write(digits, 18);
    }
}
