// The shell's commands: one table, from which `help`, completion and execution are read.
using System;
using System.Collections.Generic;
using System.Globalization;

namespace Unikernel.Samples;

/// <summary>A command of the shell.</summary>
/// <param name="Name">The word that calls it.</param>
/// <param name="Arguments">What may follow, for <c>help</c>.</param>
/// <param name="Summary">One line for <c>help</c>.</param>
/// <param name="Choices">The words its first argument may be.</param>
/// <param name="Run">Does it.</param>
internal sealed record Command(string Name, string Arguments, string Summary, IReadOnlyList<string> Choices, Action<Shell, string[]> Run);

/// <summary>The table of commands.</summary>
internal static class Commands
{
    // The largest code that comes back from QEMU: it reports 2N+1 in eight bits.
    private const int MaxExitCode = 127;

    private static readonly Command[] Table =
    [
        new("help", "", "lists the commands", [], (_, _) => Help()),
        new("hello", "[NAME]", "greets from a goroutine", [], (_, args) => Hello.Run(args)),
        new("sieve", "[N]", "prints the Nth prime, one goroutine per prime", [], (_, args) => Sieve.Run(args)),
        new("wordcount", "", "counts the words of the input that follows, up to Ctrl-D", [], (_, args) => WordCount.Run(args)),
        new("mem", "", "shows memory", [], (_, args) => MachineFacts.PrintMemory(args)),
        new("ps", "", "lists the goroutines: state, age, core, place", [], (_, args) => SchedulerView.PrintGoroutines(args)),
        new("mpg", "[once]", "draws cores, Ps and queues, until a key is pressed", ["once"], (_, args) => SchedulerView.ShowPicture(args)),
        new("busy", "[N]", "starts N goroutines that compute for ever", [], (_, args) => SchedulerView.MakeBusy(args)),
        new("uptime", "", "shows the time and the time since boot", [], (_, args) => MachineFacts.PrintUptime(args)),
        new("crash", Crash.Usage, "ends the kernel on purpose, with its report", Crash.Kinds, (_, args) => Crash.Run(args)),
        new("exit", "[N]", "leaves the kernel with exit code N (0 to 127)", [], Exit),
    ];

    /// <summary>The commands' names.</summary>
    public static IReadOnlyList<string> Names { get; } = Array.ConvertAll(Table, static command => command.Name);

    /// <summary>The command of that name, or null.</summary>
    public static Command? Find(string name) => Array.Find(Table, command => command.Name == name);

    private static void Help()
    {
        foreach (Command command in Table)
        {
            Console.WriteLine($"  {command.Name + " " + command.Arguments,-48} {command.Summary}");
        }
    }

    private static void Exit(Shell shell, string[] args)
    {
        int code = 0;
        if (args.Length > 1
            || (args.Length == 1 && !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out code))
            || code > MaxExitCode)
        {
            Console.WriteLine($"usage: exit [N]   N is a number from 0 to {MaxExitCode}, 0 without it");
            return;
        }

        shell.Exit(code);
    }
}
