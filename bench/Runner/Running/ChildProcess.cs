// A child process whose output is read line by line, and which ends with its children.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.Bench.Runner.Running;

internal sealed class ChildProcess : IAsyncDisposable
{
    // What would change how Go's program or ours runs, set for other purposes where the benchmark is started.
    private static readonly string[] s_notInherited = ["GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK"];

    private readonly Process _process;
    private readonly Task _pumps;

    /// <param name="output">Called for each line of standard output, not by two threads at once.</param>
    /// <param name="error">The same for standard error; may come between.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no such program.</exception>
    public ChildProcess(ProgramCommand command, Action<string> output, Action<string> error)
    {
        var info = new ProcessStartInfo(command.File, command.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in s_notInherited)
        {
            info.Environment.Remove(name);
        }

        _process = new Process { StartInfo = info };
        try
        {
            _process.Start();
        }
        catch
        {
            _process.Dispose();
            throw;
        }

        _pumps = Task.WhenAll(Pump(_process.StandardOutput, output), Pump(_process.StandardError, error));
    }

    public StreamWriter Input => _process.StandardInput;

    /// <summary>Of a process that has ended.</summary>
    public int ExitCode => _process.ExitCode;

    public Task WaitForExit(CancellationToken cancel) => _process.WaitForExitAsync(cancel);

    /// <summary>Ends it, if it has not ended, and reads what it had printed.</summary>
    public async Task End()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }

        // A process that outlives its parent may hold the pipes open: do not wait for that one for ever.
        await Task.WhenAny(_pumps, Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None)).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await End().ConfigureAwait(false);
        _process.Dispose();
    }

    private static async Task Pump(StreamReader from, Action<string> to)
    {
        while (await from.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            to(line);
        }
    }
}
