// The scheduler, first form: one M, one P, cooperative. The names are Go's; more cores and preemption come later.
//
// SC1  A goroutine is switched away from only inside GoPark, GoParkUntil, Gosched or at its end.
// SC2  Whoever parks has queued itself somewhere a GoReady will find; GoReady takes only a waiting G.
// SC3  Interrupts never touch run queues: they push to s_interrupted, with interrupts off; FindRunnable drains it.
// SC4  Nothing runnable and nothing that could make something runnable (timer, console reader): deadlock.
// Context: goroutine, except ReadyFromInterrupt. Allocates: off-heap only.
// Reference: Go src/runtime/proc.go (newproc, gopark, goready, schedule, findRunnable, checkdead).
using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private static RunQueue s_runQueue;
    private static TimerHeap s_timers;
    private static G* s_interrupted;            // guarded by interrupts off
    private static G* s_allGs;
    private static long s_lastId;
    private static int s_count;                 // live goroutines that are not the system's
    private static bool s_mainHasExited;

    /// <summary>Goroutines waiting for console input: as long as there is one, nothing is a deadlock.</summary>
    internal static int ConsoleWaiters;

    internal static int Count => s_count;

    internal static G* AllGs => s_allGs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static G* GetG() => (G*)Machine.GetG();

    internal static bool IsWaiting(G* gp) => gp->Status == GStatus.Waiting;

    /// <summary>A new runnable goroutine that runs before the others. Null when memory is out.</summary>
    /// <param name="fn">What it runs.</param>
    /// <param name="argument">Handed to <paramref name="fn"/>.</param>
    /// <param name="stackBytes">Least stack; 0 is the default class.</param>
    /// <param name="freshTls">Thread statics as new (a thread); otherwise a recycled goroutine keeps them.</param>
    internal static G* NewProc(delegate*<void*, void> fn, void* argument, nuint stackBytes, bool freshTls)
    {
        Machine.RefillFaultReserve();
        G* gp = Stacks.Take(stackBytes, freshTls);
        if (gp == null)
        {
            return null;
        }
        G* creator = GetG();
        gp->Id = ++s_lastId;
        gp->Status = GStatus.Runnable;
        gp->WaitReason = WaitReason.None;
        gp->TimerIndex = -1;
        gp->ExInfoHead = null;
        gp->IsSystem = false;
        gp->ParentId = creator == null ? 0 : creator->Id;
        gp->Fn = fn;
        gp->Argument = argument;
        gp->Object = 0;
        nuint* sp = (nuint*)(gp->StackHi - 16) - 7;
        sp[6] = GetGoStart();
        gp->Rsp = (nuint)sp;
        s_count++;
        s_runQueue.Put(gp, true);
        return gp;
    }

    internal static void Register(G* gp)
    {
        gp->AllLink = s_allGs;
        s_allGs = gp;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("GetGoStart")]
    private static extern nuint GetGoStart();

    [RuntimeExport("GoEntry")]
    private static void GoEntry()
    {
        G* gp = GetG();
        gp->Fn(gp->Argument);
        Exit();
    }

    /// <summary>Ends the running goroutine.</summary>
    [DoesNotReturn]
    internal static void Exit()
    {
        G* gp = GetG();
        gp->Status = GStatus.Dead;
        s_count--;
        Stacks.Give(gp);            // reused only after the switch below: one core
        Schedule();
        Throw.Fatal("a dead goroutine was scheduled"u8);
    }

    private static G s_g0;                      // the boot context; never scheduled again

    /// <summary>Gives the boot context a G, so that switching away from it is like any other switch.</summary>
    internal static void Init()
    {
        G* g0 = (G*)Unsafe.AsPointer(ref s_g0);
        g0->Status = GStatus.Dead;
        g0->TimerIndex = -1;
        Machine.SetG(g0);
        Machine.OnNmi = &OnNmi;
        Machine.OnFatalTrap = &OnFatalTrap;
    }

    private static void OnNmi(TrapFrame* f)
    {
        Machine.Print("\nunikernel: non-maskable interrupt, all goroutines:\n"u8);
        Traceback.All(f);
    }

    private static void OnFatalTrap(TrapFrame* f) => Traceback.All(f);

    /// <summary>Prints every goroutine as Go does; the running one first.</summary>
    internal static void Dump() => Traceback.All(null);

    /// <summary>The boot context becomes G 0 and hands over to the main goroutine; does not return.</summary>
    internal static void StartMain(delegate*<void*, void> main)
    {
        G* gp = NewProc(main, null, Stacks.MainBytes, true);
        if (gp == null)
        {
            Throw.Fatal("out of memory for the main goroutine"u8);
        }
        Schedule();
    }

    /// <summary>The main goroutine's function has returned: the machine ends whatever others do.</summary>
    [DoesNotReturn]
    internal static void ExitMain(int code)
    {
        Machine.Exit(code);
        throw new InvalidOperationException();
    }

    /// <summary>Main called Goexit: the others go on.</summary>
    internal static void MainGoexit() => s_mainHasExited = true;

    /// <summary>Waits until <see cref="GoReady"/> (SC2).</summary>
    internal static void GoPark(WaitReason reason)
    {
        G* gp = GetG();
        gp->WaitReason = reason;
        gp->WaitSinceNs = Machine.NanoTime();
        gp->Status = GStatus.Waiting;
        Schedule();
    }

    /// <summary>As GoPark, but no longer than until <paramref name="whenNs"/>; false when the time ran out.</summary>
    internal static bool GoParkUntil(WaitReason reason, long whenNs)
    {
        G* gp = GetG();
        gp->HasTimedOut = false;
        s_timers.Add(gp, whenNs);
        GoPark(reason);
        return !gp->HasTimedOut;
    }

    /// <summary>Makes a waiting goroutine runnable; it runs next.</summary>
    internal static void GoReady(G* gp)
    {
        if (gp->Status != GStatus.Waiting)
        {
            Throw.Fatal("bad g status in goready"u8);
        }
        if (gp->TimerIndex >= 0)
        {
            s_timers.Remove(gp);
        }
        gp->Status = GStatus.Runnable;
        s_runQueue.Put(gp, true);
    }

    /// <summary>Interrupt context: the goroutine becomes runnable when the scheduler next looks.</summary>
    internal static void ReadyFromInterrupt(G* gp)
    {
        gp->SchedLink = s_interrupted;
        s_interrupted = gp;
    }

    /// <summary>Lets the others run first: to the tail of the global queue, as in Go.</summary>
    internal static void Gosched()
    {
        G* gp = GetG();
        gp->Status = GStatus.Runnable;
        s_runQueue.Global.PushBack(gp);
        Schedule();
    }

    private static void Schedule()
    {
        G* gp = GetG();
        Machine.RefillFaultReserve();
        G* next = FindRunnable();
        next->Status = GStatus.Running;
        if (next == gp)
        {
            return;
        }
        Machine.SetG(next);
        Machine.SetTlsBase(next->TlsBase);
        Machine.SwitchStack(&gp->Rsp, next->Rsp);
    }

    private static G* FindRunnable()
    {
        while (true)
        {
            DrainInterrupted();
            if (s_timers.Count > 0)
            {
                RunTimers();
            }
            G* gp = s_runQueue.Get();
            if (gp != null)
            {
                return gp;
            }
            Idle();
        }
    }

    private static void RunTimers()
    {
        long now = Machine.NanoTime();
        G* gp;
        while ((gp = s_timers.PopDue(now)) != null)
        {
            gp->HasTimedOut = true;
            gp->Status = GStatus.Runnable;
            s_runQueue.Put(gp, false);
        }
    }

    private static void DrainInterrupted()
    {
        if (s_interrupted == null)
        {
            return;
        }
        nuint flags = Machine.DisableInterrupts();
        G* gp = s_interrupted;
        s_interrupted = null;
        Machine.RestoreInterrupts(flags);
        while (gp != null)
        {
            G* next = gp->SchedLink;
            if (gp->Status == GStatus.Waiting)
            {
                GoReady(gp);
            }
            gp = next;
        }
    }

    private static void Idle()
    {
        if (s_timers.Count == 0 && ConsoleWaiters == 0 && s_interrupted == null)
        {
            Deadlock();
        }
        nuint flags = Machine.DisableInterrupts();      // no wake-up between the look and the halt
        if (s_interrupted == null)
        {
            Machine.SetAlarm(s_timers.Count == 0 ? 0 : s_timers.NextWhen);
            Machine.Halt();
        }
        Machine.RestoreInterrupts(flags);
    }

    [DoesNotReturn]
    private static void Deadlock()
    {
        if (s_mainHasExited && s_count == 0)
        {
            Throw.Fatal("no goroutines (main called runtime.Goexit) - deadlock!"u8);
        }
        Throw.Fatal("all goroutines are asleep - deadlock!"u8);
    }
}

/// <summary>The end of everything: a broken invariant, or a mistake that Go calls fatal.</summary>
internal static unsafe class Throw
{
    private const int FatalExitCode = 2;

    /// <summary>Prints Go's "fatal error: " and <paramref name="text"/>, every goroutine, and ends with code 2.</summary>
    [DoesNotReturn]
    internal static void Fatal(ReadOnlySpan<byte> text)
    {
        Machine.Print("fatal error: "u8);
        Machine.Print(text);
        Machine.Print("\n"u8);
        Proc.Dump();
        Machine.Exit(FatalExitCode);
        while (true)
        {
        }
    }
}
