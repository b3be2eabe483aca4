// The scheduler: goroutines (G), cores (M) and the right to run them (P).
//
// An M is a core, and each core owns one P. A goroutine that parks, yields or ends switches straight to the next one of
// its own queue, if there is one and nothing else is to be looked at; else to g0, the core's own stack, whose loop
// (Proc.Find.cs) finds work, steals it, or halts the core.
//
// PR1  A switch happens at lock depth 1, on both sides. What the goroutine left behind still needs (open a lock, queue
//      it, free it) is done by whoever comes next on that core (AfterSwitch): only then are its registers saved.
// PR2  A G is Running exactly when a core runs it; Runnable exactly when on one queue, or on its way to one.
// PR3  GoReady makes the goroutine the next to run on the caller's core (runnext), as in Go, and wakes a core for it or
//      for the one it displaced, if one is idle and none is looking for work already. What the loop itself makes runnable
//      (timers, interrupts) wakes a core only if something is left when the loop has chosen what to run.
// PR4  Nothing parks on g0 or with interrupts off.
// Context: goroutine unless a method says otherwise. Allocates: off-heap, in NewProc and for the timers' arrays.
// Reference: Go's proc.go.
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Mem;
using Barrier = Unikernel.Runtime.Gc.Barrier;

namespace Unikernel.Runtime.Sched;

/// <summary>The right to run goroutines, with what goes with it: run queue, timers, free stacks. One per core.</summary>
internal unsafe struct P
{
    internal int Id;
    internal CoreState* Core;
    internal uint SchedTick;            // number of the slice: one more per turn that does not inherit it
    internal uint Turns;                // of goroutines and of the loop; thieves look at it (PS2)
    internal uint GlobalTurn;           // the turn that looks at the global queue first
    internal Slice Slice;               // number SchedTick, as the alarms see it
    internal int Naps;                  // without having found work (PS3)
    internal bool IsSpinning;           // looks for work to steal
    internal bool IsInLoop;             // its core looks for what to run: what is put on the queue needs no wake-up yet (PR3)
    internal bool PinnedFirst;          // the last turn of the loop looked at Pinned first
    internal bool HasTick;              // the alarm will come for the slice's sake
    internal bool HasReadied;           // timers or interrupts have made somebody runnable, who goes before the interrupted
    internal bool KeepsOrder;           // they have readied one already: the others come after it (TM7)
    internal ulong Seed;                // of the order of stealing
    internal long NowNs;                // coarse clock, for how long goroutines wait
    internal long NextId;               // ids of goroutines, by batches
    internal long LastId;
    internal long Goroutines;           // started minus ended here; the sum over all Ps counts
    internal long AlarmNs;              // what the alarm is set to; long.MaxValue when it is not
    internal int Stopped;               // holds still for StopTheWorld; atomic
    internal SpinLock PinnedLock;
    internal GQueue Pinned;             // runnable and locked to this core; guarded by PinnedLock
    internal int PinnedCount;           // atomic
    internal RunQueue Runq;
    internal SpinLock TimersLock;
    internal TimerHeap Timers;          // guarded by TimersLock
    internal FreeStacks Free;
}

internal static unsafe partial class Proc
{
    private const int SavedWords = 7;       // what SwitchStack pops, return address included
    private const int IdBatch = 16;

    /// <summary>What belongs to all cores.</summary>
    private struct Global
    {
        internal SpinLock Lock;
        internal GQueue Runq;               // guarded by Lock
        internal int RunqCount;             // of Runq, to be looked at without the lock; atomic
        internal G* AllFirst;               // guarded by AllLock; read without
        internal G* AllLast;
        internal SpinLock AllLock;
        internal long LastId;               // atomic
        internal bool MainExited;           // by Goexit
        internal fixed ulong Ps[Machine.MaxCores];
    }

    private static Global s_sched;

    /// <summary>Goroutines that wait for console input: while there are any, nothing is a deadlock. Atomic.</summary>
    internal static int ConsoleWaiters;

