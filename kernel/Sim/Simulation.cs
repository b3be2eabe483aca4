// A machine whose cores take turns: which one does its next step is drawn from a seed, so a run can be done again.
//
// SI1  One core at a time has the turn, and of it one stack (Stacks.cs). The turn changes hands only in Step, Pause, Halt,
//      Compute and Machine.SwitchStack, so everything between two of these is one step.
// SI2  What is drawn (next core, interrupt now or later, stores made visible, a core that stands still for long) depends on
//      the seed and on the run so far alone. The same seed gives the same run: Hash says whether it was.
// SI3  Time is virtual. A step takes some nanoseconds; when every core is halted or computes, time jumps to what comes next.
//      Just before that OnQuiet may look for what should have been done.
// SI4  Interrupts strike at steps, when the core has them on, now or later; wake-ups are such interrupts. Halt with one
//      pending returns at once.
// SI5  Runs end by Machine.Exit, a fatal report's first line, an exception that leaves a stack, a failed check, too many
//      steps, or when nothing can ever happen again. Then every stack is unwound (RunOverException), one after the other.
// SI6  No collection during runs: the runtime keeps object bits and addresses in off-heap memory (NoCollection).
// Context: the threads of Stacks.cs, one at a time. Allocates: before and after a run, and for the trace.
namespace Unikernel.Kernel.Simulated;

/// <summary>How a run ended.</summary>
internal enum Ending
{
    /// <summary>By <see cref="Machine.Exit"/>.</summary>
    Exit,

    /// <summary>By a fatal report.</summary>
    Fatal,

    /// <summary>An exception left a goroutine or a core, or a check of the test failed.</summary>
    Exception,

    /// <summary>All cores are halted, nothing is due.</summary>
    Hang,

    /// <summary>More steps than allowed.</summary>
    TooLong,
}

/// <summary>Unwinds the stacks of a run that is over. Nobody catches it.</summary>
internal sealed class RunOverException : Exception;

/// <summary>What a run is to be, besides its seed.</summary>
internal sealed unsafe class RunOptions
{
    internal ulong Seed { get; init; }

    internal int Cores { get; init; } = 2;

    internal int MaxSteps { get; init; } = 200_000;

    internal bool HasStoreBuffers { get; init; } = true;

    /// <summary>The kernel's command line.</summary>
    internal string Arguments { get; init; } = "";

    /// <summary>What core 0 runs.</summary>
    internal required Action Boot { get; init; }

    /// <summary>Called before time jumps: every core is halted or computes. Throws if something is wrong.</summary>
    internal Action? OnQuiet { get; init; }

    /// <summary>Called whenever the turn goes to another core. Throws if something is wrong.</summary>
    internal Action? OnTurn { get; init; }

    /// <summary>Whether to keep every line of the trace, not the last ones only.</summary>
    internal bool IsTraced { get; init; }
}

/// <summary>What came of a run.</summary>
internal sealed record RunResult(Ending Ending, string Text, ulong Hash, int Steps, int Turns, long Ns);

internal static unsafe partial class Simulation
{
    private const int StepNs = 8;
    private const int PauseNs = 40;
    private const int MostStalls = 256;

    private static readonly VirtualCore[] s_cores = new VirtualCore[Machine.MaxCores];
    private static readonly int[] s_candidates = new int[Machine.MaxCores];
    private static RunOptions s_options = null!;
    private static SplitMix s_random;
    private static VirtualCore s_current = null!;
    private static bool s_isRunning;
    private static bool s_isOver;
    private static bool s_isChecking;
    private static Ending s_ending;
    private static string s_text = "";
    private static int s_steps;
    private static int s_turns;
    private static int s_coreCount;
    private static long s_now;
    private static long s_nextEvent;            // no alarm or device before this time

    // drawn once for a run
    private static int s_switchShift;           // the turn changes at one step of 2^this
    private static int s_drainShift;
    private static int s_latencyShift;

    internal static int CoreCount => s_coreCount;

    internal static int CurrentId => s_current.Id;

    internal static Core* CurrentBlock => s_current.Block;

    internal static VirtualCore Current => s_current;

    internal static ulong Seed => s_options.Seed;

    internal static bool HasStoreBuffers => s_isRunning && s_options.HasStoreBuffers;

    internal static bool IsOver => s_isOver;

    internal static long Now => s_now;

    internal static int Steps => s_steps;

    internal static RunOptions Options => s_options;

    internal static VirtualCore CoreAt(int id) => s_cores[id];

