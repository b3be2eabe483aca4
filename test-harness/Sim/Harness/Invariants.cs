// What must hold whenever the turn changes hands, and what must hold when nothing can happen before time goes on.
//
// IV1  A goroutine is on one queue at most, once. On a queue it is runnable (waiting, in the list of interrupts), and no core
//      is on its stack: its registers are saved (PR1).
// IV2  No goroutine is the current one of two cores.
// IV3  Quiet, that is: every core is halted or computes. Then nothing is on its way: each runnable goroutine is on a queue,
//      each running one on a core that computes; as many cores count as looking for work as do.
// IV4  Quiet, and a core that may run goroutines is halted as idle, the world not being stopped: then no queue that it could take from
//      holds anything. This is what a lost wake-up breaks.
//      (Somebody who looks for work, and only pauses in it, is as good as a wake-up.)
//      Rings are left out in scenarios that yield, while somebody computes: nobody is woken for one that yields.
// IV5  Quiet: a P with timers has its core's alarm set for the first of them or earlier.
// IV6  Quiet, and no goroutine is runnable, running or waits for a timer, a device or the console: then the deadlock has been
//      reported already, and is not found only when some later alarm makes a core look again.
// IV7  Quiet, the world not being stopped: a core beyond GOMAXPROCS has no timers, nothing is queued there, and no goroutine is
//      locked to it (PW1).
// Context: whoever holds the turn; memory is looked at as it is, without steps.
using System.Collections.Generic;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Sim.Harness;

internal static unsafe class Invariants
{
    private const int ManyGoroutines = 64;
    private const int RareTurns = 64;           // with many goroutines only every so many turns are looked at

    private static readonly Dictionary<nint, string> s_queued = [];
    private static int s_turns;
    private static bool s_mayYield;

    internal static void Reset(bool mayYield)
    {
        s_turns = 0;
        s_mayYield = mayYield;
    }

    internal static void CheckTurn()
    {
        s_turns++;
        if (!IsBooted || (s_queued.Count > ManyGoroutines && s_turns % RareTurns != 0))
        {
            return;
        }
        CheckQueues();
    }

