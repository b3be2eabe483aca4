// Kernel options and the boot chart: the same on every body of the machine.
// Context: boot. Allocates nothing.

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    private const int MaxBootSteps = 64;

    private struct BootSteps
    {
        public int Count;
        public fixed ulong Ticks[MaxBootSteps];
        public fixed ulong Name[MaxBootSteps];
        public fixed int NameLength[MaxBootSteps];
    }

    private static BootSteps s_steps;       // boot core only

    /// <summary>Finds a kernel option (key or key=value); the value is not NUL-terminated.</summary>
    public static bool TryGetArg(ReadOnlySpan<byte> key, out byte* value, out int length)
    {
        fixed (byte* k = key)
        {
            return CommandLineParser.TryGet(CommandLine, CommandLineLength, k, key.Length, out value, out length);
        }
    }

    /// <summary>Whether a NUL-terminated word of the command line is for the kernel, not for Main.</summary>
    public static bool IsKernelArgument(byte* word) => CommandLineParser.IsForKernel(word);

    /// <summary>Marks the end of a boot step. name must be a literal.</summary>
    public static void BootStep(ReadOnlySpan<byte> name)
    {
        if (s_steps.Count < MaxBootSteps)
        {
            fixed (byte* p = name)
            {
                s_steps.Ticks[s_steps.Count] = BootTicks();
                s_steps.Name[s_steps.Count] = (ulong)p;
                s_steps.NameLength[s_steps.Count] = name.Length;
                s_steps.Count++;
            }
        }
    }

    /// <summary>With the kernel argument bootchart: a line per step, microseconds since entry and of the step.</summary>
    public static void PrintBootChart()
    {
        if (!TryGetArg("bootchart"u8, out _, out _))
        {
            return;
        }
        var first = FirstBootTick;
        var last = first;
        for (var i = 0; i < s_steps.Count; i++)
        {
            var ticks = s_steps.Ticks[i];
            Print("bootchart "u8);
            PrintDecimal(TicksToNs(ticks - first) / 1000, 8);
            Print(" us  +"u8);
            PrintDecimal(TicksToNs(ticks - last) / 1000, 7);
            Print("  "u8);
            Print((byte*)s_steps.Name[i], (nuint)s_steps.NameLength[i]);
            Print("\n"u8);
            last = ticks;
        }
    }
}
