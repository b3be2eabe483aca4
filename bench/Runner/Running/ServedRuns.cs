// Runs of a row by a process that stays between them: a Linux guest, whose boot takes longer than most rows. Each run is
// still a process of its own in there, and a run that goes wrong costs the guest: the next one gets a new one.
using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.Bench.Runner.Running;

internal sealed class ServedRuns(ProgramCommand command, string request) : IRowRuns
{
    private const int Attempts = 2;     // to boot: on a busy machine an emulated one may find its timers wanting

    private readonly Lock _lock = new();
    private ChildProcess? _process;
    private RunLog _log = new(command.Row);                                 // guarded by _lock, as the next three
    private TaskCompletionSource _ready = Signal();
    private TaskCompletionSource<int> _end = new();
    private string _lastLine = "no output";

    public async Task<RunResult> Run(CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(command.Timeout);
        bool good = false;
        try
        {
            RunResult result = await Run(limit.Token, cancel).ConfigureAwait(false);
            good = result.Outcome is Outcome.Measured or Outcome.Skipped;
            return result;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return RunResult.Timeout;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new RunResult(Outcome.Failed, e.Message, []);
        }
        finally
        {
            if (!good)
            {
                await DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync().ConfigureAwait(false);
            _process = null;
        }
    }

    private async Task<RunResult> Run(CancellationToken limit, CancellationToken cancel)
    {
        Task<int> end;
        lock (_lock)
        {
            _log = new RunLog(command.Row);
            _end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            end = _end.Task;
        }

        for (int attempt = 1; _process is null; attempt++)
        {
            if (await Boot(limit).ConfigureAwait(false) is { } why && attempt == Attempts)
            {
                return new RunResult(Outcome.Failed, why, []);
            }

            cancel.ThrowIfCancellationRequested();
        }

        Task ended = _process.WaitForExit(limit);
        bool asked = await Ask().ConfigureAwait(false);
        if (!asked || await Task.WhenAny(end, ended).ConfigureAwait(false) == ended)
        {
            await ended.ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
            await DisposeAsync().ConfigureAwait(false);     // and what it had printed is read
        }

        lock (_lock)
        {
            return end.IsCompletedSuccessfully ? _log.Judge(end.Result)
                : _log.Judge(0) is { Outcome: Outcome.Failed } failed ? failed
                : new RunResult(Outcome.Failed, "the guest ended in between", []);
        }
    }

    /// <summary>Starts the process and waits until it is ready; else says why it is not, and there is no process.</summary>
    private async Task<string?> Boot(CancellationToken limit)
    {
        lock (_lock)
        {
            _ready = Signal();
        }

        _process = new ChildProcess(command, Output, Error);
        Task ended = _process.WaitForExit(limit);
        if (await Task.WhenAny(_ready.Task, ended).ConfigureAwait(false) == _ready.Task)
        {
            return null;
        }

        await ended.ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
        lock (_lock)
        {
            return $"it ended before it was ready: {_lastLine}";
        }
    }

    private async Task<bool> Ask()
    {
        try
        {
            await _process!.Input.WriteAsync(request + "\n").ConfigureAwait(false);
            await _process.Input.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Output(string text)
    {
        lock (_lock)
        {
            _lastLine = ProgramLine.Clean(text) is { Length: > 0 } said ? said : _lastLine;
            switch (ProgramLine.Parse(text))
            {
                case ProgramLine.Ready:
                    _ready.TrySetResult();
                    break;
                case ProgramLine.End end:
                    _end.TrySetResult(end.Code);
                    break;
                case null when ProgramLine.Clean(text) == request:      // a terminal's echo
                    break;
                case var line:
                    _log.Output(text, line);
                    break;
            }
        }
    }

    private void Error(string text)
    {
        lock (_lock)
        {
            _log.Error(text);
        }
    }
}
