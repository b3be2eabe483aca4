// The collector: what a cycle does, in order.
//
// GC1  Concurrent mark and sweep; objects do not move. One goroutine, the driver, leads through the cycles; marking is done by
//      it, by cores that have nothing else to do, and by those who allocate meanwhile (assists), in slices at a raised
//      lock depth.
// GC2  A cycle:
//      1. Sweep what the last cycle has left. Stop the world: caches are emptied, the bitmaps swap roles, the barrier is
//         on, objects are born black.
//      2. World running: mark from the image's data, handles, the finalizer queue, timers and every goroutine.
//      3. In rounds: scan goroutines that have run since, until few do.
//      4. Closing (ST3). Stop the world: what the cores still had. Marking that is not done in PauseNs goes on with the
//         world running, and step 4 comes again.
//      5. All that is reachable is marked: short weak handles are cleared, unreachable objects with finalizers queued. If
//         these lead to more, the world runs while that is marked, and step 4 comes again.
//      6. The barrier is off, caches are emptied, and everything unmarked is free as its span is swept.
// GC3  An insertion barrier and grey stacks keep this invariant while marking: a reference to an unmarked object is on a dirty
//      stack, in a grey object, in a shade buffer, or in an object that is not scanned yet.
// GC4  GODEBUG=gcstoptheworld=1 does all of it with the world stopped.
// Context: the driver goroutine, unless a method says otherwise. Allocates: work buffers.
// Reference: design section 6; Go's mgc.go.
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Gc;

internal static unsafe partial class Mgc
{
    private const long SliceNs = 100_000;
    private const long PauseNs = 20_000;
    private const long AssistNs = 20_000;
    private const int MostShaded = 128;             // what cores have shaded beyond that is marked with the world running
    private const int GoroutinesAtOnce = 64;
    private const long FewDirty = 64;
    private const int MostRounds = 4;
    private const nuint DriverStackBytes = 64 * 1024;

    private static SpinLock s_lock;
    private static bool s_isRequested;              // guarded by s_lock
    private static bool s_isRunning;                // a cycle, until its sweep has ended; the same
    private static GList s_driverWaits;             // the same
    private static GList s_waiters;                 // for the end of a cycle; the same
    private static long s_started;                  // cycles; the same
    private static long s_done;                     // cycles whose sweep has ended too; the same
    private static int s_slices;                    // slices of marking under way; atomic
    private static bool s_isStopped;                // the world, by the driver
    private static uint s_cycle = 1;
    private static G* s_driver;

    /// <summary>Between steps 1 and 6. Changed with the world stopped.</summary>
    internal static bool IsMarking { get; private set; }

    /// <summary>Counts the cycles that have ended marking; MSpan.SweptCycle. Changed with the world stopped.</summary>
    internal static uint Cycle => s_cycle;

    /// <summary>Whether freed memory is overwritten.</summary>
    internal static bool Poisons => GoDebug.Settings.ClobberFree != 0;

    internal static G* Driver => s_driver;

    /// <summary>Boot context: the heap's tables.</summary>
    internal static void Init()
    {
        MHeap.Init();
        Barrier.Init();
        GcQueue.Init();
        InitOptions();
    }

    /// <summary>Makes the driver and the finalizer goroutine.</summary>
    internal static void Start()
    {
        s_driver = Proc.NewProc(&Run, null, DriverStackBytes, true);
        if (s_driver == null)
        {
            Throw.Fatal("out of memory for the collector's goroutine"u8);
        }
        s_driver->IsSystem = true;
        Finalizers.Start();
    }

    /// <summary>Lock depth raised: somebody has taken memory to allocate from.</summary>
    internal static void OnAllocate(MCache* c, nuint bytes)
    {
        long live = Atomic.Add(ref s_heapLive, (long)bytes);
        if (IsMarking)
        {
            Assist(bytes);
        }
        else if (live >= Atomic.Load(ref s_trigger) && !Volatile.Read(ref s_isRequested))
        {
            Request(true);
        }
    }

