// Runs of a row on one side, each in a process of its own.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.Bench.Runner.Running;

internal enum Exit
{
    /// <summary>It is the program's.</summary>
    Own,

    /// <summary>QEMU's isa-debug-exit: <c>(code << 1) | 1</c>, or 0 for a machine that was powered off.</summary>
    DebugExit,

    /// <summary>Nothing.</summary>
    Untold,
}

/// <summary>How to run one row on one side of one target.</summary>
/// <param name="Timeout">Of each run.</param>
/// <param name="Exit">What the process's exit code says about the program's.</param>
/// <param name="TimeToReady">The figure is the time from starting the process to <c>@ready</c>, and then it may go.</param>
/// <param name="Request">
/// Null: each run is a process. Else the process stays: after <c>@ready</c> this line to its input asks for each run,
/// and <c>@end CODE</c> says that it is over.
/// </param>
internal sealed record ProgramCommand(
    string File, IReadOnlyList<string> Arguments, string Row, TimeSpan Timeout, Exit Exit, bool TimeToReady,
    string? Request = null);

/// <summary>A row on one side, to be run several times.</summary>
internal interface IRowRuns : IAsyncDisposable
{
    /// <exception cref="OperationCanceledException">Cancelled; the process and its children are gone.</exception>
    Task<RunResult> Run(CancellationToken cancel);
}

internal static class RowRuns
{
    public static IRowRuns Of(ProgramCommand command) =>
        command.Request is null ? new ProcessRuns(command) : new ServedRuns(command, command.Request);
}

internal sealed class ProcessRuns(ProgramCommand command) : IRowRuns
{
    public Task<RunResult> Run(CancellationToken cancel) => ProgramRun.Run(command, cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

internal sealed class ProgramRun
{
    private readonly Lock _lock = new();
    private readonly ProgramCommand _command;
    private readonly RunLog _log;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _readyAt;

    private ProgramRun(ProgramCommand command)
    {
        _command = command;
        _log = new RunLog(command.Row);
    }

    /// <exception cref="OperationCanceledException">Cancelled; the process and its children are gone.</exception>
    public static Task<RunResult> Run(ProgramCommand command, CancellationToken cancel) => new ProgramRun(command).Run(cancel);

    private async Task<RunResult> Run(CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        ChildProcess process;
        try
        {
            process = new ChildProcess(_command, Output, Error);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new RunResult(Outcome.Failed, e.Message, []);
        }

        await using (process.ConfigureAwait(false))
        {
            process.Input.Close();
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(_command.Timeout);
            try
            {
                Task ended = process.WaitForExit(limit.Token);
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
                return RunResult.Timeout;
            }

            await process.End().ConfigureAwait(false);
            lock (_lock)
            {
                return _command.TimeToReady && _ready.Task.IsCompleted
                    ? Measured(Stopwatch.GetElapsedTime(start, _readyAt))
                    : _log.Judge(Code(process.ExitCode));
            }
        }
    }

    private void Output(string text)
    {
        lock (_lock)
        {
            ProgramLine? line = ProgramLine.Parse(text);
            if (line is ProgramLine.Ready && !_ready.Task.IsCompleted)
            {
                _readyAt = Stopwatch.GetTimestamp();
                _ready.SetResult();
            }

            _log.Output(text, line);
        }
    }

    private void Error(string text)
    {
        lock (_lock)
        {
            _log.Error(text);
        }
    }

    private int Code(int exitCode) => _command.Exit switch
    {
        Exit.Own => exitCode,
        Exit.DebugExit => exitCode >> 1,
        _ => 0,
    };

    private RunResult Measured(TimeSpan time) =>
        new(Outcome.Measured, null,
            [new ProgramLine.Row(_command.Row, ProgramLine.SingleMetric, Kind.Time, "ms", time.TotalMilliseconds)]);
}
