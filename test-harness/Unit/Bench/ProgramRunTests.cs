// Running a program, a shell script here: its figures, its reasons, its time.
using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Running;
using Xunit;

namespace Unikernel.Tests.Bench;

public class ProgramRunTests
{
    private static Task<RunResult> Run(
        string script, double seconds = 60, Exit exit = Exit.Own, bool timeToReady = false, CancellationToken cancel = default) =>
        ProgramRun.Run(
            new ProgramCommand("/bin/sh", ["-c", script], "mutex", TimeSpan.FromSeconds(seconds), exit, timeToReady), cancel);

    [Fact]
    public async Task Figures_are_those_of_the_row()
    {
        RunResult run = await Run("""
            echo @ready
            echo noise
            echo @row mutex p50 time ns 1
            echo @row other - time ns 7
            echo @row mutex p99 time ns 2
            echo @row mutex p99 time ns broken
            """);
        Assert.Equal(Outcome.Measured, run.Outcome);
        Assert.Null(run.Reason);
        Assert.Equal([("p50", 1.0), ("p99", 2.0)], run.Rows.Select(r => (r.Metric, r.Value)));
    }

    [Fact]
    public async Task A_skip_gives_its_reason()
    {
        RunResult run = await Run("echo '@skip mutex not here'");
        Assert.Equal((Outcome.Skipped, "not here"), (run.Outcome, run.Reason));
        Assert.Empty(run.Rows);
    }

    [Fact]
    public async Task A_fail_discards_the_figures()
    {
        RunResult run = await Run("echo @row mutex - time ns 1; echo '@fail mutex wrong result'");
        Assert.Equal((Outcome.Failed, "wrong result"), (run.Outcome, run.Reason));
        Assert.Empty(run.Rows);
    }

    [Theory]
    [InlineData("echo out; echo one >&2; echo last >&2; exit 3", "exit code 3: last")]
    [InlineData("echo one; echo last; exit 3", "exit code 3: last")]
    [InlineData("echo panic: bad; echo; echo goroutine 1: >&2; echo main.go:5 >&2; exit 2", "exit code 2: panic: bad")]
    [InlineData("exit 3", "exit code 3")]
    [InlineData("exit 0", "no figure")]
    [InlineData("echo @ready; echo @row mutex; exit 0", "no figure: @row mutex")]
    public async Task No_line_is_a_failure_that_says_what_was_last(string script, string reason)
    {
        RunResult run = await Run(script);
        Assert.Equal((Outcome.Failed, reason), (run.Outcome, run.Reason));
    }

    [Fact]
    public async Task The_log_of_a_guests_Linux_is_no_reason()
    {
        RunResult run = await Run("echo out of memory; echo '[    2.123852] Kernel panic - not syncing'; exit 1", exit: Exit.Untold);
        Assert.Equal((Outcome.Failed, "no figure: out of memory"), (run.Outcome, run.Reason));
    }

    [Fact]
    public async Task A_bad_end_after_the_figures_is_noted()
    {
        RunResult run = await Run("echo @row mutex - time ns 1; exit 4");
        Assert.Equal((Outcome.Measured, "exit code 4 after its figures"), (run.Outcome, run.Reason));
        Assert.Single(run.Rows);
        Assert.Null((await Run("echo @row mutex - time ns 1; exit 4", exit: Exit.Untold)).Reason);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, null)]
    [InlineData(5, "exit code 2 after its figures")]
    public async Task The_debug_exit_device_doubles_the_code(int code, string? reason) =>
        Assert.Equal(reason, (await Run($"echo @row mutex - time ns 1; exit {code}", exit: Exit.DebugExit)).Reason);

    [Fact]
    public async Task A_timeout_ends_the_program_and_its_children()
    {
        long start = Stopwatch.GetTimestamp();
        RunResult run = await Run("echo @row mutex - time ns 1; sleep 100 & sleep 100", seconds: 0.5);
        Assert.Equal((Outcome.TimedOut, "timeout"), (run.Outcome, run.Reason));
        Assert.Empty(run.Rows);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task The_time_to_ready_ends_the_program()
    {
        long start = Stopwatch.GetTimestamp();
        RunResult run = await Run("sleep 0.3; echo @ready; sleep 100", timeToReady: true);
        ProgramLine.Row row = Assert.Single(run.Rows);
        Assert.Equal(("-", Kind.Time, "ms"), (row.Metric, row.Kind, row.Unit));
        Assert.InRange(row.Value, 290, 20_000);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Never_ready_is_a_failure() =>
        Assert.Equal(Outcome.Failed, (await Run("echo no", timeToReady: true)).Outcome);

    [Fact]
    public async Task A_missing_program_is_a_failure()
    {
        RunResult run = await ProgramRun.Run(
            new ProgramCommand("/no/such/program", [], "mutex", TimeSpan.FromSeconds(9), Exit.Own, false), CancellationToken.None);
        Assert.Equal(Outcome.Failed, run.Outcome);
    }

    [Fact]
    public async Task Cancelling_ends_the_program()
    {
        using var cancel = new CancellationTokenSource(300);
        long start = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Run("sleep 100", cancel: cancel.Token));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }
}
