// The machine seam of the simulation: cores, clock, interrupts and stacks as Simulation.cs has them.
//
// SM1  No console: what is printed is kept. A fatal report ends the run at its first line, for the traces behind it need
//      the tables of a linked image.
// SM2  A new stack's saved frame holds, in the place of SchedStart's address, that of a method (Switch.Sim.cs of the
//      runtime), and so does the frame that an interrupt's exit changes.
// Context: whoever holds the turn.
using Unikernel.Kernel.Simulated;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const string FatalMark = "fatal error: ";
    private const int SavedR12 = 3;             // words of the frame that SwitchStack pops (Cpu/core.S)
    private const int SavedRbx = 5;
    private const int SavedRip = 6;

    public static delegate*<void> OnAlarm;

    public static delegate*<void> OnConsoleInput;

    /// <summary>Whether the stack that is being left will never be switched to again.</summary>
    internal static delegate*<bool> OnSwitch;

    private static string s_printed = "";

    public static int CoreCount => Simulation.Options.Cores;

    public static bool ConsoleIsTerminal => false;

    /// <summary>What the run has printed.</summary>
    internal static string Printed => s_printed;

    public static long NanoTime()
    {
        Simulation.Step();
        return Simulation.Now;
    }

    public static long WallClockNs() => NanoTime();

    public static void SetAlarm(long whenNs) => Simulation.SetAlarm(whenNs);

    public static void Halt() => Simulation.Halt();

    public static void SpinYield() => Simulation.Pause();

    public static nuint DisableInterrupts()
    {
        Simulation.Step();
        VirtualCore core = Simulation.Current;
        nuint before = core.AreInterruptsOff ? 1u : 0u;
        core.AreInterruptsOff = true;
        return before;
    }

    public static void RestoreInterrupts(nuint flags)
    {
        Simulation.Current.AreInterruptsOff = flags != 0;
        Simulation.Step();
    }

    public static void InterruptCore(int id) => Poke(id, Interrupt.OtherCore);

    public static void WakeCore(int id) => Poke(id, Interrupt.Wake);

    private static void Poke(int id, int interrupt)
    {
        Simulation.Step();
        StoreBuffers.Drain(Simulation.CurrentId);
        Simulation.CoreAt(id).Raise(interrupt);
    }

    public static bool StartCore(int id, delegate*<void> entry)
    {
        Simulation.Step();
        VirtualCore core = Simulation.AddCore();
        AddCore(core.Block, id);
        core.Running = Contexts.New(() =>
        {
            entry();
        });
        s_coresStarted = id + 1;
        return true;
    }

    internal static void AddBootCore(Core* core) => AddCore(core, 0);

    public static void* GetG() => Simulation.CurrentBlock->G;

    public static void SetG(void* g) => Simulation.CurrentBlock->G = g;

    // SM2
    public static Core* SwitchStack(nuint* saveRsp, nuint newRsp, void* g, void* tlsEnd)
    {
        VirtualCore core = Simulation.Current;
        Context from = core.Running;
        Context to = Contexts.IsToken(newRsp) ? Contexts.ByToken(newRsp) : NewStack((nuint*)newRsp);
        *saveRsp = (nuint)from.Token;
        core.Running = to;
        core.Block->G = g;
        TraceLog.Add("switch", from.Token, to.Token);
        if (OnSwitch != null && OnSwitch())
        {
            Contexts.EndFor(to);
        }
        Contexts.HandOver(from, to);
        return Simulation.CurrentBlock;
    }

    private static Context NewStack(nuint* frame)
    {
        delegate*<nuint, void*, void> start = (delegate*<nuint, void*, void>)(frame[SavedRip] - 1);
        nuint fn = frame[SavedRbx];
        void* argument = (void*)frame[SavedR12];
        Context context = Contexts.New(() => start(fn, argument));
        context.StackHi = (ulong)frame;
        return context;
    }

    public static void Print(byte* p, nuint n)
    {
        s_printed += System.Text.Encoding.UTF8.GetString(p, (int)n);
        int at = s_printed.IndexOf(FatalMark, StringComparison.Ordinal);
        int end = at < 0 ? -1 : s_printed.IndexOf('\n', at);
        if (end >= 0)
        {
            Simulation.End(Ending.Fatal, s_printed[(at + FatalMark.Length)..end]);
        }
    }

    public static void ConsoleWrite(byte* p, nuint n) => Print(p, n);

    public static int ConsoleReadRaw(byte* p, int n) => 0;

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    public static void Exit(int code) => Simulation.End(code == 0 ? Ending.Exit : Ending.Fatal, "exit code " + code);

    public static void MemoryBarrierAll() => Simulation.Step();

    /// <summary>Nothing to freeze: the report that follows ends the run.</summary>
    public static void FreezeOthers()
    {
    }

    public static void ThawOthers()
    {
    }
}
