// The scheduler's loop, which runs on each core's g0: finding the next goroutine, stealing it, halting the core, and
// noticing that there will never be one.
//
// PF1  Order, as Go's: what Look says (stop the world; those readied by interrupts; due timers); every 61st turn the
//      global queue; the local queue; the global queue; half of another P's queue.
// PF2  Spinning: a core that looks for work to steal counts in s_spinning, at most half as many as are busy. Whoever
//      makes work readies a core only if none spins; the last to stop spinning looks everywhere once more.
// PF3  Going idle: the core's bit is set in s_idle, then everything is looked at once more; who makes work puts it on a
//      queue first and reads s_idle then. All of these are full fences, so one of the two sees the other.
// PF4  Between the last look and the halt interrupts are off (sti; hlt is one step), and a wake-up that comes in between
//      ends the halt at once.
// PF5  Deadlock: all cores at rest, those that run nothing included (one of them may be on its way to the global queue with
//      a goroutine), no timer pending, nobody waiting for the console. Looking takes several steps, so it counts only
//      if no core left its rest meanwhile: a core clears its bit, adds to s_leaves, and then looks for what to do.
// Context: g0, lock depth 1. Allocates nothing. Reference: Go's schedule, findRunnable, wakep, checkdead.
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const uint GlobalTurn = 61;
    private const int StealRounds = 4;

    private static ulong s_idle;            // a bit per core; atomic
    private static ulong s_resting;         // the same for retired cores, whom nobody wakes for work
    private static long s_leaves;           // how often a core has left its rest; atomic
    private static int s_spinning;          // atomic
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
            G* interrupted = null;
            if (cs->After == After.Interrupted)
            {
                interrupted = cs->AfterG;
                cs->After = After.Nothing;
            }
            else if (cs->AfterUnlock != null || cs->After != After.Nothing)
            {
                AfterSwitch(cs);
            }
            LockRanks.CheckNoneHeld();
            G* gp = FindRunnable(cs, p, interrupted);
            p->SchedTick++;
            if (gp != interrupted)
            {
                gp->SinceNs = p->NowNs;
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
                    p->Runq.KickRunNext(ref overflow);
                    PutGlobalOrPinned(interrupted, ref overflow);
                    interrupted = null;
                }
            }
            if (interrupted != null)
            {
                // Its slice goes on, unless a timer has readied somebody: who slept goes first.
                G* next = (look & Look.Alarm) != 0 ? p->Runq.Get() : null;
                if (next == null)
                {
                    p->SchedTick--;             // inherits
                    return interrupted;
                }
                PutLocal(p, interrupted, false);
                return next;
            }
            G* gp = p->Id < s_maxProcs ? FindHere(p) : Retire(p);
            gp = gp != null || p->Id >= s_maxProcs ? gp : Steal(p);
            if (gp != null)
            {
                StopSpinning(p, true);
                return gp;
            }
            Idle(cs, p);
        }
    }

    // What interrupts and other cores want. True when the interrupted goroutine has to give way.
    private static bool Heed(P* p, int look)
    {
        bool mustYield = (look & Look.Preempt) != 0;
        if ((look & Look.Stop) != 0)
        {
            HoldStill(p);
        }
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
        GQueue overflow = default;
        p->Runq.Put(gp, false, ref overflow);
        if (overflow.Count != 0)
        {
            PutGlobal(ref overflow);
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

    private static G* TakePinned(P* p)
    {
        p->PinnedLock.Acquire(LockRank.Pinned);
        G* gp = p->Pinned.Take();
        Atomic.Store(ref p->PinnedCount, p->Pinned.Count);
        p->PinnedLock.Release();
        return gp;
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
        if (Atomic.Load(ref p->PinnedCount) != 0)
        {
            G* pinned = TakePinned(p);
            if (pinned != null)
            {
                return pinned;
            }
        }
        if (++p->Turns >= GlobalTurn)
        {
            p->Turns = 0;
            p->NowNs = Machine.NanoTime();
            Machine.RefillFaultReserve();
            G* fair = TakeGlobal(p, 1);
            if (fair != null)
            {
                return fair;
            }
        }
        G* local = p->Runq.Get();
        return local != null ? local : TakeGlobal(p, RunQueue.Capacity / 2);
    }

    private static G* TakeGlobal(P* p, int most)
    {
        int count = Atomic.Load(ref s_sched.RunqCount);
        if (count == 0)
        {
            return null;
        }
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
            PutLocal(p, gp, false);
        }
    }

    // PF2
    private static G* Steal(P* p)
    {
        int procs = s_maxProcs;
        if (procs == 1)
        {
            return null;
        }
        if (!p->IsSpinning)
        {
            int busy = procs - BitOperations.PopCount(Atomic.Load(ref s_idle));
            if (2 * Atomic.Load(ref s_spinning) >= busy)
            {
                return null;
            }
            p->IsSpinning = true;
            Atomic.Add(ref s_spinning, 1);
        }
        for (int round = 0; round < StealRounds; round++)
        {
            p->Seed ^= p->Seed << 13;                   // xorshift64 (Marsaglia 2003)
            p->Seed ^= p->Seed >> 7;
            p->Seed ^= p->Seed << 17;
            int at = (int)(p->Seed % (ulong)procs);
            int step = CoprimeStep(procs, (int)((p->Seed >> 32) % (ulong)procs));
            for (int i = 0; i < procs; i++, at = (at + step) % procs)
            {
                P* other = PAt(at);
                if (other == p)
                {
                    continue;
                }
                G* gp = other->Runq.Steal(ref p->Runq, round == StealRounds - 1);
                if (gp != null)
                {
                    return gp;
                }
                if (Atomic.Load(ref p->Core->Look) != 0)
                {
                    return null;
                }
            }
        }
        return null;
    }

    // A number coprime to n, at or after `from`: stepping by it visits all of 0 … n-1.
    private static int CoprimeStep(int n, int from)
    {
        for (int step = from + 1; ; step++)
        {
            int a = step;
            int b = n;
            while (b != 0)
            {
                (a, b) = (b, a % b);
            }
            if (a == 1)
            {
                return step;
            }
        }
    }

    // Found: the last spinner leaves somebody spinning in its place, for there may be more.
    private static void StopSpinning(P* p, bool found)
    {
        if (!p->IsSpinning)
        {
            return;
        }
        p->IsSpinning = false;
        if (Atomic.Add(ref s_spinning, -1) == 0 && found)
        {
            WakeP();
        }
    }

    /// <summary>Lock depth raised: wakes an idle core to look for work, unless one is looking already.</summary>
    private static void WakeP()
    {
        if (Atomic.Load(ref s_spinning) != 0 || !Atomic.Swap(ref s_spinning, 0, 1))
        {
            return;
        }
        while (true)
        {
            ulong idle = Atomic.Load(ref s_idle);
            if (idle == 0)
            {
                // Others may have kept still because of this one: a core may have gone idle before they made work.
                Atomic.Add(ref s_spinning, -1);
                if (Atomic.Load(ref s_idle) == 0 || !Atomic.Swap(ref s_spinning, 0, 1))
                {
                    return;
                }
                continue;
            }
            int id = BitOperations.TrailingZeroCount(idle);
            ulong bit = 1UL << id;
            if ((Atomic.And(ref s_idle, ~bit) & bit) != 0)
            {
                Machine.WakeCore(id);           // sees that its bit is gone: it is the one counted above
                return;
            }
        }
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
        StopSpinning(p, false);
        Machine.RefillFaultReserve();
        bool isRetired = p->Id >= s_maxProcs;
        if (isRetired)
        {
            if (wasSpinning && IsWorkAnywhere())
            {
                WakeP();                        // it was woken for work it may not do
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
        while (Atomic.Load(ref cs->Look) == 0 && (isRetired ? p->Id >= s_maxProcs : (Atomic.Load(ref s_idle) & bit) != 0))
        {
            nuint flags = Machine.DisableInterrupts();
            if (Atomic.Load(ref cs->Look) == 0 && (isRetired || (Atomic.Load(ref s_idle) & bit) != 0))
            {
                Machine.Halt();
            }
            Machine.RestoreInterrupts(flags);
        }
        p->NowNs = Machine.NanoTime();
        if (isRetired)
        {
            Atomic.And(ref s_resting, ~bit);
            Atomic.Add(ref s_leaves, 1);
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
    }

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
