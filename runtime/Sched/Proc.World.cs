// Cores as a whole: starting them, how many run goroutines, stopping the world.
//
// PW1  Core i has P i. Those with i >= GOMAXPROCS run nothing: they hand what they have to the global queue and halt. Their
//      timers, dead Gs and goroutines locked to them go to the others at once, while the world is stopped: a locked
//      goroutine is then locked to the core it has come to.
// PW2  StopTheWorld returns once every other core is asleep or in HoldStill. A core that wakes meanwhile looks at
//      s_stopping before it takes work: its bit in s_asleep goes first, s_stopping was set before these bits were read.
//      It takes that bit away itself: one that was woken and has not come yet, which may take long, is waited for by nobody.
// PW3  One goroutine stops the world at a time; it stays on its core until StartTheWorld.
// PW4  A core that leaves HoldStill may meet the next stop: it clears Stopped and then reads s_stopping, who stops sets
//      s_stopping and then reads Stopped, a full fence between the two. So the core sees that it has to stay, or it is
//      waited for.
// Context: goroutine, HoldStill and Retire on g0. Reference: Go's stopTheWorldWithSema, procresize.
using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    private const long AskAgainNs = 50_000;
    private const long SpinStillNs = 100_000;

    private static int s_maxProcs = 1;      // atomic; changed with the world stopped
    private static int s_stopping;          // atomic
    private static int s_ready = 1;         // atomic: cores that have their P
    private static int s_stopper;           // atomic: somebody stops the world or has stopped it

    /// <summary>Cores that run goroutines.</summary>
    internal static int MaxProcs => Atomic.Load(ref s_maxProcs);

    // The kernel argument GOMAXPROCS; by default all cores.
    private static void InitMaxProcs()
    {
        int most = Machine.CoreCount < Machine.MaxCores ? Machine.CoreCount : Machine.MaxCores;
        s_maxProcs = most;
        if (!Machine.TryGetArg("GOMAXPROCS"u8, out byte* value, out int length))
        {
            return;
        }
        long n = 0;
        bool isNumber = length > 0 && length < 10;
        for (int i = 0; i < length && isNumber; i++)
        {
            isNumber = value[i] is >= (byte)'0' and <= (byte)'9';
            n = (n * 10) + value[i] - '0';
        }
        if (!isNumber || n == 0)
        {
            Machine.Print("unikernel: GOMAXPROCS wants a number from 1: using "u8);
            Machine.PrintDecimal((ulong)most);
            Machine.Print("\n"u8);
        }
        else if (n > most)
        {
            Machine.Print("unikernel: GOMAXPROCS is more than the cores there are: using "u8);
            Machine.PrintDecimal((ulong)most);
            Machine.Print("\n"u8);
        }
        else
        {
            s_maxProcs = (int)n;
        }
    }

    private static void StartCores()
    {
        int want = s_maxProcs;
        int most = Machine.CoreCount < Machine.MaxCores ? Machine.CoreCount : Machine.MaxCores;
        s_maxProcs = 1;
        for (int i = 1; i < most && Machine.CoresStarted < want; i++)
        {
            _ = Machine.StartCore(Machine.CoresStarted, &CoreMain);
        }
        while (Atomic.Load(ref s_ready) != Machine.CoresStarted)
        {
            Cpu.Pause();
        }
        want = want < Machine.CoresStarted ? want : Machine.CoresStarted;
        RunQueue.IsAlone = want == 1;           // the other cores sleep as ones that run nothing
        Atomic.Store(ref s_maxProcs, want);
        for (int i = 1; i < Machine.CoresStarted; i++)
        {
            Kick(PAt(i), Look.Preempt);         // it may have gone to sleep as one that runs nothing
        }
    }

    // A core's first C#, on the stack it came on, which becomes its g0's.
    private static void CoreMain()
    {
        InitCore(Machine.CurrentCore);
        Atomic.Add(ref s_ready, 1);
        Loop();
    }

    /// <summary>Stops all other cores; the caller's stays at lock depth 1 or more until <see cref="StartTheWorld"/>.</summary>
    internal static void StopTheWorld()
    {
        while (!Atomic.Swap(ref s_stopper, 0, 1))
        {
            Gosched();
        }
        P* self = ThisCore.Acquire()->P;
        _ = Atomic.Exchange(ref s_stopping, 1);             // PW4
        long ask = 0;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            P* p = PAt(i);
            while (p != self && !IsStill(p))
            {
                if (Machine.NanoTime() >= ask)
                {
                    AskToStop(self);
                    ask = Machine.NanoTime() + AskAgainNs;
                }
                Cpu.Pause();
            }
        }
    }

    private static void AskToStop(P* self)
    {
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            P* p = PAt(i);
            if (p != self && !IsStill(p))
            {
                Atomic.Or(ref p->Core->Look, Look.Stop);
                Machine.InterruptCore(i);
            }
        }
    }

    // Nobody needs to be woken only to hold still (PW2).
    private static bool IsStill(P* p) => Atomic.Load(ref p->Stopped) != 0 || (Atomic.Load(ref s_asleep) & (1UL << p->Id)) != 0;

    /// <summary>Lets the other cores go on.</summary>
    internal static void StartTheWorld()
    {
        _ = Atomic.Exchange(ref s_stopping, 0);         // before Stopped is read: who comes to hold still now does not halt
        P* self = ThisCore.State->P;
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            if (PAt(i) != self && Atomic.Load(ref PAt(i)->Stopped) != 0)
            {
                Machine.WakeCore(i);
            }
        }
        Atomic.Store(ref s_stopper, 0);
        ThisCore.Release();
    }

    private static void HoldStill(P* p)
    {
        if (Atomic.Load(ref s_stopping) == 0)
        {
            return;
        }
        do
        {
            Atomic.Store(ref p->Stopped, 1);
            long until = Machine.NanoTime() + SpinStillNs;      // most stops are shorter than a wake-up from a halt
            while (Atomic.Load(ref s_stopping) != 0 && Machine.NanoTime() < until)
            {
                Cpu.Pause();
            }
            while (Atomic.Load(ref s_stopping) != 0)
            {
                nuint flags = Machine.DisableInterrupts();
                if (Atomic.Load(ref s_stopping) != 0)
                {
                    Machine.Halt();
                }
                Machine.RestoreInterrupts(flags);
            }
            _ = Atomic.Exchange(ref p->Stopped, 0);
        }
        while (Atomic.Load(ref s_stopping) != 0);       // PW4
    }

    // PW1
    private static void Retire(P* p)
    {
        GQueue batch = default;
        for (G* gp = p->Runq.Get(); gp != null; gp = p->Runq.Get())
        {
            batch.Add(gp);
        }
        if (batch.Count != 0)
        {
            PutGlobal(ref batch);
        }
    }

    /// <summary>Sets how many cores run goroutines, at most as many as there are; the number before.</summary>
    internal static int SetMaxProcs(int n)
    {
        int before = MaxProcs;
        n = n < Machine.CoresStarted ? n : Machine.CoresStarted;
        if (n < 1 || n == before)
        {
            return before;
        }
        StopTheWorld();
        P* self = ThisCore.State->P;
        RunQueue.IsAlone = n == 1;
        Atomic.Store(ref s_maxProcs, n);
        for (int i = n; i < before; i++)
        {
            GiveAway(PAt(i), PAt(i % n));
        }
        if (n < before)
        {
            MoveLocked(n);
        }
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            // Each sees where it belongs now. An interrupt, too: those at rest are not woken by StartTheWorld.
            Atomic.Or(ref PAt(i)->Core->Look, Look.Preempt | Look.Alarm);
            if (PAt(i) != self)
            {
                Machine.InterruptCore(i);
            }
        }
        StartTheWorld();
        return before;
    }

    // PW1. World stopped.
    private static void GiveAway(P* from, P* to)
    {
        MoveTimers(from, to);
        Stacks.GiveAway(from);
        to->Pinned.Append(ref from->Pinned);
        Atomic.Store(ref to->PinnedCount, to->Pinned.Count);
        Atomic.Store(ref from->PinnedCount, 0);
    }

    private static void MoveLocked(int n)
    {
        for (G* gp = AllFirst; gp != null; gp = gp->AllLink)
        {
            if (gp->LockedCore != null && gp->LockedCore->Id >= n)
            {
                gp->LockedCore = Machine.CoreAt(gp->LockedCore->Id % n);
            }
        }
    }

    internal static void LockToCore()
    {
        ThisCore.Acquire();
        G* gp = GetG();
        gp->LockedCore = Machine.CurrentCore;
        gp->LockCount++;
        ThisCore.Release();
    }

    internal static void UnlockFromCore()
    {
        G* gp = GetG();
        if (gp->LockCount != 0 && --gp->LockCount == 0)
        {
            gp->LockedCore = null;
        }
    }
}
