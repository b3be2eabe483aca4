// What interrupts do to the scheduler: they mark, and at their exit the interrupted goroutine may be made to call it.
//
// PI1  A goroutine is interrupted between any two instructions of managed code at lock depth 0: its next instruction
//      becomes a call of SchedAsyncPreempt, which saves every register. In assembly and libm it is left alone, and
//      the alarm comes again soon.
// PI2  The call pushes the return address: the stack page below is made sure of first, for a fault in an interrupt
//      handler is fatal.
// PI3  While a core is busy its alarm comes every 2.5 ms at the latest. Each alarm looks whether the slice
//      is over (Slice.cs).
// Context: interrupts, lock depth 0 or more. Allocates: stack pages. Reference: Go's preempt.go, sysmon's retake.
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const long TickNs = 2_500_000;
    private const long RetryNs = 100_000;
    private const ulong PreemptStackBytes = 2048;

    /// <summary>Interrupt context: readies a goroutine that <see cref="Notifier"/> has taken out of its waiting.</summary>
    internal static void ReadyFromInterrupt(G* gp)
    {
        ulong first;
        do
        {
            first = Atomic.Load(ref s_irqReady);
            gp->IrqLink = (G*)first;
        }
        while (!Atomic.Swap(ref s_irqReady, first, (ulong)gp));
        Atomic.Or(ref ThisCore.State->Look, Look.Input);
    }

    private static void OnAlarm() => Atomic.Or(ref ThisCore.State->Look, Look.Alarm);

    private static void OnInterruptExit(TrapFrame* f)
    {
        CoreState* cs = ThisCore.State;
        if (cs->LockDepth != 0 || cs->Look == 0)
        {
            return;
        }
        if (!StackWalks.IsManaged((nuint)f->Rip) || !Stacks.EnsureBelow(GetG(), f->Rsp, PreemptStackBytes))
        {
            Machine.SetAlarm(Machine.NanoTime() + RetryNs);
            return;
        }
        f->Rsp -= 8;
        *(ulong*)f->Rsp = f->Rip;
        f->Rip = Switch.AsyncPreemptAddress();
    }

    // The core is busy and its alarm is not set for that yet.
    private static void StartTick(P* p)
    {
        p->HasTick = true;
        SetAlarmBefore(p, Machine.NanoTime() + TickNs);
    }
}
