// bench/run.sh: measures, or reads a saved result, and reports.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Reports;
using Unikernel.Bench.Runner.Results;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;

namespace Unikernel.Bench.Runner;

internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        (Options? options, int exit) = Options.Parse(arguments, Console.Out, Console.Error);
        if (options is null)
        {
            return exit;
        }

        using var cancel = new CancellationTokenSource();
        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            cancel.Cancel();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        try
        {
            Prepare(options.Json, options.Markdown, options.Plot);
            Report report = options.From is { } from ? Read(from) : await Measure(options, cancel.Token).ConfigureAwait(false);
            Print(report, options);
            return cancel.IsCancellationRequested ? ExitCode.Interrupted : 0;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            Say("interrupted before the first figure");
            return ExitCode.Interrupted;
        }
        catch (BenchException e)
        {
            Say(e.Message);
            return e.Exit;
        }
    }

    private static void Say(string text) => Console.Error.WriteLine($"run.sh: {text}");

    private static Report Read(string file)
    {
        try
        {
            return Report.FromJson(File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new BenchException(ExitCode.Usage, $"--from {file}: {e.Message}");
        }
    }

    // Measuring takes long: what cannot be written afterwards should be known before.
    private static void Prepare(params string?[] files)
    {
        foreach (string file in files.OfType<string>())
        {
            Writing(() =>
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
                bool exists = File.Exists(file);
                File.Open(file, FileMode.OpenOrCreate, FileAccess.Write).Dispose();
                if (!exists)
                {
                    File.Delete(file);
                }
            });
        }
    }

    private static void Writing(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BenchException(ExitCode.CannotWrite, e.Message);
        }
    }

    private static async Task<Report> Measure(Options options, CancellationToken cancel)
    {
        var builds = new Builds(Say, options.Timeout, cancel);
        var targets = new List<Target>();
        foreach (string name in options.Targets)
        {
            targets.Add(await builds.Make(name).ConfigureAwait(false));
        }

        string date = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        QemuTarget? qemu = targets.OfType<QemuTarget>().FirstOrDefault();
        Versions versions =
            await Machine.Versions(builds.GoCommand, qemu?.Linux, qemu is not null, cancel).ConfigureAwait(false);
        MachineFacts facts = await Machine.Facts(qemu is not null, cancel).ConfigureAwait(false);

        Task<IReadOnlyList<ReportRow>> Run(IProgressDisplay progress) => new Session(options, progress, cancel).Measure(targets);
        int steps = targets.Count * options.Rows.Count * options.Procs.Count * options.Reps;
        IReadOnlyList<ReportRow> rows = Console.IsErrorRedirected
            ? await Run(new PlainProgress(Console.Error)).ConfigureAwait(false)
            : await BarProgress.Show(steps, Run).ConfigureAwait(false);

        List<string> remarks = [.. targets.SelectMany(Missing).Distinct()];
        if (cancel.IsCancellationRequested)
        {
            remarks.Add("Interrupted: not every row was measured.");
        }

        return new Report(date, versions, Machine.Cpu(), facts, rows, remarks);
    }

    private static IEnumerable<string> Missing(Target target)
    {
        if (target.Program(Side.Go).Missing is { } go)
        {
            yield return $"{target.Name}: Go's side is missing, {go}.";
        }

        if (target.Program(Side.Ours).Missing is { } ours)
        {
            yield return $"{target.Name}: our side is missing, {ours}.";
        }
    }

    private static void Print(Report report, Options options)
    {
        ConsoleTable.Print(report);
        if (options.Json is { } json)
        {
            Writing(() => File.WriteAllText(json, report.ToJson()));
        }

        if (options.Markdown is { } markdown)
        {
            Writing(() => File.WriteAllText(markdown, MarkdownTable.Write(report)));
        }

        if (options.Plot is { } plot)
        {
            Writing(() =>
            {
                if (!RatioPlot.Write(report, plot))
                {
                    Say($"no row has both sides: {plot} is not drawn");
                }
            });
        }
    }
}
