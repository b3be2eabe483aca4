// One simulated core: its block, what it waits for, its interrupts.
// owner: whoever holds the turn.
using System.Collections.Generic;

namespace Unikernel.Kernel.Simulated;

/// <summary>What can interrupt a core; bits.</summary>
internal static class Interrupt
{
    internal const int Alarm = 1;
    internal const int OtherCore = 2;
    internal const int Wake = 4;
    internal const int Device = 8;
}

internal sealed unsafe class VirtualCore(int id, Core* block)
{
    // Any address that the runtime takes for managed code; see World.Boot of the tests.
    internal const ulong ManagedRip = 0x1000;
    private const ulong FrameBytes = 512;

    internal readonly int Id = id;
    internal readonly Core* Block = block;
    internal Context Running = null!;           // the stack it is on
    internal bool AreInterruptsOff;
    internal int Pending;                       // Interrupt bits
    internal bool IsHalted;
    internal bool IsPausing;
    internal long BusyUntilNs;                  // computes until then; 0 = it does not
    internal long AlarmNs;                      // 0 = none
    internal int StallsLeft;                    // turns for which it stands still
    internal int StepsToStall;                  // steps until it next does; 0 = none is planned

    internal bool CanBeInterrupted => !AreInterruptsOff && Block->InInterrupt == 0;

    internal bool CanUseTurn(long nowNs) =>
        IsHalted ? Pending != 0
        : BusyUntilNs == 0 || nowNs >= BusyUntilNs || (Pending != 0 && CanBeInterrupted);

    internal void Raise(int interrupt)
    {
        TraceLog.Add("raise", Id, interrupt);
        Pending |= interrupt;
    }

    /// <summary>Interrupts are off, or a handler begins: calls the handlers of what is pending.</summary>
    internal void Serve()
    {
        int pending = Pending;
        Pending = 0;
        TraceLog.Add("serve", Id, pending);
        Block->InInterrupt = 1;
        if ((pending & Interrupt.Alarm) != 0 && Machine.OnAlarm != null)
        {
            Machine.OnAlarm();
        }
        if ((pending & Interrupt.Device) != 0)
        {
            Devices.Serve(Id);
        }
        Block->InInterrupt = 0;
    }

    /// <summary>An interrupt between two steps; its exit may make the interrupted code call something.</summary>
    internal void TakeInterrupt()
    {
        TrapFrame frame = default;
        frame.Rip = ManagedRip;
        frame.Rsp = Running.StackHi - FrameBytes;
        Serve();
        Block->InInterrupt = 1;
        if (Machine.OnInterruptExit != null)
        {
            Machine.OnInterruptExit(&frame);
        }
        Block->InInterrupt = 0;
        if (frame.Rip != ManagedRip)
        {
            ((delegate*<void>)frame.Rip)();
        }
    }
}

/// <summary>Interrupts from outside: at a time, on a core.</summary>
internal static class Devices
{
    private sealed record Event(long WhenNs, int Core, Action Handler);

    private static readonly List<Event> s_events = [];      // in no order
    private static readonly List<Event> s_raised = [];

    internal static long NextNs { get; private set; } = long.MaxValue;

    internal static void Reset()
    {
        s_events.Clear();
        s_raised.Clear();
        NextNs = long.MaxValue;
    }

    /// <summary>At <paramref name="whenNs"/> or later <paramref name="handler"/> is called on the core, in interrupt context.</summary>
    internal static void Add(long whenNs, int core, Action handler)
    {
        s_events.Add(new Event(whenNs, core, handler));
        FindNext();
        Simulation.ExpectEvent(whenNs);
    }

    internal static long RaiseDue(long nowNs)
    {
        for (int i = 0; i < s_events.Count;)
        {
            Event e = s_events[i];
            if (e.WhenNs > nowNs)
            {
                i++;
                continue;
            }
            s_events.RemoveAt(i);
            s_raised.Add(e);
            Simulation.CoreAt(e.Core).Raise(Interrupt.Device);
        }
        FindNext();
        return NextNs;
    }

    internal static void Serve(int core)
    {
        for (int i = 0; i < s_raised.Count;)
        {
            Event e = s_raised[i];
            if (e.Core != core)
            {
                i++;
                continue;
            }
            s_raised.RemoveAt(i);
            e.Handler();
        }
    }

    private static void FindNext()
    {
        NextNs = long.MaxValue;
        foreach (Event e in s_events)
        {
            NextNs = e.WhenNs < NextNs ? e.WhenNs : NextNs;
        }
    }
}