    /// <summary>Lock depth raised, from time to time while a core is busy: a cycle is due when there was none for long.</summary>
    internal static void ForceIfDue(long nowNs)
    {
        if (nowNs - GcStats.LastEndNs > ForcePeriodNs && s_driver != null && !s_isRunning && !Volatile.Read(ref s_isRequested))
        {
            Request(false);
        }
    }

    // Lock depth raised: asks for a cycle; or only if there is still reason to, for what was read before may be of the last one.
    private static void Request(bool onlyIfDue)
    {
        s_lock.Acquire(LockRank.Collector);
        s_isRequested |= !onlyIfDue || Atomic.Load(ref s_heapLive) >= Atomic.Load(ref s_trigger);
        G* gp = s_isRequested ? s_driverWaits.Take() : null;
        s_lock.Open();
        if (gp != null)
        {
            Proc.GoReady(gp);
            Atomic.Or(ref ThisCore.State->Look, Look.Preempt);      // at once: each window taken until then is overshoot
        }
        ThisCore.Release();
    }

    /// <summary>Goroutine: waits for a whole cycle that begins from now on. Go: runtime.GC.</summary>
    internal static void Collect()
    {
        s_lock.Acquire(LockRank.Collector);
        long wanted = s_started + 1;
        s_isForced = true;
        s_lock.Release();
        while (true)
        {
            s_lock.Acquire(LockRank.Collector);
            if (s_done >= wanted)
            {
                s_lock.Release();
                return;
            }
            s_isRequested |= s_started < wanted;
            G* driver = s_driverWaits.Take();
            if (driver != null)
            {
                s_lock.Open();
                Proc.GoReady(driver);
                ThisCore.Release();
                continue;
            }
            s_waiters.Add(Proc.GetG());
            Proc.GoPark(s_lock.Word, WaitReason.GarbageCollection);
        }
    }

    /// <summary>
    /// Goroutine: an allocation that is to be made hard (GODEBUG=gctorture), if a collection can be waited for and the
    /// program has not ruled out that allocating leads to one.
    /// </summary>
    internal static void Torture()
    {
        if (s_pacer.GcPercent >= 0 && !IsInNoGcRegion && CanWait())
        {
            Collect();
        }
    }

    /// <summary>PC5. Goroutine, about to take memory although <see cref="IsFull"/>: waits for the end of a cycle, once.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void WaitForRoom()
    {
        if (s_limiter.IsLimiting || !CanWait())
        {
            return;
        }
        for (bool more = true; more;)
        {
            ThisCore.Acquire();
            more = Sweeper.SweepSome();                     // until this is done nobody knows how much room there is
            ThisCore.Release();
        }
        s_lock.Acquire(LockRank.Collector);
        if (!IsFull)
        {
            s_lock.Release();
            return;
        }
        s_isRequested |= !s_isRunning;
        G* driver = s_isRequested ? s_driverWaits.Take() : null;
        s_waiters.Add(Proc.GetG());
        if (driver != null)
        {
            Proc.GoReady(driver);
        }
        Proc.GoPark(s_lock.Word, WaitReason.GarbageCollection);
    }

    private static bool CanWait()
    {
        G* gp = Proc.GetG();
        bool canWait = ThisCore.Acquire()->LockDepth == 1;
        ThisCore.Release();
        return s_driver != null && gp != s_driver && gp->Fn != null && canWait;
    }

    private static void Run(void* argument)
    {
        while (true)
        {
            s_lock.Acquire(LockRank.Collector);
            if (!s_isRequested)
            {
                s_driverWaits.Add(Proc.GetG());
                Proc.GoPark(s_lock.Word, WaitReason.GcDriverIdle);
                continue;
            }
            s_isRequested = false;
            s_isRunning = true;
            Atomic.Store(ref s_trigger, long.MaxValue);     // the end of the cycle has a new one
            s_started++;
            s_lock.Release();
            RunCycle();
            s_lock.Acquire(LockRank.Collector);
            s_done++;
            GList waiters = s_waiters;
            s_waiters = default;
            s_lock.Open();
            for (G* gp = waiters.Take(); gp != null; gp = waiters.Take())
            {
                Proc.GoReady(gp);
            }
            ThisCore.Release();
        }
    }

