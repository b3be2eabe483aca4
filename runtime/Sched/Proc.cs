// The scheduler: goroutines (G), cores (M) and the right to run them (P).
//
// This is the first form: one core, cooperative. A goroutine runs until it parks, yields or ends; the switch goes
// straight from its stack to the next one's. When nothing is runnable the boot stack (g0) runs the idle loop.
//
// PR1  One core: only the running goroutine changes scheduler state, so there is no lock. Interrupts touch nothing
//      but the list of ReadyFromInterrupt and the alarm flag; they mark, they never schedule.
// PR2  A G is Running exactly when it is the current one (or g0 idles); Runnable exactly when on one run queue.
// PR3  A goroutine switch happens in Schedule only: from GoPark, GoParkUntil, Gosched and the end of a goroutine.
// PR4  GoReady makes the goroutine the next to run (runnext), as in Go.
// PR5  Nothing parks with interrupts off or on g0.
// Context: goroutine unless a method says otherwise. Allocates: off-heap, in NewProc and for the timers' array.
// Reference: Go's proc.go.
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

/// <summary>The right to run goroutines, with what goes with it: run queue, timers. One per core.</summary>
internal unsafe struct P
{
    internal int Id;
    internal M* M;                      // the core that holds it
    internal uint SchedTick;            // one per turn of FindRunnable
    internal long NowNs;                // coarse clock, for how long goroutines wait
    internal RunQueue Runq;
    internal TimerHeap Timers;
    internal long AlarmNs;              // what the alarm is set to; long.MaxValue when it is not
}

/// <summary>A core.</summary>
internal unsafe struct M
{
    internal int Id;
    internal G* G0;                     // the stack it idles on
    internal P* P;
}

internal static unsafe partial class Proc
{
    private const int SavedWords = 7;       // what SwitchStack pops, return address included

    /// <summary>What belongs to all cores.</summary>
    private struct Global
    {
        internal GQueue Runq;
        internal G* AllFirst;
        internal G* AllLast;
        internal long LastId;
        internal int Goroutines;            // alive, threads of the class library not counted
        internal bool MainExited;           // by Goexit
    }

    private static G s_g0;
    private static M s_m;
    private static P s_p;
    private static Global s_sched;

    /// <summary>Goroutines that wait for console input: while there are any, nothing is a deadlock.</summary>
    internal static int ConsoleWaiters;

    /// <summary>Goroutines that exist, the caller included.</summary>
    internal static int Goroutines => s_sched.Goroutines;

    internal static G* GetG() => (G*)Machine.GetG();

    internal static G* AllFirst => s_sched.AllFirst;

    internal static G* G0 => (G*)Unsafe.AsPointer(ref s_g0);

    internal static bool IsWaiting(G* gp) => gp->Status == GStatus.Waiting;

    /// <summary>Boot context: the boot stack becomes g0 of the one core.</summary>
    internal static void Init()
    {
        s_m.G0 = G0;
        s_m.P = (P*)Unsafe.AsPointer(ref s_p);
        s_p.M = (M*)Unsafe.AsPointer(ref s_m);
        s_p.AlarmNs = long.MaxValue;
        s_g0.Status = GStatus.Running;
        s_g0.TlsBase = Cpu.GetFsBase();
        Machine.SetG(s_m.G0);
        Stacks.Init();
        Machine.OnAlarm = &OnAlarm;
        Machine.OnNmi = &Traceback.OnNmi;
        Machine.OnFatalTrap = &Traceback.OnFatalTrap;
    }

    /// <summary>Starts the main goroutine, which calls <paramref name="main"/>(null), and idles on this stack for ever.</summary>
    [DoesNotReturn]
    internal static void StartMain(delegate*<void*, void> main)
    {
        if (NewProc(&RunMain, main, (nuint)StackLayout.UsableBytes(StackLayout.MainClass), false) == null)
        {
            Throw.Fatal("out of memory for the main goroutine"u8);
        }
        Idle();
    }

    /// <summary>Prints every goroutine's trace on the console; the machine goes on.</summary>
    internal static void Dump() => Traceback.PrintAll(false);

    private static void RunMain(void* main)
    {
        try
        {
            ((delegate*<void*, void>)main)(null);
        }
        catch (GoexitException)
        {
            s_sched.MainExited = true;
        }
    }

    /// <summary>The main goroutine has returned: the machine ends, whatever others do.</summary>
    [DoesNotReturn]
    internal static void ExitMain(int code)
    {
        Machine.Exit(code);
        Throw.Fatal("exit returned"u8);
    }