    /// <summary>A number below <paramref name="n"/>, from the seed.</summary>
    internal static int Draw(int n) => (int)(s_random.Next() % (ulong)n);

    internal static RunResult Run(RunOptions options)
    {
        s_options = options;
        s_random = new SplitMix(options.Seed);
        s_switchShift = Draw(4) switch { 0 => 1, 1 => 2, 2 => 3, _ => 5 };
        s_drainShift = 1 + Draw(5);
        s_latencyShift = Draw(4);
        s_isOver = false;
        s_isChecking = false;
        s_steps = 0;
        s_turns = 0;
        s_coreCount = 0;
        s_now = 0;
        s_nextEvent = long.MaxValue;
        s_ending = Ending.Hang;
        s_text = "";
        StoreBuffers.Reset();
        TraceLog.Reset(options.IsTraced);
        Devices.Reset();
        Machine.ResetMemory();
        Machine.SetCommandLine(options.Arguments);
        s_current = AddCore();
        Machine.AddBootCore(s_current.Block);
        s_current.Running = Contexts.New(options.Boot);
        s_isRunning = true;
        Contexts.RunAll(s_current.Running);
        s_isRunning = false;
        return new RunResult(s_ending, s_text, TraceLog.Hash, s_steps, s_turns, s_now);
    }

    internal static VirtualCore AddCore()
    {
        VirtualCore core = new(s_coreCount, (Core*)Machine.AllocPage());
        s_cores[s_coreCount++] = core;
        return core;
    }

    /// <summary>Ends the run; does not return.</summary>
    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    internal static void End(Ending ending, string text)
    {
        Finish(ending, text);
        throw new RunOverException();
    }

    /// <summary>The same for a stack that is unwound already.</summary>
    internal static void Finish(Ending ending, string text)
    {
        if (!s_isOver)
        {
            s_isOver = true;
            s_ending = ending;
            s_text = text;
            TraceLog.Add("end", (int)ending, 0);
        }
    }

    /// <summary>SI1: another core may come first, an interrupt may strike.</summary>
    internal static void Step()
    {
        if (!s_isRunning || s_isChecking)
        {
            return;
        }
        Advance(StepNs);
        ulong r = s_random.Next();
        if (StoreBuffers.Holds(s_current.Id) && ((r >> 8) & ((1UL << s_drainShift) - 1)) == 0)
        {
            StoreBuffers.DrainOne(s_current.Id);
        }
        if ((r & ((1UL << s_switchShift) - 1)) == 0)
        {
            if (((r >> 16) & 63) == 0)
            {
                s_current.StallsLeft = (int)((r >> 24) % MostStalls);       // as if its host had taken the processor away
            }
            GiveTurn();
        }
        TakeInterrupt((r >> 40) & ((1UL << s_latencyShift) - 1));
        if (s_current.StepsToStall != 0 && --s_current.StepsToStall == 0)
        {
            HoldUp(s_current.Id);
            GiveTurn();
        }
    }

    /// <summary>A core stands still for some turns, drawn.</summary>
    internal static void HoldUp(int core) => s_cores[core].StallsLeft = Draw(MostStalls);

    /// <summary>So does the running core within its next steps: for a race that needs it at one of a few places.</summary>
    internal static void HoldUpWithin(int steps) => s_current.StepsToStall = 1 + Draw(steps);

    /// <summary>The running core waits for another.</summary>
    internal static void Pause()
    {
        if (!s_isRunning || s_isChecking)
        {
            return;
        }
        Advance(PauseNs);
        StoreBuffers.Drain(s_current.Id);           // it stays there no longer than some hundred nanoseconds
        s_current.IsPausing = true;
        GiveTurn();
        s_current.IsPausing = false;
        TakeInterrupt(0);
    }

    /// <summary>Interrupts off: waits for an interrupt and serves it (SI4).</summary>
    internal static void Halt()
    {
        Step();
        VirtualCore core = s_current;
        StoreBuffers.Drain(core.Id);
        if (core.Pending == 0)
        {
            TraceLog.Add("halt", core.Id, 0);
            core.IsHalted = true;
            GiveTurn();
            core.IsHalted = false;
        }
        core.Serve();
    }

    /// <summary>The running goroutine computes for a time and may be interrupted anywhere in it.</summary>
    internal static void Compute(long ns)
    {
        for (long left = ns; left > 0;)
        {
            VirtualCore core = s_current;
            long began = s_now;
            StoreBuffers.Drain(core.Id);
            core.BusyUntilNs = began + left;
            GiveTurn();
            core.BusyUntilNs = 0;
            left -= s_now - began;
            TakeInterrupt(0);                   // may take the core away from this goroutine
        }
        Step();
    }

