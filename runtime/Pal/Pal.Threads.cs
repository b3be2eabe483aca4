// Threads of the class library are goroutines; its low-level monitors park them.
//
// PT1  A monitor is owned by one goroutine; both queues are FIFO. Signal hands the first waiter over to the queue for
//      ownership, so a woken waiter returns owning the monitor.
// PT2  Nodes of the queues are off-heap, never on a goroutine's stack (design: parked stacks may be stashed).
// PT3  One core, cooperative: nothing here is interrupted between two statements except by its own park.
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

    private static void Run(void* p)
    {
        Start s = *(Start*)p;
        Memory.Free(p);
        s.Entry(s.Argument);
        Misc.OnThreadExit();
    }

    [RuntimeExport("SystemNative_SchedGetCpu")]
    internal static int SchedGetCpu() => 0;

    [RuntimeExport("SystemNative_TryGetUInt32OSThreadId")]
    internal static uint TryGetOsThreadId() => (uint)Proc.GetG()->Id;

    private struct Node
    {
        internal Node* Next;
        internal G* Waiter;
        internal bool IsSignalled;
    }

    private struct Queue
    {
        internal Node* First;
        internal Node* Last;

        internal void Add(Node* n)
        {
            n->Next = null;
            if (Last == null)
            {
                First = n;
            }
            else
            {
                Last->Next = n;
            }
            Last = n;
        }

        /// <summary>The first node whose goroutine still waits: one whose time ran out is about to leave by itself.</summary>
        internal Node* Take()
        {
            Node* n;
            do
            {
                n = First;
                if (n == null)
                {
                    return null;
                }
                First = n->Next;
                if (First == null)
                {
                    Last = null;
                }
            }
            while (!Proc.IsWaiting(n->Waiter));
            return n;
        }

        internal void Remove(Node* n)
        {
            Node* previous = null;
            for (Node* at = First; at != null; previous = at, at = at->Next)
            {
                if (at != n)
                {
                    continue;
                }
                if (previous == null)
                {
                    First = n->Next;
                }
                else
                {
                    previous->Next = n->Next;
                }
                if (Last == n)
                {
                    Last = previous;
                }
                return;
            }
        }
    }

    private struct Monitor
    {
        internal bool IsOwned;
        internal Queue ForOwnership;
        internal Queue ForSignal;
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Create")]
    private static Monitor* MonitorCreate() => (Monitor*)Memory.Calloc(1, (nuint)sizeof(Monitor));

    [RuntimeExport("SystemNative_LowLevelMonitor_Destroy")]
    private static void MonitorDestroy(Monitor* m) => Memory.Free(m);

    [RuntimeExport("SystemNative_LowLevelMonitor_Acquire")]
    private static void MonitorAcquire(Monitor* m)
    {
        if (!m->IsOwned)
        {
            m->IsOwned = true;
            return;
        }
        Node* n = NewNode();
        m->ForOwnership.Add(n);
        Proc.GoPark(WaitReason.SyncMutexLock);      // the releaser passes ownership on
        Memory.Free(n);
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Release")]
    private static void MonitorRelease(Monitor* m)
    {
        Node* n = m->ForOwnership.Take();
        if (n == null)
        {
            m->IsOwned = false;
        }
        else
        {
            Proc.GoReady(n->Waiter);
        }
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Wait")]
    private static void MonitorWait(Monitor* m)
    {
        Node* n = NewNode();
        m->ForSignal.Add(n);
        MonitorRelease(m);
        Proc.GoPark(WaitReason.SyncCondWait);
        Memory.Free(n);
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_TimedWait")]
    private static int MonitorTimedWait(Monitor* m, int timeoutMs)
    {
        Node* n = NewNode();
        m->ForSignal.Add(n);
        MonitorRelease(m);
        bool isReadied = Proc.GoParkUntil(WaitReason.SyncCondWait, Machine.NanoTime() + (timeoutMs * 1_000_000L));
        bool isSignalled = n->IsSignalled;
        if (!isReadied)
        {
            if (isSignalled)
            {
                // Signalled at the same moment: this goroutine is already queued for, or given, ownership.
                m->ForOwnership.Remove(n);
            }
            else
            {
                m->ForSignal.Remove(n);
            }
            Memory.Free(n);
            MonitorAcquire(m);
            return isSignalled ? 1 : 0;
        }
        Memory.Free(n);
        return 1;
    }

    [RuntimeExport("SystemNative_LowLevelMonitor_Signal_Release")]
    private static void MonitorSignalRelease(Monitor* m)
    {
        Node* n = m->ForSignal.Take();
        if (n != null)
        {
            n->IsSignalled = true;
            m->ForOwnership.Add(n);
        }
        MonitorRelease(m);
    }

    private static Node* NewNode()
    {
        Node* n = (Node*)Memory.Calloc(1, (nuint)sizeof(Node));
        if (n == null)
        {
            Throw.Fatal("out of memory for a waiting goroutine"u8);
        }
        n->Waiter = Proc.GetG();
        return n;
    }
}