    /// <summary>
    /// Makes a goroutine that runs <paramref name="fn"/>(<paramref name="arg"/>), next in line. The stack holds at least
    /// <paramref name="stackSizeBytes"/>, 0 = the default class. <paramref name="freshTls"/>: it is a thread of the class
    /// library, with thread statics of its own. Null when memory is out or the size is beyond the largest class.
    /// </summary>
    internal static G* NewProc(delegate*<void*, void> fn, void* arg, nuint stackSizeBytes, bool freshTls)
    {
        int slotClass = Stacks.ClassFor(stackSizeBytes);
        G* gp = slotClass < 0 ? null : Stacks.Take(slotClass, freshTls);
        if (gp == null)
        {
            return null;
        }
        gp->Id = ++s_sched.LastId;
        gp->ParentId = GetG()->Id;
        gp->GoPc = 0;
        gp->Fn = fn;
        gp->Arg = arg;
        gp->ExInfoHead = null;
        gp->Errno = 0;
        gp->WaitReason = WaitReason.None;
        gp->IsThread = freshTls;
        gp->IsTlsStale = freshTls;
        if (!freshTls)
        {
            s_sched.Goroutines++;
        }
        nuint* frame = (nuint*)gp->StackHi - 2 - SavedWords;        // Switch.S, SW1
        frame[0] = 0;                                               // r15
        frame[1] = 0;                                               // r14
        frame[2] = 0;                                               // r13
        frame[3] = (nuint)arg;                                      // r12
        frame[4] = 0;                                               // rbp
        frame[5] = (nuint)fn;                                       // rbx
        frame[6] = Switch.StartAddress() + 1;
        frame[7] = 0;
        frame[8] = 0;
        gp->Rsp = (nuint)frame;
        gp->Status = GStatus.Runnable;
        s_p.Runq.Put(gp, true, ref s_sched.Runq);
        return gp;
    }

    /// <summary>A G that has just been made goes on the list of all.</summary>
    internal static void AddToAll(G* gp)
    {
        if (s_sched.AllLast == null)
        {
            s_sched.AllFirst = gp;
        }
        else
        {
            s_sched.AllLast->AllLink = gp;
        }
        s_sched.AllLast = gp;
    }

    /// <summary>
    /// Parks the caller, who has put itself where <see cref="GoReady"/> will find it. With
    /// <see cref="WaitReason.IoWait"/> it may return without cause: check again.
    /// </summary>
    internal static void GoPark(WaitReason reason)
    {
        G* gp = GetG();
        if (gp == G0)
        {
            Throw.Fatal("the idle stack cannot wait"u8);        // PR5
        }
        gp->WaitReason = reason;
        gp->WaitSinceNs = s_p.NowNs;
        gp->Status = GStatus.Waiting;
        Schedule(gp);
    }

    /// <summary>Parks until readied (true) or until <see cref="Machine.NanoTime"/> has reached <paramref name="whenNs"/> (false).</summary>
    internal static bool GoParkUntil(WaitReason reason, long whenNs)
    {
        G* gp = GetG();
        gp->IsTimedOut = false;
        gp->Deadline.WhenNs = whenNs;
        gp->Deadline.Fire = &TimeOut;
        gp->Deadline.Arg = gp;
        AddTimer(&gp->Deadline);
        GoPark(reason);
        if (gp->Deadline.Index >= 0)
        {
            RemoveTimer(&gp->Deadline);
        }
        return !gp->IsTimedOut;
    }

    private static void TimeOut(void* p)
    {
        G* gp = (G*)p;
        gp->IsTimedOut = GoReady(gp);
    }

    /// <summary>Makes a parked goroutine the next to run. False, and nothing done, when it no longer waits: its time ran out first.</summary>
    internal static bool GoReady(G* gp)
    {
        if (gp->Status != GStatus.Waiting)
        {
            return false;
        }
        gp->Status = GStatus.Runnable;
        s_p.Runq.Put(gp, true, ref s_sched.Runq);
        return true;
    }

    /// <summary>Lets the others run: the caller goes to the end of the global queue.</summary>
    internal static void Gosched()
    {
        G* gp = GetG();
        if (gp == G0)
        {
            return;                             // boot: nobody else is there yet
        }
        gp->Status = GStatus.Runnable;
        s_sched.Runq.Add(gp);
        Schedule(gp);
    }

    // The end of a goroutine (Switch.S). The G is free at once: nobody takes it before this core has switched away.
    [RuntimeExport("SchedGoexit0")]
    private static void Goexit0()
    {
        G* gp = GetG();
        if (!gp->IsThread)
        {
            s_sched.Goroutines--;
        }
        gp->Status = GStatus.Dead;
        gp->Fn = null;
        gp->Arg = null;
        Stacks.Free(gp);
        Schedule(gp);
    }
}