    // GC2
    private static void RunCycle()
    {
        Sweeper.Finish();
        BeginCycle();
        StopWorld();
        FlushCaches(false);
        MarkBits.BeginMark();
        IsMarking = true;
        Barrier.Set(GoDebug.Settings.GcNoBarrier == 0);
        StackScan.BeginRound();
        ResumeUnlessStopped();

        MarkRoots();
        DrainAll();
        for (int i = 0; i < MostRounds && StackScan.DirtyCount > FewDirty; i++)
        {
            StackScan.BeginRound();
            Machine.MemoryBarrierAll();
            ScanDirty();
            DrainAll();
        }
        NoteCandidates();
        MarkDependents();

        StackScan.IsClosing = true;
        StackScan.EndRounds();
        Machine.MemoryBarrierAll();
        FinishMark();
        Handles.ClearWeak(HandleKind.WeakShort);
        if (Finalizers.QueueUnreachable(Work))
        {
            ResumeUnlessStopped();
            DrainAll();
            FinishMark();
        }
        Handles.ClearWeak(HandleKind.WeakLong);
        Handles.ClearWeak(HandleKind.Dependent);

        IsMarking = false;
        StackScan.IsClosing = false;
        Barrier.Set(false);
        MarkBits.EndMark();
        FlushCaches(true);
        MCentral.Clear();
        s_cycle++;
        Sweeper.Begin();
        EndMark();
        StartWorld();

        Finalizers.Wake();
        Handles.DropCandidates();
        Sweep();
        EndCycle();
        Stash.StashIdle(s_now.IsForced ? s_now.BeginNs : 0);
    }

    private static GcWork* Work => &ThisCore.State->Cache->Work;

    private static void StopWorld()
    {
        if (!s_isStopped)
        {
            s_pauseStartNs = Machine.NanoTime();
            Proc.StopTheWorld();
            s_isStopped = true;
        }
    }

    private static void StartWorld()
    {
        s_isStopped = false;
        CountPause(Machine.NanoTime() - s_pauseStartNs);
        Proc.StartTheWorld();
    }

    private static void ResumeUnlessStopped()
    {
        if (GoDebug.Settings.GcStopTheWorld == 0)
        {
            StartWorld();
        }
    }

    // World stopped.
    private static void FlushCaches(bool unmark)
    {
        for (int i = 0; i < Machine.CoresStarted; i++)
        {
            MCache.Flush(Proc.PAt(i)->Core->Cache, unmark);
        }
    }

    // Step 4. Leaves the world stopped and nothing grey.
    private static void FinishMark()
    {
        while (true)
        {
            ScanDirty();
            DrainAll();
            StopWorld();
            GcWork* work = Work;
            int shaded = 0;
            for (int i = 0; i < Machine.CoresStarted; i++)
            {
                CoreState* cs = Proc.PAt(i)->Core;
                shaded += Barrier.Flush(cs, work);
                cs->Cache->Work.Flush();
            }
            ScanDirty();
            bool isStopped = GoDebug.Settings.GcStopTheWorld != 0;
            long until = isStopped ? long.MaxValue : Machine.NanoTime() + PauseNs;
            bool isDone = (shaded <= MostShaded || isStopped) && Marker.Drain(ThisCore.State, until, false);
            while (isDone && Handles.GreyDependents(Work))
            {
                isDone = Marker.Drain(ThisCore.State, until, false);
            }
            if (isDone && !GcQueue.Overflowed)
            {
                if (GoDebug.Settings.GcCheckMark != 0)
                {
                    CheckMark.Run(work);
                }
                return;
            }
            ResumeUnlessStopped();
            RescanIfOverflowed();
        }
    }

