// One goroutine waits for one interrupt source.
//
// NO1  The word is 0 (nothing), 1 (it has happened, nobody has waited yet) or the goroutine that waits.
// NO2  Notify may come between the waiter's last look and its parking: it then finds 0 and leaves 1, which the waiter's
//      Commit meets once its registers are saved.
// Context: Wait on goroutines, Notify in interrupts. Allocates nothing. Reference: Go's netpoll.go (pdReady, pdWait).
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal unsafe struct Notifier
{
    private const ulong Happened = 1;

    private ulong _state;

    /// <summary>Waits until <see cref="Notify"/>; returns at once if it came since the last Wait. Must not lie on a stack.</summary>
    internal void Wait(WaitReason reason)
    {
        if (!Atomic.Swap(ref _state, Happened, 0))
        {
            fixed (ulong* self = &_state)
            {
                Proc.GoParkFor((Notifier*)self, reason);
            }
        }
    }

    // The goroutine's registers are saved.
    internal void Commit(CoreState* cs, G* gp)
    {
        if (!Atomic.Swap(ref _state, 0, (ulong)gp))
        {
            Atomic.Store(ref _state, 0);
            gp->Status = GStatus.Runnable;
            Proc.PutLocal(cs->P, gp, true);
        }
    }

    /// <summary>Interrupt context: wakes the waiter, now or when it comes.</summary>
    internal void Notify()
    {
        while (true)
        {
            ulong state = Atomic.Load(ref _state);
            if (state == Happened)
            {
                return;
            }
            if (Atomic.Swap(ref _state, state, state == 0 ? Happened : 0))
            {
                if (state != 0)
                {
                    Proc.ReadyFromInterrupt((G*)state);
                }
                return;
            }
        }
    }
}