    internal static void CheckQuiet()
    {
        if (!IsBooted)
        {
            return;
        }
        CheckQueues();
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            if (gp->Status == GStatus.Runnable && !s_queued.ContainsKey((nint)gp))
            {
                throw new SimFailure($"IV3: goroutine {gp->Id} is runnable and on no queue");
            }
            if (gp->LockedCore != null && gp->LockedCore->Id >= Proc.MaxProcs && gp->Status != GStatus.Dead && !Proc.IsWorldStopping)
            {
                throw new SimFailure($"IV7: goroutine {gp->Id} is locked to core {gp->LockedCore->Id}");
            }
            if (gp->Status == GStatus.Running && CoreOf(gp) < 0)
            {
                throw new SimFailure($"IV3: goroutine {gp->Id} is running and on no core");
            }
        }
        int looking = 0;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            looking += Proc.PAt(i)->IsSpinning ? 1 : 0;
        }
        if (Proc.SpinningCores != looking)
        {
            throw new SimFailure($"IV3: {Proc.SpinningCores} cores count as looking for work, {looking} do");
        }
        bool isAnythingToCome = s_queued.Count != 0 || looking != 0 || DoesAnyCompute || Proc.ConsoleWaiters != 0 || Devices.NextNs != long.MaxValue;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            P* p = Proc.PAt(i);
            isAnythingToCome |= p->Timers.Count != 0;
            VirtualCore core = Simulation.CoreAt(i);
            if (p->Timers.Count != 0 && (core.AlarmNs == 0 || core.AlarmNs > p->Timers.FirstWhenNs))
            {
                throw new SimFailure($"IV5: P {i} has a timer for {p->Timers.FirstWhenNs}, the alarm is set for {core.AlarmNs}");
            }
            if (!p->Timers.CheckInvariants())
            {
                throw new SimFailure($"TH1, TH2: timers of P {i}");
            }
            if (i >= Proc.MaxProcs && !Proc.IsWorldStopping && (p->Timers.Count != 0 || p->Pinned.Count != 0 || p->Runq.Entries != 0))
            {
                throw new SimFailure($"IV7: core {i} is retired, {p->Timers.Count} timers, {p->Runq.Entries} goroutines");
            }
            if (core.IsHalted && !Proc.IsWorldStopping && p->Pinned.Count != 0)
            {
                throw new SimFailure($"IV4: core {i} is halted and has a goroutine of its own to run");
            }
            if (core.IsHalted && (Proc.IdleCores & (1UL << i)) != 0 && !Proc.IsWorldStopping && looking == 0)
            {
                CheckNoWork(i);
            }
        }
        if (!isAnythingToCome)
        {
            throw new SimFailure("IV6: a deadlock is not noticed");
        }
    }

    private static bool IsBooted => Machine.CoresStarted == Simulation.CoreCount && Proc.PAt(Simulation.CoreCount - 1) != null;

    private static bool DoesAnyCompute
    {
        get
        {
            bool any = false;
            for (int i = 0; i < Simulation.CoreCount; i++)
            {
                any |= !Simulation.CoreAt(i).IsHalted;
            }
            return any;
        }
    }

    // IV4
    private static void CheckNoWork(int idle)
    {
        if (Proc.GlobalQueue.Count != 0)
        {
            throw new SimFailure($"IV4: core {idle} is halted, the global queue holds {Proc.GlobalQueue.Count}");
        }
        for (int i = 0; i < Proc.MaxProcs; i++)
        {
            P* p = Proc.PAt(i);
            bool hasRing = p->Runq.Entries != 0 && (!s_mayYield || !DoesAnyCompute);
            if (hasRing || p->Runq.NextNow != null)
            {
                throw new SimFailure($"IV4: core {idle} is halted, P {i} has {p->Runq.Entries} in its queue and "
                    + (p->Runq.NextNow == null ? "none" : "one") + " next");
            }
        }
    }

    private static void CheckQueues()
    {
        s_queued.Clear();
        AddAll(Proc.GlobalQueue, "the global queue");
        for (G* gp = Proc.ReadiedByInterrupts; gp != null; gp = gp->IrqLink)
        {
            Add(gp, "the list of interrupts", GStatus.Waiting);
        }
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            P* p = Proc.PAt(i);
            if (p == null)
            {
                continue;
            }
            for (int at = 0; at < p->Runq.Entries; at++)
            {
                Add(p->Runq.EntryAt(at), "a P's queue", GStatus.Runnable);
            }
            if (p->Runq.NextNow != null)
            {
                Add(p->Runq.NextNow, "runnext", GStatus.Runnable);
            }
            AddAll(p->Pinned, "a core's own queue");
            G* current = (G*)Simulation.CoreAt(i).Block->G;
            for (int j = 0; j < i && current != null; j++)
            {
                if (Simulation.CoreAt(j).Block->G == current)
                {
                    throw new SimFailure($"IV2: goroutine {current->Id} is current on cores {j} and {i}");
                }
            }
        }
    }

    private static void AddAll(GQueue queue, string name)
    {
        int n = 0;
        for (G* gp = queue.First; gp != null; gp = gp->SchedLink, n++)
        {
            Add(gp, name, GStatus.Runnable);
        }
        if (n != queue.Count)
        {
            throw new SimFailure($"IV1: {name} has {n} entries and counts {queue.Count}");
        }
    }

    private static void Add(G* gp, string name, GStatus status)
    {
        if (!s_queued.TryAdd((nint)gp, name))
        {
            throw new SimFailure($"IV1: goroutine {gp->Id} is on {s_queued[(nint)gp]} and on {name}");
        }
        if (gp->Status != status)
        {
            throw new SimFailure($"IV1: goroutine {gp->Id} on {name} is {gp->Status}");
        }
        if (CoreOf(gp) >= 0)
        {
            throw new SimFailure($"IV1: goroutine {gp->Id} is on {name} while core {CoreOf(gp)} is on its stack");
        }
    }

    private static int CoreOf(G* gp)
    {
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            if (Simulation.CoreAt(i).Block->G == gp)
            {
                return i;
            }
        }
        return -1;
    }
}
