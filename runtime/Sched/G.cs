// A goroutine, its states and the reasons it waits for.
//
// G1  G structures are off-heap, never move and are never freed: a pointer to one stays valid for ever.
// G2  A G keeps its stack slot and its TLS block for life; when its goroutine ends it goes to the free list of its slot
//     class and serves the next one, thread statics included (design section 4).
// G3  The first six fields' offsets are known to assembly and to the ABI: Rsp 0, ExInfoHead 8.
// G4  Fields belong to the goroutine while it runs, to its queue's owner while it is runnable, and to whoever will ready
//      it while it waits. Only ReadyOrTimeOut's Status is settled by compare-and-swap.
// Context: anywhere. Allocates nothing. Reference: Go's runtime2.go.
using System;
using System.Runtime.InteropServices;
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

/// <summary>Go's goroutine states, as far as they exist here; Go's numbers.</summary>
internal enum GStatus
{
    /// <summary>Just made, not yet usable.</summary>
    Idle = 0,

    /// <summary>On a run queue; its registers are on its stack.</summary>
    Runnable = 1,

    /// <summary>A core runs it; it owns its stack.</summary>
    Running = 2,

    /// <summary>Parked; whoever readies it holds a pointer to it.</summary>
    Waiting = 4,

    /// <summary>Ended; on a free list.</summary>
    Dead = 6,
}

/// <summary>Why a goroutine waits; <see cref="WaitReasons.Text"/> gives Go's words.</summary>
internal enum WaitReason
{
    None,
    ChanReceive,
    ChanSend,
    ChanReceiveNilChan,
    ChanSendNilChan,
    Sleep,
    IoWait,
    SyncMutexLock,
    SyncCondWait,
    SyncWaitGroupWait,
    FinalizerWait,
    GarbageCollection,
    GcDriverIdle,
}

internal static class WaitReasons
{
    internal static ReadOnlySpan<byte> Text(WaitReason reason) => reason switch
    {
        WaitReason.ChanReceive => "chan receive"u8,
        WaitReason.ChanSend => "chan send"u8,
        WaitReason.ChanReceiveNilChan => "chan receive (nil chan)"u8,
        WaitReason.ChanSendNilChan => "chan send (nil chan)"u8,
        WaitReason.Sleep => "sleep"u8,
        WaitReason.IoWait => "IO wait"u8,
        WaitReason.SyncMutexLock => "sync.Mutex.Lock"u8,
        WaitReason.SyncCondWait => "sync.Cond.Wait"u8,
        WaitReason.SyncWaitGroupWait => "sync.WaitGroup.Wait"u8,
        WaitReason.FinalizerWait => "finalizer wait"u8,
        WaitReason.GarbageCollection => "wait for GC cycle"u8,
        WaitReason.GcDriverIdle => "GC driver (idle)"u8,
        _ => "waiting"u8,
    };
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct G
{
    internal nuint Rsp;                 // saved stack pointer while not running
    internal void* ExInfoHead;          // exception dispatch in progress (runtime/Abi)
    internal void* TlsEnd;              // of its block of thread statics; immutable
    internal byte* StackLo;             // lowest usable address, the guard lies below; immutable
    internal byte* StackHi;             // immutable
    internal long Id;                   // of the goroutine that uses it; never reused
    private int _status;
    internal WaitReason WaitReason;
    internal long SinceNs;              // in its state; coarse: the last time the scheduler looked at the clock
    internal G* SchedLink;              // next on a run queue or free list
    internal G* WaitLink;               // next on a wait list (GList)
    internal G* AllLink;                // next of all Gs; immutable once set
    internal G* IrqLink;                // next of those readied by interrupts
    internal delegate*<void*, void> Fn; // what it runs
    internal void* Arg;                 // its argument; object bits for Go.Run, so the collector must scan it
    internal nint ReceiveSudog;         // object bits; its place on wait queues of channels, kept for the next time
    internal nint SendSudog;            // object bits
    internal nint ThreadStatics;        // object bits; thread statics outside the TLS block
    internal byte* StackLow;            // lowest address a page was committed for
    internal nuint GoPc;                // return address of the call of Go.Run
    internal long ParentId;
    internal Core* LockedCore;          // LockOSThread: runs on this core only
    internal int LockCount;
    internal TimerEvent Deadline;       // of GoParkUntil
    internal G* DirtyLink;              // Gc/StackScan.cs, as the next four
    internal int IsDirty;               // on a list through DirtyLink; atomic
    internal uint DirtyRound;           // owner: the core that runs it
    internal int ScanLock;              // held while somebody scans its stack or takes its pages; atomic
    internal nuint Stash;               // its stack's bytes while they are elsewhere (Stack/Stash.cs), or a claim
    internal uint StashBytes;           // how many, while they are
    internal bool IsSystem;             // the runtime's own: not shown; owner: the one who made it, then itself
    internal long AllocatedBytes;       // by it; windows count as a whole
    internal int Errno;                 // of the platform interface (runtime/Pal)
    internal byte StackClass;           // immutable
    internal byte LastP;                // whose queue it was put on last
    internal bool IsTimedOut;
    internal bool IsSignalled;          // of LowLevelMonitor (runtime/Pal)
    internal bool IsThread;             // a System.Threading.Thread: not counted as a goroutine
    internal bool IsTlsStale;           // the next goroutine on it needs a fresh TLS block

    internal GStatus Status
    {
        readonly get => (GStatus)_status;
        set => Atomic.Store(ref _status, (int)value);
    }

    /// <summary>From waiting to runnable, for one of several who try.</summary>
    internal bool TryReady() => Atomic.Swap(ref _status, (int)GStatus.Waiting, (int)GStatus.Runnable);
}

/// <summary>A first-in, first-out list of waiting goroutines, linked through the Gs themselves: one list at a time.</summary>
internal unsafe struct GList
{
    private G* _head;
    private G* _tail;

    internal readonly bool IsEmpty => _head == null;

    internal void Add(G* gp)
    {
        gp->WaitLink = null;
        if (_tail == null)
        {
            _head = gp;
        }
        else
        {
            _tail->WaitLink = gp;
        }
        _tail = gp;
    }

    /// <summary>The longest waiting one, or null.</summary>
    internal G* Take()
    {
        G* gp = _head;
        if (gp != null)
        {
            _head = gp->WaitLink;
            if (_head == null)
            {
                _tail = null;
            }
            gp->WaitLink = null;
        }
        return gp;
    }

    internal void Remove(G* gp)
    {
        G* previous = null;
        for (G* at = _head; at != null; previous = at, at = at->WaitLink)
        {
            if (at != gp)
            {
                continue;
            }
            if (previous == null)
            {
                _head = gp->WaitLink;
            }
            else
            {
                previous->WaitLink = gp->WaitLink;
            }
            if (_tail == gp)
            {
                _tail = previous;
            }
            gp->WaitLink = null;
            return;
        }
    }
}