    private static void MarkRoots()
    {
        ThisCore.Acquire();
        s_now.GlobalsBytes = Marker.GuessData<CycleMarks>(Work);
        Frozen.Guess<CycleMarks>(Work);
        Work->Flush();
        ThisCore.Release();

        ThisCore.Acquire();
        Handles.GreyStrong<CycleMarks>(Work);
        Finalizers.GreyQueue<CycleMarks>(Work);
        Work->Flush();
        ThisCore.Release();

        ThisCore.Acquire();
        Proc.ForEachTimerRoot(&GuessTimer, Work);
        Work->Flush();
        ThisCore.Release();

        for (G* gp = Proc.AllFirst; gp != null;)
        {
            ThisCore.Acquire();
            for (int i = 0; i < GoroutinesAtOnce && gp != null; i++, gp = gp->AllLink)
            {
                s_now.StackBytes += StackScan.LiveBytes(gp);
                _ = StackScan.TryScan(Work, gp);        // who runs is listed by its core
            }
            Work->Flush();
            ThisCore.Release();
        }
    }

    private static void GuessTimer(void* e, void* work) => Marker.Guess((GcWork*)work, (byte*)e);

    private static void ScanDirty()
    {
        for (G* gp = StackScan.TakeDirty(); gp != null;)
        {
            ThisCore.Acquire();
            for (int i = 0; i < GoroutinesAtOnce && gp != null; i++)
            {
                gp = StackScan.ScanDirty(Work, gp);
            }
            Work->Flush();
            ThisCore.Release();
        }
    }

    private static void NoteCandidates()
    {
        ThisCore.Acquire();
        Finalizers.NoteCandidates();
        ThisCore.Release();
        ThisCore.Acquire();
        Handles.NoteCandidates();
        ThisCore.Release();
    }

    private static void MarkDependents()
    {
        while (true)
        {
            ThisCore.Acquire();
            bool more = Handles.GreyDependents(Work);
            Work->Flush();
            ThisCore.Release();
            if (!more)
            {
                return;
            }
            DrainAll();
        }
    }

    // Until nothing is grey, as far as one can tell while the world runs.
    private static void DrainAll()
    {
        while (true)
        {
            CoreState* cs = ThisCore.Acquire();
            Atomic.Add(ref s_slices, 1);
            long begin = Machine.NanoTime();
            bool isDone = Marker.Drain(cs, begin + SliceNs, !s_isStopped);
            long now = Machine.NanoTime();
            TakeScanned(&cs->Cache->Work);
            s_now.DriverNs += now - begin;
            Atomic.Add(ref s_slices, -1);
            s_pacer.Revise(Atomic.Load(ref s_heapLive), Atomic.Load(ref s_now.ScannedBytes) + s_now.StackBytes + s_now.GlobalsBytes, MemoryNow());
            ThisCore.Release();
            if (isDone && Atomic.Load(ref s_slices) == 0 && !GcQueue.HasFull)
            {
                return;
            }
            if (isDone)
            {
                Proc.Gosched();
            }
        }
    }

    private static void RescanIfOverflowed()
    {
        while (GcQueue.Overflowed)
        {
            GcQueue.Overflowed = false;
            for (uint i = 0; i < MHeap.SpanCount; i++)
            {
                ThisCore.Acquire();
                Marker.Rescan(Work, MHeap.SpanAt(i));
                ThisCore.Release();
                DrainAll();
            }
        }
    }

    /// <summary>G0, lock depth raised: marks for a while because the core has nothing else to do; whether it did.</summary>
    internal static bool MarkWhileIdle(CoreState* cs)
    {
        if (!IsMarking || !GcQueue.HasFull)
        {
            return false;
        }
        Atomic.Add(ref s_slices, 1);
        if (IsMarking)
        {
            long begin = Machine.NanoTime();
            _ = Marker.Drain(cs, begin + SliceNs, true);
            TakeScanned(&cs->Cache->Work);
            Atomic.Add(ref s_now.IdleNs, Machine.NanoTime() - begin);
        }
        Atomic.Add(ref s_slices, -1);
        return true;
    }

    private static void Sweep()
    {
        bool more = true;
        while (more)
        {
            ThisCore.Acquire();
            more = Sweeper.SweepSome();
            ThisCore.Release();
        }
        Sweeper.Finish();
    }
}
