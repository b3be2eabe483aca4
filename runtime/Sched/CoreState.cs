// The runtime's part of a core's block (gs:[64..159]), and the lock depth that keeps a goroutine on its core.
//
// CS1  While LockDepth is not 0 the core is not preempted: its goroutine stays, and what the core alone owns (its P, its
//      allocation window) may be used. Reading a core's block at depth 0 gives a core that may already be another's.
// CS2  Look holds bits that other cores and interrupts set; whoever brings the depth to 0 looks, and so does the
//      scheduler at every turn.
// Context: anywhere. Allocates nothing. Reference: Go's m.locks, preempt and preemptoff.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Mem;

namespace Unikernel.Runtime.Sched;

/// <summary>What the core that has just left a goroutine's stack still has to do for it.</summary>
internal enum After
{
    Nothing,

    /// <summary>Start the goroutine's deadline, then open the lock, if any.</summary>
    Timer,

    /// <summary>Tell the notifier that its goroutine waits.</summary>
    Notifier,

    /// <summary>It yielded: back on the queue.</summary>
    Yield,

    /// <summary>It was interrupted: the scheduler decides.</summary>
    Interrupted,

    /// <summary>It ended.</summary>
    Dead,
}

/// <summary>Bits of <see cref="CoreState.Look"/>.</summary>
internal static class Look
{
    internal const int Alarm = 1;
    internal const int Input = 2;
    internal const int Stop = 4;
    internal const int Preempt = 8;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CoreState
{
    internal MCache* Cache;             // Abi.inc, CORE_CACHE
    internal ulong* ShadePtr;           // Abi.inc, CORE_SHADE_PTR; see Gc/Barrier.cs
    internal int LockDepth;             // gs:[80], Switch.S
    internal int Look;                  // gs:[84], Switch.S; atomic
    internal P* P;
    internal G* G0;
    internal int* AfterUnlock;          // a lock to open after the switch
    internal G* AfterG;
    internal void* AfterArgument;
    internal After After;
    internal G* Left;                   // while marking closes: the goroutine the core has just left (Gc/StackScan.cs)
    internal ulong* ShadeEnd;           // Abi.inc, CORE_SHADE_END

    internal static CoreState* Of(Core* core) => (CoreState*)core->Runtime;

    /// <summary>The goroutine that the core runs; the calling core's, held by its lock depth.</summary>
    internal static G* Current(CoreState* cs) => (G*)((Core*)((byte*)cs - Core.RuntimeOffset))->G;
}

#if !SIM
/// <summary>The calling core, held by its lock depth.</summary>
internal static unsafe class ThisCore
{
#if HOST
    // For tests of single components on stock .NET: each thread is a core that nothing interrupts.
    [System.ThreadStatic]
    private static CoreState* t_state;

    internal static CoreState* State
    {
        get
        {
            if (t_state == null)
            {
                t_state = (CoreState*)NativeMemory.AllocZeroed((nuint)sizeof(CoreState));
            }
            return t_state;
        }
    }

    internal static CoreState* Acquire()
    {
        State->LockDepth++;
        return State;
    }

    internal static void Release() => State->LockDepth--;
#else
    /// <summary>Raises the lock depth; the core's block.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SchedAcquire")]
    internal static extern CoreState* Acquire();

    /// <summary>Lowers the lock depth; at 0 looks at <see cref="CoreState.Look"/>, so the goroutine may lose the core here.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SchedRelease")]
    internal static extern void Release();

    /// <summary>The core's block; the depth must not be 0.</summary>
    internal static CoreState* State => CoreState.Of(Machine.CurrentCore);
#endif
}
#endif
