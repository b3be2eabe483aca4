// Start and end of the process: arguments become the kernel's command line, the environment is not looked at.
//
// LS1  argv[1..] joined by spaces is the command line; an argument that holds spaces is quoted, so that Main gets it whole.
// LS2  The exit code is the process's own (modulo 256, as Linux has it).
// Context: boot. Allocates nothing. Reference: System V ABI for x86-64, section 3.4.1 (initial stack).
using System.Runtime.CompilerServices;

namespace Unikernel.Kernel;

public static unsafe partial class Machine
{
    /// <summary>Value of the protocol argument of KernelMain.</summary>
    public const int ProtocolLinux = 3;

    private const int CommandLineMax = 64 * 1024;
    private const ulong AuxiliaryVdso = 33;

    private struct CommandLineBuffer
    {
        internal fixed byte Text[CommandLineMax];
    }

    private static CommandLineBuffer s_commandLine;     // immutable after InitBootInfo
    private static int s_commandLineLength;
    private static bool s_commandLineCut;
    private static long s_bootNs;                       // CLOCK_MONOTONIC at InitConsole

    /// <summary>The kernel's command line, UTF-8, NUL-terminated.</summary>
    public static byte* CommandLine => (byte*)Unsafe.AsPointer(ref s_commandLine.Text[0]);

    public static int CommandLineLength => s_commandLineLength;

    private static ulong FirstBootTick => 0;

    private static ulong BootTicks() => (ulong)NanoTime();

    private static ulong TicksToNs(ulong ticks) => ticks;

    /// <summary>First of all: from here on time runs and Print works.</summary>
    public static void InitConsole() => s_bootNs = ClockNs(ClockMonotonic);

    /// <summary>Takes arguments and auxiliary vector from the initial stack.</summary>
    public static void InitBootInfo(int protocol, void* info)
    {
        BootStep("entry"u8);
        var words = (ulong*)info;
        var argc = (int)words[0];
        var argv = (byte**)(words + 1);
        for (var i = 1; i < argc; i++)
        {
            AppendArgument(argv[i]);
        }
        var at = words + 1 + argc + 1;
        while (*at != 0)
        {
            at++;                                       // the environment
        }
        for (at++; at[0] != 0; at += 2)
        {
            if (at[0] == AuxiliaryVdso)
            {
                FindVdsoClock((byte*)at[1]);
            }
        }
        if (s_commandLineCut)
        {
            Print("unikernel: the command line is too long and was cut\n"u8);
        }
        ConfigureConsole();
        BootStep("boot information"u8);
    }

    private static void AppendArgument(byte* text)
    {
        var quote = false;
        for (var p = text; *p != 0; p++)
        {
            quote |= *p is (byte)' ' or (byte)'\t';
        }
        if (s_commandLineLength != 0)
        {
            Append((byte)' ');
        }
        if (quote)
        {
            Append((byte)'"');
        }
        for (var p = text; *p != 0; p++)
        {
            Append(*p);
        }
        if (quote)
        {
            Append((byte)'"');
        }
    }

    private static void Append(byte b)
    {
        if (s_commandLineLength >= CommandLineMax - 1)
        {
            s_commandLineCut = true;
            return;
        }
        CommandLine[s_commandLineLength++] = b;
    }

    /// <summary>Cores of the machine: cores=N, or the CPUs this process may run on.</summary>
    public static int CoreCount { get; private set; } = 1;

    /// <summary>Finds out how many cores there are.</summary>
    public static void InitAcpi()
    {
        var cpus = CountCpus();
        var cores = cpus;
        if (TryGetArg("cores"u8, out var value, out var length))
        {
            cores = 0;
            for (var i = 0; i < length && length <= 2; i++)
            {
                cores = value[i] is >= (byte)'0' and <= (byte)'9' ? (cores * 10) + value[i] - '0' : -100;
            }
            if (cores is < 1 or > MaxCores)
            {
                RefuseMachine("cores= wants a number from 1 to 64"u8);
            }
        }
        CoreCount = cores == 0 ? 1 : cores > MaxCores ? MaxCores : cores;
        s_hasCpuPerCore = CoreCount == cpus;
        BootStep("cores"u8);
    }

    /// <summary>Ends the process. Does not return.</summary>
    public static void Exit(int code)
    {
        RestoreTerminal();
        Linux.Syscall(Linux.ExitGroup, code, 0);
    }
}