    /// <summary>Goroutines that exist, the caller included, threads of the class library not counted.</summary>
    internal static int Goroutines
    {
        get
        {
            long n = 0;
            for (int i = 0; i < Machine.CoresStarted; i++)
            {
                n += Atomic.Load(ref PAt(i)->Goroutines);
            }
            return (int)n;
        }
    }

    internal static G* GetG() => (G*)Machine.GetG();

    internal static G* AllFirst => s_sched.AllFirst;

    internal static P* PAt(int id) => (P*)s_sched.Ps[id];

    /// <summary>Boot context: core 0 gets its P, and the boot stack is its g0's.</summary>
    internal static void Init()
    {
        Mgc.Init();
        InitCore(Machine.CurrentCore);
        GoDebug.Init();
        Stacks.Init();
        InitMaxProcs();
        Machine.OnAlarm = &OnAlarm;
        Machine.OnInterruptExit = &OnInterruptExit;
        Machine.OnNmi = &Traceback.OnNmi;
        Machine.OnQuit = &Traceback.OnQuit;
        Machine.OnFatalTrap = &Traceback.OnFatalTrap;
    }

    // Runs on the core itself, before it may be interrupted.
    private static void InitCore(Core* core)
    {
        CoreState* cs = CoreState.Of(core);
        P* p = (P*)Machine.AllocPage();
        G* g0 = (G*)OffHeap.Alloc((nuint)sizeof(G));
        if (p == null || g0 == null || sizeof(CoreState) > Core.RuntimeBytes || sizeof(P) > (int)StackLayout.PageBytes)
        {
            Throw.Fatal("out of memory for a core"u8);
        }
        cs->LockDepth = 1;                  // g0 runs at depth 1
        cs->P = p;
        cs->G0 = g0;
        cs->Cache = MCache.Make(core->Id);
        Barrier.InitCore(cs);
        p->Id = core->Id;
        p->Core = cs;
        p->AlarmNs = long.MaxValue;
        p->Seed = Machine.Random64() | 1;
        g0->Status = GStatus.Running;
        g0->TlsEnd = Cpu.GetTls();
        s_sched.Ps[core->Id] = (ulong)p;
        Machine.SetG(g0);
    }

