// Finding the next goroutine, idling, and noticing that there will never be one.
//
// PF1  Order, as far as Go's exists here: those readied by interrupts; expired timers; every 61st turn the global queue;
//      the local queue, runnext first; the global queue.
// PF2  The idle loop looks and halts with interrupts off in between (sti; hlt is one step): no wake-up is lost.
// PF3  Deadlock: nothing runnable, no timer pending, nobody waiting for the console.
// Context: Schedule and FindRunnable on goroutines and g0, Idle on g0, ReadyFromInterrupt and OnAlarm in interrupts.
// Allocates nothing. Reference: Go's findRunnable and checkdead.
using System.Diagnostics.CodeAnalysis;
using System.Threading;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const uint GlobalTurn = 61;

    private static nuint s_irqReady;        // G*, through IrqLink, last one first; guarded by interrupts off
    private static bool s_alarmDue;         // set by the alarm interrupt, cleared by RunTimers

    /// <summary>Interrupt context: readies a goroutine that waits, or is about to wait, with <see cref="WaitReason.IoWait"/>.</summary>
    internal static void ReadyFromInterrupt(G* gp)
    {
        if (gp->IrqPending)
        {
            return;
        }
        gp->IrqPending = true;
        gp->IrqLink = (G*)s_irqReady;
        s_irqReady = (nuint)gp;
    }

    private static void OnAlarm() => Volatile.Write(ref s_alarmDue, true);

    /// <summary>Leaves <paramref name="gp"/>, whose new state is set, for the next goroutine; returns when it runs again.</summary>
    private static void Schedule(G* gp)
    {
        G* next = FindRunnable();
        if (next == null)
        {
            next = s_m.G0;
        }
        else
        {
            next->Status = GStatus.Running;
        }
        if (next != gp)
        {
            SwitchTo(gp, next);
        }
    }

    private static void SwitchTo(G* from, G* to)
    {
        Machine.SetG(to);
        Machine.SetTlsBase(to->TlsBase);
        Machine.SwitchStack(&from->Rsp, to->Rsp);
    }

    private static G* FindRunnable()
    {
        if (Volatile.Read(ref s_irqReady) != 0)
        {
            TakeFromInterrupts();
        }
        if (Volatile.Read(ref s_alarmDue))
        {
            RunTimers();
        }
        if (++s_p.SchedTick % GlobalTurn == 0)
        {
            s_p.NowNs = Machine.NanoTime();
            Machine.RefillFaultReserve();
            G* gp = s_sched.Runq.Take();
            if (gp != null)
            {
                return gp;
            }
        }
        G* local = s_p.Runq.Get();
        return local != null ? local : s_p.Runq.GetBatch(ref s_sched.Runq);
    }

    private static void TakeFromInterrupts()
    {
        nuint flags = Machine.DisableInterrupts();
        G* gp = (G*)s_irqReady;
        s_irqReady = 0;
        Machine.RestoreInterrupts(flags);
        G* inOrder = null;
        while (gp != null)
        {
            G* next = gp->IrqLink;
            gp->IrqLink = inOrder;
            inOrder = gp;
            gp = next;
        }
        while (inOrder != null)
        {
            gp = inOrder;
            inOrder = gp->IrqLink;
            gp->IrqPending = false;
            if (gp->Status == GStatus.Waiting && gp->WaitReason == WaitReason.IoWait)
            {
                gp->Status = GStatus.Runnable;
                s_p.Runq.Put(gp, false, ref s_sched.Runq);
            }
        }
    }

    /// <summary>g0: runs goroutines when there are any and halts the core when there are none.</summary>
    [DoesNotReturn]
    private static void Idle()
    {
        G* g0 = s_m.G0;
        while (true)
        {
            Machine.RefillFaultReserve();
            s_p.NowNs = Machine.NanoTime();
            G* gp = FindRunnable();
            if (gp != null)
            {
                gp->Status = GStatus.Running;
                SwitchTo(g0, gp);
                continue;
            }
            nuint flags = Machine.DisableInterrupts();
            if (s_irqReady == 0 && !s_alarmDue)         // PF2
            {
                CheckDead();
                Machine.Halt();
            }
            Machine.RestoreInterrupts(flags);
        }
    }

    private static void CheckDead()
    {
        if (s_p.Timers.Count != 0 || ConsoleWaiters != 0)
        {
            return;
        }
        Throw.FatalUser(s_sched.Goroutines == 0 && s_sched.MainExited
            ? "no goroutines (main called runtime.Goexit) - deadlock!"u8
            : "all goroutines are asleep - deadlock!"u8);
    }
}
