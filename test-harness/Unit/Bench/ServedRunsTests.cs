// A program that stays between runs, a shell script here: asked for each, replaced when it went wrong.
using System;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Running;
using Xunit;

namespace Unikernel.Tests.Bench;

public sealed class ServedRunsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("bench").FullName;

    public void Dispose() => Directory.Delete(_directory, true);

    // Each process begins by counting itself in a file; body handles $line, and $n is the process's number.
    private IRowRuns Serve(string body, double seconds = 60) => RowRuns.Of(new ProgramCommand(
        "/bin/sh",
        [
            "-c",
            $"echo started >> {_directory}/processes; n=$(wc -l < {_directory}/processes)\n"
                + $"echo @ready; while read line; do echo \"$line\"; {body}\ndone",
        ],
        "mutex", TimeSpan.FromSeconds(seconds), Exit.Untold, TimeToReady: false, Request: "mutex 1 2 3"));

    private int Processes => File.ReadAllLines($"{_directory}/processes").Length;

    [Fact]
    public async Task One_process_serves_all_runs()
    {
        await using IRowRuns runs = Serve("i=$((i+1)); echo @ready; echo @row mutex - time ns $i; echo @end 0");
        foreach (int i in Enumerable.Range(1, 3))
        {
            RunResult run = await runs.Run(CancellationToken.None);
            Assert.Null(run.Reason);
            Assert.Equal(i, Assert.Single(run.Rows).Value);
        }

        Assert.Equal(1, Processes);
    }

    [Fact]
    public async Task The_code_and_what_was_said_are_the_rows()
    {
        await using IRowRuns runs = Serve("echo panic: bad; echo frame; echo @end 2");
        RunResult run = await runs.Run(CancellationToken.None);
        Assert.Equal((Outcome.Failed, "exit code 2: panic: bad"), (run.Outcome, run.Reason));
    }

    [Fact]
    public async Task The_echo_of_the_request_is_no_reason()
    {
        await using IRowRuns runs = Serve("echo @end 1");
        Assert.Equal("exit code 1", (await runs.Run(CancellationToken.None)).Reason);
    }

    [Theory]
    [InlineData("echo @row mutex - time ns 1; sleep 1000", 1.0, "TimedOut", "timeout")]
    [InlineData("echo bye; exit 0", 60.0, "Failed", "no figure: bye")]
    [InlineData("echo @row mutex - time ns 1; exit 0", 60.0, "Failed", "the guest ended in between")]
    [InlineData("echo '@fail mutex wrong'; echo @end 1", 60.0, "Failed", "wrong")]
    public async Task After_a_run_that_went_wrong_a_new_process_serves(string wrong, double seconds, string outcome, string reason)
    {
        await using IRowRuns runs = Serve($"if [ $n = 1 ]; then {wrong}; fi; echo @row mutex - time ns 7; echo @end 0", seconds);
        RunResult run = await runs.Run(CancellationToken.None);
        Assert.Equal((outcome, reason), (run.Outcome.ToString(), run.Reason));
        Assert.Empty(run.Rows);
        RunResult next = await runs.Run(CancellationToken.None);
        Assert.Equal(7, Assert.Single(next.Rows).Value);
        Assert.Equal(2, Processes);
    }

    [Fact]
    public async Task One_that_ends_before_it_is_ready_is_tried_again()
    {
        string once = $"{_directory}/once";
        string script = $"if [ ! -e {once} ]; then touch {once}; exit 1; fi; echo @ready; read line; echo @row mutex - time ns 3; echo @end 0";
        await using IRowRuns runs = RowRuns.Of(new ProgramCommand(
            "/bin/sh", ["-c", script], "mutex", TimeSpan.FromSeconds(60), Exit.Untold, TimeToReady: false, Request: "mutex"));
        Assert.Equal(3, Assert.Single((await runs.Run(CancellationToken.None)).Rows).Value);
    }

    [Fact]
    public async Task But_only_once()
    {
        await using IRowRuns runs = RowRuns.Of(new ProgramCommand(
            "/bin/sh", ["-c", $"echo x >> {_directory}/processes; echo '[ 0.1] panic'"], "mutex", TimeSpan.FromSeconds(60),
            Exit.Untold, TimeToReady: false, Request: "mutex"));
        RunResult run = await runs.Run(CancellationToken.None);
        Assert.Equal((Outcome.Failed, "it ended before it was ready: [ 0.1] panic"), (run.Outcome, run.Reason));
        Assert.Equal(2, Processes);
    }

    [Fact]
    public async Task Never_ready_is_a_timeout()
    {
        await using IRowRuns runs = RowRuns.Of(new ProgramCommand(
            "/bin/sh", ["-c", "sleep 1000"], "mutex", TimeSpan.FromSeconds(0.5), Exit.Untold, TimeToReady: false, Request: "mutex"));
        Assert.Equal(Outcome.TimedOut, (await runs.Run(CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task A_missing_program_is_a_failure()
    {
        await using IRowRuns runs = RowRuns.Of(new ProgramCommand(
            "/no/such/program", [], "mutex", TimeSpan.FromSeconds(9), Exit.Untold, TimeToReady: false, Request: "mutex"));
        Assert.Equal(Outcome.Failed, (await runs.Run(CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task Cancelling_ends_the_program()
    {
        using var cancel = new CancellationTokenSource(300);
        await using IRowRuns runs = Serve("sleep 1000");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runs.Run(cancel.Token));
    }
}
