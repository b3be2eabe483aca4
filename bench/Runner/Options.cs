// The command line.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Unikernel.Bench.Runner;

internal sealed record Options(
    IReadOnlyList<string> Targets,
    IReadOnlyList<string> Rows,
    int Reps,
    TimeSpan? Timeout,
    IReadOnlyList<int> Procs,
    string? Json,
    string? Plot,
    string? Markdown,
    string? From)
{
    private static readonly string[] s_plotTypes = [".png", ".svg"];

    /// <summary>Either options, or the exit code of a command line that asked for help or is wrong.</summary>
    public static (Options? Options, int Exit) Parse(IReadOnlyList<string> arguments, TextWriter output, TextWriter error)
    {
        var target = new Option<string>("--target")
        {
            Description = "native: two Linux programs on this machine; qemu: two emulated machines; all: both",
            DefaultValueFactory = _ => "native",
        };
        target.AcceptOnlyFromAmong("native", "qemu", "all");
        var only = new Option<string>("--only") { Description = "only these rows", HelpName = "NAME,..." };
        var reps = new Option<string>("--reps")
        {
            Description = "fresh processes per row, core count and side",
            HelpName = "N",
            DefaultValueFactory = _ => "5",
        };
        var timeout = new Option<string>("--timeout")
        {
            Description = "of each run (default: 60 natively, 120 in QEMU)",
            HelpName = "SECONDS",
        };
        var procs = new Option<string>("--procs")
        {
            Description = "numbers of cores",
            HelpName = "LIST",
            DefaultValueFactory = _ => "1,2",
        };
        var json = new Option<string>("--json") { Description = "write the result as one JSON object", HelpName = "FILE" };
        var plot = new Option<string>("--plot") { Description = "draw the ratios, as .png or .svg", HelpName = "FILE" };
        var markdown = new Option<string>("--markdown") { Description = "write the table as Markdown", HelpName = "FILE" };
        var from = new Option<string>("--from")
        {
            Description = "report a saved result (of --json) instead of measuring",
            HelpName = "FILE",
        };
        only.Validators.Add(r => Check(r, List(r.GetValue(only)) is [_, ..], "a list of rows"));
        reps.Validators.Add(r => Check(r, Number(r.GetValue(reps)) is >= 1 and <= 1000, "a number from 1 to 1000"));
        timeout.Validators.Add(r => Check(r, Number(r.GetValue(timeout)) is >= 1 and <= 86400, "a number of seconds"));
        procs.Validators.Add(r => Check(r, Cores(r.GetValue(procs)) is [_, ..], "numbers from 1 to 64, as in 1,2"));
        plot.Validators.Add(r => Check(r, s_plotTypes.Contains(Path.GetExtension(r.GetValue(plot))), "a file .png or .svg"));

        var root = new Command("bench/run.sh", "Measures the same programs on Unikernel and on Go, alternately, and compares them.")
        {
            target, only, reps, procs, timeout, json, plot, markdown, from, new HelpOption(),
        };
        ParseResult result = root.Parse([.. arguments]);
        if (result.Action is HelpAction)
        {
            result.Invoke(new InvocationConfiguration { Output = output, Error = error });
            return (null, 0);
        }

        foreach (ParseError e in result.Errors)
        {
            error.WriteLine($"run.sh: {e.Message}");
        }

        if (result.Errors.Count > 0)
        {
            return (null, ExitCode.Usage);
        }

        string[] chosen = List(result.GetValue(only));
        if (Runner.Rows.Unknown(chosen) is [_, ..] unknown)
        {
            error.WriteLine($"run.sh: unknown row {string.Join(", ", unknown)}; the rows are:");
            foreach (string row in Runner.Rows.All)
            {
                error.WriteLine($"  {row}");
            }

            return (null, ExitCode.Usage);
        }

        string where = result.GetValue(target)!;
        return (new Options(
            where == "all" ? ["native", "qemu"] : [where],
            Runner.Rows.Choose(chosen),
            Number(result.GetValue(reps)),
            result.GetValue(timeout) is { } seconds ? TimeSpan.FromSeconds(Number(seconds)) : null,
            Cores(result.GetValue(procs)),
            result.GetValue(json),
            result.GetValue(plot),
            result.GetValue(markdown),
            result.GetValue(from)), 0);
    }

    private static void Check(OptionResult option, bool good, string wanted)
    {
        if (!good)
        {
            option.AddError($"{option.Option.Name}: {wanted}");
        }
    }

    private static string[] List(string? text) =>
        (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>0 if it is none.</summary>
    private static int Number(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0;

    /// <summary>Empty if any of them is no number of cores.</summary>
    private static int[] Cores(string? text)
    {
        int[] cores = [.. List(text).Select(Number).Distinct()];
        return cores.All(n => n is >= 1 and <= 64) ? cores : [];
    }
}
