// Threads of the class library are goroutines; its low-level monitors park them.
//
// PT1  A monitor is owned by one goroutine; both queues are FIFO. Signal hands the first waiter over to the queue for
//      ownership, so a woken waiter returns owning the monitor.
// PT2  Waiters are linked through their Gs: a goroutine waits for one monitor at a time.
// PT3  A waiter whose time runs out is taken off the queues by itself; a signal it got at the same moment counts.
// Context: goroutine. Allocates: off-heap.
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Pal;

internal static unsafe class Threads
{
    private const nuint DefaultStackBytes = 2 << 20;      // deeper than a goroutine's: thread code expects a megabyte or more

    private struct Start
    {
        internal delegate* unmanaged<void*, void*> Entry;
        internal void* Argument;
    }

    [RuntimeExport("SystemNative_CreateThread")]
    internal static int CreateThread(nuint stackBytes, delegate* unmanaged<void*, void*> entry, void* argument)
    {
        Start* s = (Start*)Memory.Malloc((nuint)sizeof(Start));
        if (s == null)
        {
            return 0;
        }
        s->Entry = entry;
        s->Argument = argument;
        if (Proc.NewProc(&Run, s, stackBytes == 0 ? DefaultStackBytes : stackBytes, true) == null)
        {
            Memory.Free(s);
            return 0;
        }
        return 1;
    }

    [MayAlloc("the first function of a thread of the class library: runs it")]
    private static void Run(void* p)
    {
        Start s = *(Start*)p;
        Memory.Free(p);
        s.Entry(s.Argument);
        Misc.OnThreadExit();
    }

    [RuntimeExport("SystemNative_SchedGetCpu")]
    internal static int SchedGetCpu() => Machine.CurrentCore->Id;

    [RuntimeExport("SystemNative_TryGetUInt32OSThreadId")]
    internal static uint TryGetOsThreadId() => (uint)Proc.GetG()->Id;

    private struct Monitor
    {
        internal SpinLock Lock;
        internal bool IsOwned;
        internal GList ForOwnership;
        internal GList ForSignal;
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Create")]
    private static Monitor* MonitorCreate() => (Monitor*)Memory.Calloc(1, (nuint)sizeof(Monitor));

    [RuntimeExport("SystemNative_LowLevelMonitor_Destroy")]
    private static void MonitorDestroy(Monitor* m) => Memory.Free(m);

    [RuntimeExport("SystemNative_LowLevelMonitor_Acquire")]
    private static void MonitorAcquire(Monitor* m)
    {
        m->Lock.Acquire(LockRank.Monitor);
        if (!m->IsOwned)
        {
            m->IsOwned = true;
            m->Lock.Release();
            return;
        }
        m->ForOwnership.Add(Proc.GetG());
        Proc.GoPark(m->Lock.Word, WaitReason.SyncMutexLock);        // the releaser passes ownership on
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Release")]
    private static void MonitorRelease(Monitor* m)
    {
        m->Lock.Acquire(LockRank.Monitor);
        PassOn(m);
        m->Lock.Release();
    }

    // Lock held: ownership goes to the next that still waits.
    private static void PassOn(Monitor* m)
    {
        for (G* gp = m->ForOwnership.Take(); gp != null; gp = m->ForOwnership.Take())
        {
            if (Proc.GoReadyInTime(gp))
            {
                return;
            }
        }
        m->IsOwned = false;
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Wait")]
    private static void MonitorWait(Monitor* m)
    {
        m->Lock.Acquire(LockRank.Monitor);
        m->ForSignal.Add(Proc.GetG());
        PassOn(m);
        Proc.GoPark(m->Lock.Word, WaitReason.SyncCondWait);
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_TimedWait")]
    private static int MonitorTimedWait(Monitor* m, int timeoutMs)
    {
        long whenNs = Machine.NanoTime() + (timeoutMs * 1_000_000L);
        G* gp = Proc.GetG();
        gp->IsSignalled = false;
        m->Lock.Acquire(LockRank.Monitor);
        m->ForSignal.Add(gp);
        PassOn(m);
        if (Proc.GoParkUntil(m->Lock.Word, WaitReason.SyncCondWait, whenNs))
        {
            return 1;
        }
        m->Lock.Acquire(LockRank.Monitor);
        bool isSignalled = gp->IsSignalled;
        if (isSignalled)
        {
            m->ForOwnership.Remove(gp);
        }
        else
        {
            m->ForSignal.Remove(gp);
        }
        m->Lock.Release();
        MonitorAcquire(m);
        return isSignalled ? 1 : 0;
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Signal_Release")]
    private static void MonitorSignalRelease(Monitor* m)
    {
        m->Lock.Acquire(LockRank.Monitor);
        G* gp = m->ForSignal.Take();
        if (gp != null)
        {
            gp->IsSignalled = true;
            m->ForOwnership.Add(gp);
        }
        PassOn(m);
        m->Lock.Release();
    }
}