    /// <summary>Starts the other cores and the main goroutine, which calls <paramref name="main"/>(null); this stack is g0's from now on.</summary>
    [DoesNotReturn]
    internal static void StartMain(delegate*<void*, void> main)
    {
        if (NewProc(&RunMain, main, (nuint)StackLayout.UsableBytes(StackLayout.MainClass), false) == null)
        {
            Throw.Fatal("out of memory for the main goroutine"u8);
        }
        StartCores();
        StartTrace(ThisCore.State->P);
        Loop();
    }

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
        GcStats.PrintIfAsked();
        Machine.Exit(code);
        Throw.Fatal("exit returned"u8);
    }

    /// <summary>
    /// Makes a goroutine that runs <paramref name="fn"/>(<paramref name="arg"/>), next in line. The stack holds at least
    /// <paramref name="stackSizeBytes"/>, 0 = the default class. <paramref name="freshTls"/>: it is a thread of the class
    /// library, with thread statics of its own. Null when memory is out or the size is beyond the largest class.
    /// </summary>
    internal static G* NewProc(delegate*<void*, void> fn, void* arg, nuint stackSizeBytes, bool freshTls, nuint goPc = 0)
    {
        CoreState* cs = ThisCore.Acquire();
        P* p = cs->P;
        int slotClass = Stacks.ClassFor(p, stackSizeBytes);
        G* gp = slotClass < 0 ? null : Stacks.Take(p, slotClass, freshTls);
        if (gp == null)
        {
            ThisCore.Release();
            return null;
        }
        if (p->NextId == p->LastId)
        {
            p->LastId = Atomic.Add(ref s_sched.LastId, IdBatch);
            p->NextId = p->LastId - IdBatch;
        }
        gp->Id = ++p->NextId;
        gp->ParentId = CoreState.Current(cs)->Id;
        gp->GoPc = goPc;
        gp->Fn = fn;
        gp->Arg = arg;
        gp->ExInfoHead = null;
        gp->Errno = 0;
        gp->WaitReason = WaitReason.None;
        gp->LockedCore = null;
        gp->LockCount = 0;
        gp->IsThread = freshTls;
        gp->IsTlsStale = freshTls;
        gp->IsSystem = false;
        gp->AllocatedBytes = 0;
        Barrier.ShadeInside((byte*)arg);
        if (!freshTls)
        {
            p->Goroutines++;
        }
        nuint* frame = (nuint*)(gp->StackHi - StackLayout.Colour((ulong)gp->StackHi)) - 2 - SavedWords;        // Switch.S, SW1
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
        PutLocal(p, gp, true);
        ThisCore.Release();
        return gp;
    }

    /// <summary>A G that has just been made goes on the list of all.</summary>
    internal static void AddToAll(G* gp)
    {
        s_sched.AllLock.Acquire(LockRank.AllGoroutines);
        if (s_sched.AllLast == null)
        {
            s_sched.AllFirst = gp;
        }
        else
        {
            s_sched.AllLast->AllLink = gp;
        }
        s_sched.AllLast = gp;
        s_sched.AllLock.Release();
    }

    /// <summary>
    /// Parks the caller, who has put itself where <see cref="GoReady"/> will find it, under the lock at
    /// <paramref name="unlock"/>, which is opened once its registers are saved. Lock depth 1 before, 0 after.
    /// </summary>
    internal static void GoPark(int* unlock, WaitReason reason) => GoPark(ThisCore.State, unlock, reason);

    /// <summary>The same for who has the core's block at hand.</summary>
    internal static void GoPark(CoreState* cs, int* unlock, WaitReason reason)
    {
        G* gp = CoreState.Current(cs);
        BeginPark(cs, gp, reason);
        cs->AfterUnlock = unlock;
        Leave(cs, gp);
    }

    /// <summary>Parks the caller for good, or until somebody who knows of it readies it.</summary>
    internal static void GoPark(WaitReason reason)
    {
        GoPark(ThisCore.Acquire(), null, reason);
    }

    /// <summary>Parks the caller until <paramref name="source"/> notifies.</summary>
    internal static void GoParkFor(Notifier* source, WaitReason reason)
    {
        CoreState* cs = ThisCore.Acquire();
        G* gp = CoreState.Current(cs);
        BeginPark(cs, gp, reason);
        cs->AfterG = gp;
        cs->AfterArgument = source;
        cs->After = After.Notifier;
        Leave(cs, gp);
    }

    /// <summary>
    /// As <see cref="GoPark(int*, WaitReason)"/>, until readied by <see cref="GoReadyInTime"/> (true) or until
    /// <see cref="Machine.NanoTime"/> has reached <paramref name="whenNs"/> (false). Lock depth 1 before, 0 after.
    /// </summary>
    internal static bool GoParkUntil(int* unlock, WaitReason reason, long whenNs)
    {
        CoreState* cs = ThisCore.State;
        G* gp = CoreState.Current(cs);
        gp->IsTimedOut = false;
        gp->Deadline.WhenNs = whenNs;
        gp->Deadline.Fire = &TimeOut;
        gp->Deadline.Arg = gp;
        BeginPark(cs, gp, reason);
        cs->AfterUnlock = unlock;
        cs->AfterG = gp;
        cs->After = After.Timer;
        Leave(cs, gp);
        if (!gp->IsTimedOut)
        {
            RemoveTimer(&gp->Deadline);
        }
        return !gp->IsTimedOut;
    }

    private static void TimeOut(void* p)
    {
        G* gp = (G*)p;
        if (gp->TryReady())
        {
            gp->IsTimedOut = true;
            PutLocal(ThisCore.State->P, gp, true);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BeginPark(CoreState* cs, G* gp, WaitReason reason)
    {
        if (gp == cs->G0)
        {
            Throw.Fatal("the scheduler's own stack cannot wait"u8);     // PR4
        }
        gp->WaitReason = reason;
        gp->SinceNs = cs->P->NowNs;
        gp->Status = GStatus.Waiting;
    }

    /// <summary>Makes a goroutine that waits, and that nobody else can ready, the next to run.</summary>
    internal static void GoReady(G* gp)
    {
        CoreState* cs = ThisCore.Acquire();
        gp->Status = GStatus.Runnable;
        PutLocal(cs->P, gp, true);
        ThisCore.Release();
    }

    /// <summary>Lock depth 1 or more: <see cref="GoReady"/>, and the depth goes down by one.</summary>
    internal static void ReadyAndRelease(CoreState* cs, G* gp)
    {
        gp->Status = GStatus.Runnable;
        PutLocal(cs->P, gp, true);
        ThisCore.Release();
    }

    /// <summary>The same for one that waits in <see cref="GoParkUntil"/>; false, and nothing done, when its time ran out first.</summary>
    internal static bool GoReadyInTime(G* gp)
    {
        CoreState* cs = ThisCore.Acquire();
        bool isWaiting = gp->TryReady();
        if (isWaiting)
        {
            PutLocal(cs->P, gp, true);
        }
        ThisCore.Release();
        return isWaiting;
    }

    /// <summary>Lets the others run: the caller goes to the end of its core's queue.</summary>
    internal static void Gosched()
    {
        CoreState* cs = ThisCore.Acquire();
        G* gp = CoreState.Current(cs);
        if (gp == cs->G0 || (cs->Look == 0 && cs->P->Runq.IsEmpty && Atomic.Load(ref s_sched.RunqCount) == 0
            && Atomic.Load(ref cs->P->PinnedCount) == 0))
        {
            ThisCore.Release();                 // nobody else is there
            return;
        }
        gp->Status = GStatus.Runnable;
        cs->AfterG = gp;
        cs->After = After.Yield;
        Leave(cs, gp);
    }

    // Lock depth came to 0, or an interrupt was served at depth 0, and there is something to look at (Switch.S).
    [RuntimeExport("SchedInterrupted")]
    private static void Interrupted()
    {
        CoreState* cs = ThisCore.Acquire();
        G* gp = CoreState.Current(cs);
        if (gp == cs->G0)
        {
            ThisCore.Release();                 // boot
            return;
        }
        gp->Status = GStatus.Runnable;
        cs->AfterG = gp;
        cs->After = After.Interrupted;
        Arrive(SwitchTo(cs, gp, cs->G0));
    }

    // The end of a goroutine (Switch.S).
    [RuntimeExport("SchedGoexit0")]
    private static void Goexit0()
    {
        CoreState* cs = ThisCore.Acquire();
        G* gp = CoreState.Current(cs);
        if (!gp->IsThread)
        {
            cs->P->Goroutines--;
        }
        gp->Status = GStatus.Dead;
        gp->Fn = null;
        gp->Arg = null;
        cs->AfterG = gp;
        cs->After = After.Dead;
        Leave(cs, gp);
        Throw.Fatal("a dead goroutine ran"u8);
    }

    // A new goroutine's first steps (Switch.S).
    [RuntimeExport("SchedStarted")]
    private static void Started() => Arrive(ThisCore.State);

    // Leaves gp, whose new state is set, for the next goroutine; returns when it runs again, at lock depth 0.
    private static void Leave(CoreState* cs, G* gp)
    {
        P* p = cs->P;
        G* next = cs->Look != 0 || ++p->Turns == p->GlobalTurn ? null : TakeLocal(p);
        if (next == null)
        {
            next = cs->G0;
        }
        else
        {
            next->SinceNs = p->NowNs;
            next->Status = GStatus.Running;
        }
        Arrive(SwitchTo(cs, gp, next));
    }

    // The block of the core that comes back to `from`.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static CoreState* SwitchTo(CoreState* cs, G* from, G* to)
    {
        nuint rsp = to->Rsp;
        if (to != cs->G0)
        {
            if (rsp == 0)
            {
                Throw.Fatal("a goroutine is to run on two cores"u8);        // PR2
            }
            Volatile.Write(ref to->Rsp, 0);             // it owns its stack from here on; before round and stash are read
            if (Volatile.Read(ref to->Stash) != 0)
            {
                Stash.Restore(to, false);
            }
            uint round = StackScan.Round;
            if (round != 0 && round != to->DirtyRound)
            {
                StackScan.NoteRun(to, round);
            }
        }
        if (StackScan.IsClosing && from != cs->G0)
        {
            cs->Left = from;
        }
        return CoreState.Of(Machine.SwitchStack(&from->Rsp, rsp, to, to->TlsEnd));
    }

    // The first thing on every stack that is switched to, g0's excepted; the core may be another than before.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Arrive(CoreState* cs)
    {
        if (cs->After != After.Nothing || cs->Left != null)
        {
            AfterSwitch(cs);
        }
        else if (cs->AfterUnlock != null)
        {
            OpenAfter(cs);
        }
        LockRanks.CheckNoneHeld();
        ThisCore.Release();
    }

    // PR1. Comparisons, most frequent first: a jump table costs more than all of them.
    private static void AfterSwitch(CoreState* cs)
    {
        if (cs->Left != null)
        {
            StackScan.ScanLeft(cs);                     // first: nobody else can run it yet
        }
        After after = cs->After;
        cs->After = After.Nothing;
        if (after != After.Nothing)
        {
            G* gp = cs->AfterG;
            if (after == After.Yield)
            {
                PutYielded(cs->P, gp);
            }
            else if (after == After.Dead)
            {
                Stacks.Free(cs->P, gp);
            }
            else if (after == After.Timer)
            {
                AddTimer(cs->P, &gp->Deadline);
            }
            else
            {
                ((Notifier*)cs->AfterArgument)->Commit(cs, gp);
            }
        }
        if (cs->AfterUnlock != null)
        {
            OpenAfter(cs);
        }
    }

    private static void OpenAfter(CoreState* cs)
    {
        int* unlock = cs->AfterUnlock;
        cs->AfterUnlock = null;
        LockRanks.Opening(unlock);
        Atomic.Store(ref *unlock, 0);
    }

    /// <summary>Lock depth raised: queues a runnable goroutine on this core, and wakes another core if one is idle (PR3).</summary>
    internal static void PutLocal(P* p, G* gp, bool next)
    {
        if (gp->LockedCore != null)
        {
            PutPinned(gp);
            return;
        }
        gp->SinceNs = p->NowNs;
        gp->LastP = (byte)p->Id;
        G* last = next && !p->KeepsOrder ? p->Runq.PutNext(gp) : gp;
        if (last != null && p->Runq.TryPut(last))
        {
            if (!RunQueue.IsAlone)
            {
                Atomic.Fence();                         // PF3: before s_idle is read
            }
        }
        else if (last != null)
        {
            PutOverflowing(p, last);
        }
        if (Atomic.Load(ref s_idle) != 0 && !p->IsInLoop)
        {
            WakeP();
        }
    }

    // The ring is full: half of it goes to the global queue.
    private static void PutOverflowing(P* p, G* gp)
    {
        GQueue overflow = default;
        p->Runq.Put(gp, false, ref overflow);
        if (overflow.Count != 0)
        {
            PutGlobal(ref overflow);
        }
    }

    private static void PutGlobal(ref GQueue batch)
    {
        CoreState* cs = s_sched.Lock.Acquire(LockRank.Sched);
        s_sched.Runq.Append(ref batch);
        _ = Atomic.Exchange(ref s_sched.RunqCount, s_sched.Runq.Count);     // PF3: a fence before s_idle is read
        s_sched.Lock.Release();
        if (Atomic.Load(ref s_idle) != 0 && !cs->P->IsInLoop)
        {
            WakeP();
        }
    }
}
