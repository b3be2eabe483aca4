// The scheduler's loop, which runs on each core's g0: finding the next goroutine, stealing it, halting the core, and
// noticing that there will never be one.
//
// PF1  Order, as Go's: what Look says (stop the world; those readied by interrupts; due timers); every 61st turn the
//      global queue; those locked to this core, every other time; the local queue; the global queue; half of another P's.
// PF2  Spinning: a core that looks for work to steal counts in s_spinning (Proc.Steal.cs).
// PF3  Going idle, so that no work is overlooked (each line is a full fence, or has one before it):
//      the maker of work                           the core without work
//      1  puts it on a queue                       1  stops spinning, if it was: s_spinning goes down
//      2  reads s_idle; no bit: done               2  sets its bit in s_idle
//      3  reads s_spinning; not 0: done            3  looks at every queue; anything there: takes its bit back
//      4  takes a bit away and wakes its core      4  halts
//      Done at 2: the bit comes later, so look 3 comes later still and sees the work. Done at 3: the spinner has its own
//      steps 1 to 3 before it. A loop (IsInLoop) that makes work takes its step 2 when it has chosen what to run.
// PF4  Between the last look and the halt interrupts are off (sti; hlt is one step), and a wake-up that comes in between
//      ends the halt at once.
// PF5  Deadlock: all cores at rest, those that run nothing included (one of them may be on its way to the global queue with
//      a goroutine), no timer pending, nobody waiting for the console. Looking takes several steps, so it counts only
//      if no core left its rest meanwhile: a core clears its bit, adds to s_leaves, and then looks for what to do.
// Context: g0, lock depth 1. Allocates nothing. Reference: Go's schedule, findRunnable, checkdead.
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const uint TurnsPerGlobal = 61;

    private static ulong s_idle;            // a bit per core; atomic
    private static ulong s_asleep;          // the same for cores that halt or are on their way back from it; theirs alone to change; atomic
    private static ulong s_resting;         // the same for retired cores, whom nobody wakes for work
    private static long s_leaves;           // how often a core has left its rest; atomic
    private static ulong s_irqReady;        // G*, through IrqLink, last one first; atomic

    // The loop of a core; each goroutine it runs comes back to it through SwitchTo.
    [DoesNotReturn]
    [RuntimeExport("SchedLoop")]
    private static void Loop()
    {
        CoreState* cs = ThisCore.State;
        P* p = cs->P;
        while (true)
        {
            p->IsInLoop = true;
            G* interrupted = null;
            if (cs->After == After.Interrupted)
            {
                if (cs->Left != null)
                {
                    StackScan.ScanLeft(cs);
                }
                interrupted = cs->AfterG;
                cs->After = After.Nothing;
            }
            else if (cs->AfterUnlock != null || cs->After != After.Nothing || cs->Left != null)
            {
                AfterSwitch(cs);
            }
            LockRanks.CheckNoneHeld();
            G* gp = FindRunnable(cs, p, interrupted);
            if (gp != interrupted)
            {
                gp->SinceNs = p->NowNs;
            }
            p->IsInLoop = false;
            if (Atomic.Load(ref s_idle) != 0 && (!p->Runq.IsEmpty || Atomic.Load(ref s_sched.RunqCount) != 0))
            {
                WakeP();
            }
            if (!p->HasTick)
            {
                StartTick(p);
            }
            gp->Status = GStatus.Running;
            SwitchTo(cs, cs->G0, gp);
        }
    }

    private static G* FindRunnable(CoreState* cs, P* p, G* interrupted)
    {
        while (true)
        {
            int look = Atomic.Exchange(ref cs->Look, 0);
            if (look != 0)
            {
                bool mustYield = Heed(p, look);
                if (interrupted != null && mustYield)
                {
                    GQueue overflow = default;
                    if (!p->HasReadied)                 // else runnext is a sleeper, who has not inherited anything
                    {
                        p->Runq.KickRunNext(ref overflow);
                    }
                    PutGlobalOrPinned(interrupted, ref overflow);
                    interrupted = null;
                }
            }
            if (interrupted != null)
            {
                // Its slice goes on, unless somebody was readied meanwhile: who slept goes first.
                G* next = p->HasReadied ? TakeLocal(p) : null;
                p->HasReadied = false;
                if (next == null)
                {
                    return interrupted;
                }
                PutLocal(p, interrupted, false);
                return next;
            }
            p->HasReadied = false;
            if (p->Id >= s_maxProcs)
            {
                Retire(p);                  // nor does it mark: who is alone sets marks without locking (RQ5)
                Idle(cs, p);
                continue;
            }
            G* gp = FindHere(p);
            gp = gp != null ? gp : Steal(cs, p);
            if (gp != null)
            {
                StopSpinning(p, true);
                return gp;
            }
            if (!Mgc.MarkWhileIdle(cs) && !Nap(cs, p))
            {
                Idle(cs, p);
            }
        }
    }

    // What interrupts and other cores want. True when the interrupted goroutine has to give way.
    private static bool Heed(P* p, int look)
    {
        if ((look & Look.Stop) != 0)
        {
            HoldStill(p);
            look |= Atomic.Exchange(ref p->Core->Look, 0);      // what whoever stopped the world had to say
        }
        bool mustYield = (look & Look.Preempt) != 0;
        if ((look & Look.Input) != 0)
        {
            TakeFromInterrupts(p);
        }
        if ((look & Look.Alarm) != 0)
        {
            mustYield |= RunTimers(p);
            PrintTraceIfDue(p);
        }
        return mustYield;
    }

    private static void PutGlobalOrPinned(G* gp, ref GQueue batch)
    {
        if (gp->LockedCore != null)
        {
            PutPinned(gp);
        }
        else
        {
            batch.Add(gp);
        }
        PutGlobal(ref batch);
    }

    // A goroutine that gives its turn up: nobody needs to be woken for it.
    private static void PutYielded(P* p, G* gp)
    {
        if (gp->LockedCore != null)
        {
            PutPinned(gp);
            return;
        }
        gp->SinceNs = p->NowNs;
        gp->LastP = (byte)p->Id;
        if (!p->Runq.TryPut(gp))
        {
            PutOverflowing(p, gp);
        }
    }

    // Runs on its own core only; queued there, whoever readies it.
    private static void PutPinned(G* gp)
    {
        P* p = PAt(gp->LockedCore->Id);
        gp->SinceNs = p->NowNs;
        gp->LastP = (byte)p->Id;
        p->PinnedLock.Acquire(LockRank.Pinned);
        p->Pinned.Add(gp);
        Atomic.Store(ref p->PinnedCount, p->Pinned.Count);
        p->PinnedLock.Release();
        Kick(p, Look.Preempt);
    }

    /// <summary>Makes another core look, wherever it is.</summary>
    private static void Kick(P* p, int look)
    {
        if (p->Core == ThisCore.State)
        {
            return;                         // the scheduler's next turn finds it
        }
        int before = Atomic.Or(ref p->Core->Look, look);
        if ((before & look) != look)
        {
            Machine.InterruptCore(p->Id);   // ends a halt too
        }
    }

    private static G* FindHere(P* p)
    {
        p->Turns++;
        if ((int)(p->Turns - p->GlobalTurn) >= 0)
        {
            p->GlobalTurn = p->Turns + TurnsPerGlobal;
            p->NowNs = Machine.NanoTime();
            Machine.RefillFaultReserve();
            G* fair = TakeGlobal(p, 1);
            if (fair != null)
            {
                return fair;
            }
        }
        // Locked ones first every other time, so that neither they nor the rest starve.
        p->PinnedFirst = !p->PinnedFirst;
        G* gp = p->PinnedFirst ? TakePinned(p) : null;
        gp = gp != null ? gp : TakeLocal(p);
        gp = gp != null ? gp : TakeGlobal(p, RunQueue.Capacity / 2);
        return gp != null || p->PinnedFirst ? gp : TakePinned(p);
    }

    private static G* TakePinned(P* p)
    {
        if (Atomic.Load(ref p->PinnedCount) == 0)
        {
            return null;
        }
        p->SchedTick++;
        p->PinnedLock.Acquire(LockRank.Pinned);
        G* gp = p->Pinned.Take();
        Atomic.Store(ref p->PinnedCount, p->Pinned.Count);
        p->PinnedLock.Release();
        return gp;
    }

    // The next of the own queue; runnext inherits the slice.
    private static G* TakeLocal(P* p)
    {
        G* gp = p->Runq.GetNext();
        if (gp == null)
        {
            p->SchedTick++;
            gp = p->Runq.GetFirst();
        }
        return gp;
    }

    private static G* TakeGlobal(P* p, int most)
    {
        int count = Atomic.Load(ref s_sched.RunqCount);
        if (count == 0)
        {
            return null;
        }
        p->SchedTick++;
        int share = (count / s_maxProcs) + 1;
        s_sched.Lock.Acquire(LockRank.Sched);
        G* gp = p->Runq.GetBatch(ref s_sched.Runq, share < most ? share : most);
        Atomic.Store(ref s_sched.RunqCount, s_sched.Runq.Count);
        s_sched.Lock.Release();
        return gp;
    }

    private static void TakeFromInterrupts(P* p)
    {
        G* gp = (G*)Atomic.Exchange(ref s_irqReady, 0);
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
            gp->Status = GStatus.Runnable;
            PutLocal(p, gp, true);
            p->KeepsOrder = true;
            p->HasReadied = true;
        }
        p->KeepsOrder = false;
    }

    private static bool IsWorkAnywhere()
    {
        if (Atomic.Load(ref s_sched.RunqCount) != 0)
        {
            return true;
        }
        for (int i = 0; i < s_maxProcs; i++)
        {
            if (!PAt(i)->Runq.IsEmpty)
            {
                return true;
            }
        }
        return false;
    }

    // PF3, PF4. Returns when there may be something to do.
    private static void Idle(CoreState* cs, P* p)
    {
        ulong bit = 1UL << p->Id;
        bool wasSpinning = p->IsSpinning;
        p->SchedTick++;
        StopSpinning(p, false);
        Machine.RefillFaultReserve();
        bool isRetired = p->Id >= s_maxProcs;
        if (isRetired)
        {
            if (IsWorkAnywhere())
            {
                WakeP();                        // what it has handed over, or was woken for, it may not do
            }
            Atomic.Or(ref s_resting, bit);
        }
        else
        {
            Atomic.Or(ref s_idle, bit);
            if (Atomic.Load(ref cs->Look) != 0 || Atomic.Load(ref p->PinnedCount) != 0 || IsWorkAnywhere())
            {
                LeaveIdle(p, bit);
                if (wasSpinning && !p->IsSpinning)
                {
                    p->IsSpinning = true;           // others kept still because of it: it takes one of what they made,
                    Atomic.Add(ref s_spinning, 1);  // and StopSpinning wakes somebody for the rest
                }
                return;
            }
        }
        CheckDead();
        Atomic.Or(ref s_asleep, bit);
        while (Atomic.Load(ref cs->Look) == 0 && (isRetired ? p->Id >= s_maxProcs : (Atomic.Load(ref s_idle) & bit) != 0))
        {
            nuint flags = Machine.DisableInterrupts();
            if (Atomic.Load(ref cs->Look) == 0 && (isRetired || (Atomic.Load(ref s_idle) & bit) != 0))      // PF4
            {
                Machine.Halt();
            }
            Machine.RestoreInterrupts(flags);
        }
        Atomic.And(ref s_asleep, ~bit);         // PW2: before s_stopping is read
        p->NowNs = Machine.NanoTime();
        if (isRetired)
        {
            Atomic.And(ref s_resting, ~bit);
            Atomic.Add(ref s_leaves, 1);
            HoldStill(p);                       // PW2
        }
        else
        {
            LeaveIdle(p, bit);
        }
    }

    // Only WakeP takes another core's bit: whose bit is gone is the spinner that WakeP has counted.
    private static void LeaveIdle(P* p, ulong bit)
    {
        if ((Atomic.And(ref s_idle, ~bit) & bit) == 0)
        {
            p->IsSpinning = true;
        }
        Atomic.Add(ref s_leaves, 1);
        HoldStill(p);                           // PW2
    }

    /// <summary>Whether some core has nothing to do; a snapshot.</summary>
    internal static bool HasIdleCores => Atomic.Load(ref s_idle) != 0 || Atomic.Load(ref s_spinning) != 0;

    private static bool AreAllAtRest()
    {
        int cores = Machine.CoresStarted;
        ulong all = cores == 64 ? ulong.MaxValue : (1UL << cores) - 1;
        return ((Atomic.Load(ref s_idle) | Atomic.Load(ref s_resting)) & all) == all;
    }

    /// <summary>For <see cref="Snapshot"/>: read without locks.</summary>
    internal static void Describe(out int maxProcs, out int globalQueue)
    {
        maxProcs = MaxProcs;
        globalQueue = Atomic.Load(ref s_sched.RunqCount);
    }

    /// <summary>What the core of a P does that runs no goroutine.</summary>
    internal static CoreActivity ActivityOf(P* p) =>
        p->Id >= MaxProcs ? CoreActivity.Retired
        : IsIdle(p->Id) ? CoreActivity.Idle
        : p->IsSpinning ? CoreActivity.Spinning
        : CoreActivity.Scheduling;

    private static void CheckDead()
    {
        long leaves = Atomic.Load(ref s_leaves);
        if (!AreAllAtRest() || Atomic.Load(ref ConsoleWaiters) != 0 || Atomic.Load(ref s_irqReady) != 0
            || IsWorkAnywhere())
        {
            return;
        }
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            P* p = PAt(i);
            if (Atomic.Load(ref p->Core->Look) != 0 || Deadlines(p) != 0 || Atomic.Load(ref p->PinnedCount) != 0)
            {
                return;
            }
        }
        if (!AreAllAtRest() || Atomic.Load(ref s_leaves) != leaves)
        {
            return;
        }
        Throw.FatalUser(Goroutines == 0 && s_sched.MainExited
            ? "no goroutines (main called runtime.Goexit) - deadlock!"u8
            : "all goroutines are asleep - deadlock!"u8);
    }
}
