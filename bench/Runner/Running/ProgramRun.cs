// One run of a benchmark program in a fresh process.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.Bench.Runner.Running;

internal enum Outcome
{
    Measured,
    Skipped,
    Failed,
    TimedOut,
}

internal enum Exit
{
    /// <summary>It is the program's.</summary>
    Own,

    /// <summary>QEMU's isa-debug-exit: <c>(code << 1) | 1</c>, or 0 for a machine that was powered off.</summary>
    DebugExit,

    /// <summary>Nothing.</summary>
    Untold,
}

/// <param name="Reason">Why there is no figure; or, of a measured one, what was odd about it.</param>
internal sealed record RunResult(Outcome Outcome, string? Reason, IReadOnlyList<ProgramLine.Row> Rows);

/// <summary>How to run one row on one side of one target.</summary>
/// <param name="Exit">What the process's exit code says about the program's.</param>
/// <param name="TimeToReady">The figure is the time from starting the process to <c>@ready</c>, and then it may go.</param>
internal sealed record ProgramCommand(
    string File, IReadOnlyList<string> Arguments, string Row, TimeSpan Timeout, Exit Exit, bool TimeToReady);

internal sealed partial class ProgramRun
{
    // What would change how Go's program or ours runs, set for other purposes where the benchmark is started.
    private static readonly string[] s_notInherited = ["GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK"];

    private readonly Lock _lock = new();
    private readonly ProgramCommand _command;
    private readonly Dictionary<string, ProgramLine.Row> _rows = [];
    private readonly List<string> _order = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ProgramLine? _verdict;
    private string? _report;
    private string? _lastOutput;
    private string? _lastError;
    private long _readyAt;

    private ProgramRun(ProgramCommand command) => _command = command;

    /// <exception cref="OperationCanceledException">Cancelled; the process and its children are gone.</exception>
    public static Task<RunResult> Run(ProgramCommand command, CancellationToken cancel) => new ProgramRun(command).Run(cancel);

    private async Task<RunResult> Run(CancellationToken cancel)
    {
        using var process = new Process { StartInfo = StartInfo() };
        long start = Stopwatch.GetTimestamp();
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new RunResult(Outcome.Failed, e.Message, []);
        }

        process.StandardInput.Close();
        Task pumps = Task.WhenAll(Pump(process.StandardOutput, Output), Pump(process.StandardError, Error));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(_command.Timeout);
        Task ended = process.WaitForExitAsync(limit.Token);
        try
        {
            if (_command.TimeToReady && await Task.WhenAny(_ready.Task, ended).ConfigureAwait(false) == _ready.Task)
            {
                return Measured(Stopwatch.GetElapsedTime(start, _readyAt));
            }

            await ended.ConfigureAwait(false);
            // Ctrl-C at a terminal reaches the program too: what it ended with then is no result.
            cancel.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new RunResult(Outcome.TimedOut, "timeout", []);
        }
        finally
        {
            await End(process, pumps).ConfigureAwait(false);
        }

        lock (_lock)
        {
            return _command.TimeToReady && _ready.Task.IsCompleted
                ? Measured(Stopwatch.GetElapsedTime(start, _readyAt))
                : Judge(process.ExitCode);
        }
    }

    private ProcessStartInfo StartInfo()
    {
        var info = new ProcessStartInfo(_command.File, _command.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in s_notInherited)
        {
            info.Environment.Remove(name);
        }

        return info;
    }

    private static async Task End(Process process, Task pumps)
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        // A process that outlives its parent may hold the pipes open: do not wait for that one for ever.
        await Task.WhenAny(pumps, Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None)).ConfigureAwait(false);
    }

    private static async Task Pump(StreamReader from, Action<string> to)
    {
        while (await from.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            to(line);
        }
    }

    private void Output(string text)
    {
        lock (_lock)
        {
            switch (ProgramLine.Parse(text))
            {
                case ProgramLine.Ready when !_ready.Task.IsCompleted:
                    _readyAt = Stopwatch.GetTimestamp();
                    _ready.SetResult();
                    break;
                case ProgramLine.Row row when row.Name == _command.Row:
                    if (_rows.TryAdd(row.Metric, row))
                    {
                        _order.Add(row.Metric);
                    }

                    break;
                case ProgramLine.Skip skip when skip.Name == _command.Row:
                    _verdict ??= skip;
                    break;
                case ProgramLine.Fail fail when fail.Name == _command.Row:
                    _verdict = fail;
                    break;
                case null when Telling(text) is { } telling:
                    _lastOutput = telling;
                    break;
                default:
                    break;
            }
        }
    }

    private void Error(string text)
    {
        lock (_lock)
        {
            _lastError = Telling(text) ?? _lastError;
        }
    }

    /// <summary>A line that may say why a program failed: not blank, and not Linux's log, which ends with its panic.</summary>
    private string? Telling(string text)
    {
        string line = ProgramLine.Clean(text);
        if (line.Length == 0 || KernelLog().IsMatch(line))
        {
            return null;
        }

        _report ??= CrashReport().IsMatch(line) ? line : null;
        return line;
    }

    private RunResult Measured(TimeSpan time) =>
        new(Outcome.Measured, null,
            [new ProgramLine.Row(_command.Row, ProgramLine.SingleMetric, Kind.Time, "ms", time.TotalMilliseconds)]);

    private RunResult Judge(int exitCode)
    {
        int code = _command.Exit switch
        {
            Exit.Own => exitCode,
            Exit.DebugExit => exitCode >> 1,
            _ => 0,
        };
        string exit = code != 0 ? $"exit code {code}" : "no figure";
        string? said = _report ?? _lastError ?? _lastOutput;
        return _verdict switch
        {
            ProgramLine.Fail fail => new RunResult(Outcome.Failed, OrElse(fail.Reason, "failed"), []),
            ProgramLine.Skip skip when _rows.Count == 0 => new RunResult(Outcome.Skipped, OrElse(skip.Reason, "skipped"), []),
            _ when _rows.Count > 0 =>
                new RunResult(Outcome.Measured, code != 0 ? $"{exit} after its figures" : null, _order.ConvertAll(m => _rows[m])),
            _ => new RunResult(Outcome.Failed, said is null ? exit : $"{exit}: {said}", []),
        };
    }

    private static string OrElse(string text, string other) => text.Length > 0 ? text : other;

    // Its last line is a frame of some goroutine; the first one says what happened.
    [GeneratedRegex("^(panic|fatal error|Unhandled exception)[:.]")]
    private static partial Regex CrashReport();

    [GeneratedRegex(@"^\[ *\d+\.\d+\]")]
    private static partial Regex KernelLog();
}
