// What one run of a row printed, and what is to be made of it.
using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace Unikernel.Bench.Runner.Running;

internal enum Outcome
{
    Measured,
    Skipped,
    Failed,
    TimedOut,
}

/// <param name="Reason">Why there is no figure; or, of a measured one, what was odd about it.</param>
internal sealed record RunResult(Outcome Outcome, string? Reason, IReadOnlyList<ProgramLine.Row> Rows)
{
    public static RunResult Timeout { get; } = new(Outcome.TimedOut, "timeout", []);
}

/// <summary>Not for two threads at once.</summary>
internal sealed partial class RunLog(string name)
{
    private readonly Dictionary<string, ProgramLine.Row> _rows = [];
    private readonly List<string> _order = [];
    private ProgramLine? _verdict;
    private string? _report;
    private string? _lastOutput;
    private string? _lastError;

    /// <summary>A line of standard output, and what it is in the protocol.</summary>
    public void Output(string text, ProgramLine? line)
    {
        switch (line)
        {
            case ProgramLine.Row row when row.Name == name:
                if (_rows.TryAdd(row.Metric, row))
                {
                    _order.Add(row.Metric);
                }

                break;
            case ProgramLine.Skip skip when skip.Name == name:
                _verdict ??= skip;
                break;
            case ProgramLine.Fail fail when fail.Name == name:
                _verdict = fail;
                break;
            case null when Telling(text) is { } telling:
                _lastOutput = telling;
                break;
            default:
                break;
        }
    }

    public void Error(string text) => _lastError = Telling(text) ?? _lastError;

    /// <param name="code">What the program ended with; 0 if that is not known.</param>
    public RunResult Judge(int code)
    {
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

    private static string OrElse(string text, string other) => text.Length > 0 ? text : other;

    // Its last line is a frame of some goroutine; the first one says what happened.
    [GeneratedRegex("^(panic|fatal error|Unhandled exception)[:.]")]
    private static partial Regex CrashReport();

    [GeneratedRegex(@"^\[ *\d+\.\d+\]")]
    private static partial Regex KernelLog();
}
