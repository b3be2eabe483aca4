// The goroutine descriptor, its states and what it can wait for.
//
// GG1  A G never moves and is never freed: a dead one is recycled with its stack and its TLS block.
// GG2  The first five fields are known to assembly (Abi.inc, Switch.S).
// owner of every field: the one core, in goroutine context, unless said.
// Reference: Go src/runtime/runtime2.go.
using System;
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Sched;

/// <summary>Go's states; the numbers are Go's too.</summary>
internal enum GStatus
{
    Idle = 0,
    Runnable = 1,
    Running = 2,
    Waiting = 4,
    Dead = 6,
}

/// <summary>Why a goroutine waits; the texts are Go's (<see cref="WaitReasons.Text"/>).</summary>
internal enum WaitReason
{
    None,
    ChanReceiveNil,
    ChanSendNil,
    ChanReceive,
    ChanSend,
    Sleep,
    IoWait,
    SyncMutexLock,
    SyncCondWait,
    SyncWaitGroupWait,
}

internal static class WaitReasons
{
    internal static ReadOnlySpan<byte> Text(WaitReason reason) => reason switch
    {
        WaitReason.ChanReceiveNil => "chan receive (nil chan)"u8,
        WaitReason.ChanSendNil => "chan send (nil chan)"u8,
        WaitReason.ChanReceive => "chan receive"u8,
        WaitReason.ChanSend => "chan send"u8,
        WaitReason.Sleep => "sleep"u8,
        WaitReason.IoWait => "IO wait"u8,
        WaitReason.SyncMutexLock => "sync.Mutex.Lock"u8,
        WaitReason.SyncCondWait => "sync.Cond.Wait"u8,
        WaitReason.SyncWaitGroupWait => "sync.WaitGroup.Wait"u8,
        _ => "waiting"u8,
    };
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct G
{
    internal nuint Rsp;                 // while not running: r15 r14 r13 r12 rbp rbx return-address lie here
    internal void* ExInfoHead;          // exceptions being dispatched, innermost first
    internal void* TlsBase;             // FS base: end of the TLS block
    internal byte* StackLo;             // lowest usable address; the page below is never mapped
    internal byte* StackHi;

    internal long Id;
    internal GStatus Status;
    internal WaitReason WaitReason;
    internal long WaitSinceNs;          // Machine.NanoTime when parked
    internal G* SchedLink;              // next in a queue or free list
    internal G* AllLink;                // next of all Gs ever made
    internal int StackClass;
    internal byte* StackUsed;           // lowest page that has been committed
    internal int TimerIndex;            // position in the timer heap, -1 = none
    internal bool IsSystem;             // not counted by NumGoroutine
    internal bool HasTimedOut;
    internal int Errno;                 // the class library's last error
    internal long ParentId;
    internal nuint GoPc;                // return address of the call that made it
    internal delegate*<void*, void> Fn;
    internal void* Argument;
    internal nint Object;               // an object reference, for Go.Run's delegate: a root once there is a collector
    internal nint ThreadStatics;        // object[][] of thread statics made at run time: a root, as Object
}