    private static void Advance(int ns)
    {
        if (s_isOver)
        {
            throw new RunOverException();
        }
        if (++s_steps > s_options.MaxSteps)
        {
            End(Ending.TooLong, "no end after " + s_options.MaxSteps + " steps");
        }
        s_now += ns;
        if (s_now >= s_nextEvent)
        {
            RaiseDue();
        }
    }

    // Alarms and devices that are due; and when the next one is.
    private static void RaiseDue()
    {
        s_nextEvent = Devices.RaiseDue(s_now);
        for (int i = 0; i < s_coreCount; i++)
        {
            VirtualCore core = s_cores[i];
            if (core.AlarmNs != 0 && core.AlarmNs <= s_now)
            {
                core.AlarmNs = 0;
                core.Raise(Interrupt.Alarm);
            }
            if (core.AlarmNs != 0 && core.AlarmNs < s_nextEvent)
            {
                s_nextEvent = core.AlarmNs;
            }
        }
    }

    internal static void SetAlarm(long whenNs)
    {
        Step();
        s_current.AlarmNs = whenNs;
        TraceLog.Add("alarm", s_current.Id, whenNs);
        ExpectEvent(whenNs == 0 ? long.MaxValue : whenNs);
    }

    internal static void ExpectEvent(long whenNs) => s_nextEvent = whenNs < s_nextEvent ? whenNs : s_nextEvent;

    private static void TakeInterrupt(ulong latency)
    {
        VirtualCore core = s_current;
        if (core.Pending != 0 && core.CanBeInterrupted && latency == 0)
        {
            StoreBuffers.Drain(core.Id);
            core.TakeInterrupt();
        }
    }

    // Gives the turn to a core that can use it, maybe the same; returns when this stack has it again.
    private static void GiveTurn()
    {
        Context self = s_current.Running;
        VirtualCore next = Choose();
        if (next != s_current)
        {
            TraceLog.Add("turn", s_current.Id, next.Id);
            s_turns++;
            Check(s_options.OnTurn);
            s_current = next;
            Contexts.HandOver(self, next.Running);
        }
    }

    private static VirtualCore Choose()
    {
        while (true)
        {
            int n = 0;
            int all = 0;
            int pausing = 0;
            for (int i = 0; i < s_coreCount; i++)
            {
                VirtualCore core = s_cores[i];
                if (!core.CanUseTurn(s_now))
                {
                    continue;
                }
                all++;
                pausing += core.IsPausing ? 1 : 0;
                if (core.StallsLeft == 0)
                {
                    s_candidates[n++] = i;
                }
                else
                {
                    core.StallsLeft--;
                }
            }
            if (n > 0)
            {
                int at = Draw(n);
                VirtualCore chosen = s_cores[s_candidates[at]];
                return chosen == s_current && chosen.IsPausing ? s_cores[s_candidates[(at + 1) % n]] : chosen;
            }
            if (all > 0)
            {
                continue;                       // all stand still: their time passes
            }
            JumpInTime();
        }
    }

    // SI3
    private static void JumpInTime()
    {
        Check(s_options.OnQuiet);
        long next = long.MaxValue;
        for (int i = 0; i < s_coreCount; i++)
        {
            VirtualCore core = s_cores[i];
            next = core.AlarmNs != 0 && core.AlarmNs < next ? core.AlarmNs : next;
            next = core.BusyUntilNs != 0 && core.BusyUntilNs < next ? core.BusyUntilNs : next;
        }
        next = Devices.NextNs < next ? Devices.NextNs : next;
        if (next == long.MaxValue)
        {
            End(Ending.Hang, "all cores are halted for ever");
        }
        s_now = next > s_now ? next : s_now;
        TraceLog.Add("jump", 0, s_now);
        RaiseDue();
    }

    private static void Check(Action? check)
    {
        if (check != null)
        {
            s_isChecking = true;                // it reads what it likes without a step
            try
            {
                check();
            }
            finally
            {
                s_isChecking = false;
            }
        }
    }
}

/// <summary>SplitMix64 (Steele, Lea, Flood 2014).</summary>
internal struct SplitMix(ulong seed)
{
    private ulong _state = seed * 0x9e3779b97f4a7c15;

    internal ulong Next()
    {
        _state += 0x9e3779b97f4a7c15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
