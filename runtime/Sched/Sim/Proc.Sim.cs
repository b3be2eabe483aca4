// What the simulation needs to call, and what its checks look at.
using Unikernel.Kernel;

namespace Unikernel.Runtime.Sched;

internal static unsafe partial class Proc
{
    /// <summary>SchedStart of Switch.S.</summary>
    internal static void RunNew(nuint fn, void* argument)
    {
        Started();
        ((delegate*<void*, void>)fn)(argument);
        Goexit0();
    }

    /// <summary>SchedInterrupted.</summary>
    internal static void RunInterrupted() => Interrupted();

    /// <summary>Whether the stack that is being left is that of a goroutine that has ended.</summary>
    internal static bool IsLeavingForGood() => ThisCore.State->After == After.Dead;

    /// <summary>The global run queue.</summary>
    internal static GQueue GlobalQueue => s_sched.Runq;

    /// <summary>Those readied by interrupts, linked by IrqLink.</summary>
    internal static G* ReadiedByInterrupts => (G*)s_irqReady;

    /// <summary>A bit for each core that is idle.</summary>
    internal static ulong IdleCores => s_idle;

    /// <summary>Cores that look for work.</summary>
    internal static int SpinningCores => s_spinning;

    /// <summary>Whether somebody who wakes a core, or a core that was woken and has not come yet, counts as looking for work.</summary>
    internal static bool IsAnyWakerCounted
    {
        get
        {
            int looking = 0;
            for (int i = 0; i < Machine.CoresStarted; i++)
            {
                looking += PAt(i)->IsSpinning ? 1 : 0;
            }
            return s_spinning > looking;
        }
    }

    /// <summary>Whether a core that looks for work will go idle if it finds nothing now.</summary>
    internal static bool IsAnyAboutToIdle
    {
        get
        {
            bool any = false;
            for (int i = 0; i < s_maxProcs; i++)
            {
                any |= PAt(i)->IsSpinning && PAt(i)->Naps == MostNaps;
            }
            return any;
        }
    }

    /// <summary>Whether the world is being stopped or is stopped.</summary>
    internal static bool IsWorldStopping => s_stopping != 0;
}

internal unsafe partial struct RunQueue
{
    /// <summary>Entry <paramref name="i"/> from the head, in memory as it is.</summary>
    internal readonly G* EntryAt(int i) => (G*)_ring[(_head + (uint)i) % Capacity];

    /// <summary>Entries of the ring, in memory as it is.</summary>
    internal readonly int Entries => (int)(_tail - _head);

    /// <summary>Runnext, in memory as it is.</summary>
    internal readonly G* NextNow => (G*)_runNext;
}

internal unsafe partial struct GQueue
{
    internal readonly G* First => _head;
}
