// The whole runner as bench/run.sh starts it, with shell scripts for the two programs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.Versioning;
using System.Text.Json;
using Unikernel.Bench.Runner.Targets;
using Xunit;

namespace Unikernel.Tests.Bench;

[SupportedOSPlatform("linux")]
public sealed class EndToEndTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("bench").FullName;

    public void Dispose() => Directory.Delete(_directory, true);

    private string Script(string name, string body)
    {
        string file = Path.Combine(_directory, name);
        File.WriteAllText(file, $"#!/bin/sh\necho \"{name} $*\" >> {_directory}/calls\n{body}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return file;
    }

    private (int Exit, string Output, string Error) Run(string go, string ours, params string[] arguments)
    {
        var info = new ProcessStartInfo(
            "dotnet", (IEnumerable<string>)[Path.Combine(AppContext.BaseDirectory, "Unikernel.Bench.Runner.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        };
        info.Environment[Builds.GoVariable] = go;
        info.Environment[Builds.OursVariable] = ours;
        using Process process = Process.Start(info)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    [Fact]
    public void The_sides_take_turns_and_the_result_can_be_shown_again()
    {
        string go = Script("go", "echo @ready; echo @row $1 - time ns 10");
        string ours = Script("ours", "echo @ready; if [ $2 = nbody ]; then echo oops; exit 9; fi; echo @row $2 - time ns 5");
        (int exit, string output, string error) = Run(
            go, ours, "--only", "nbody,mutex,boot", "--reps", "2", "--procs", "2", "--json", "new/result.json");
        Assert.True(exit == 0, error);
        Assert.Equal(
            [
                "go mutex 2 250 1", "ours GOMAXPROCS=2 mutex 2 250 1", "go mutex 2 250 1", "ours GOMAXPROCS=2 mutex 2 250 1",
                "go nbody 2 250 1", "ours GOMAXPROCS=2 nbody 2 250 1", "go nbody 2 250 1", "ours GOMAXPROCS=2 nbody 2 250 1",
            ],
            File.ReadAllLines($"{_directory}/calls"));

        using JsonDocument json = JsonDocument.Parse(File.ReadAllText($"{_directory}/new/result.json"));
        var rows = json.RootElement.GetProperty("rows").EnumerateArray()
            .Select(r => (r.GetProperty("name").GetString(), r.GetProperty("ratio").ToString(), r.GetProperty("note").GetString()));
        Assert.Equal([("mutex", "0.5", ""), ("nbody", "", "ours: failed: exit code 9: oops"), ("boot", "", "QEMU only")], rows);

        File.Delete($"{_directory}/calls");
        Assert.Equal((0, output), Again());
        Assert.False(File.Exists($"{_directory}/calls"));

        (int, string) Again()
        {
            (int code, string again, _) = Run(go, ours, "--from", "new/result.json");
            return (code, again);
        }
    }

    [Fact]
    public void What_cannot_be_written_is_said_before_measuring()
    {
        string program = Script("program", "exit 0");
        File.WriteAllText($"{_directory}/file", "");
        Assert.Equal(73, Run(program, program, "--only", "mutex", "--json", "file/result.json").Exit);
        Assert.False(File.Exists($"{_directory}/calls"));
    }

    [Fact]
    public void Without_Go_there_is_our_side_and_a_line_that_says_so()
    {
        string ours = Script("ours", "echo @row $2 - time ns 5");
        (int exit, string output, string error) = Run(
            "/no/go", ours, "--only", "mutex", "--reps", "1", "--procs", "1", "--json", "result.json");
        Assert.True(exit == 0, error);
        Assert.Contains("native: Go's side is missing, there is no /no/go.", output);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText($"{_directory}/result.json"));
        JsonElement row = Assert.Single(json.RootElement.GetProperty("rows").EnumerateArray());
        Assert.Equal(
            ("mutex", JsonValueKind.Null, 5.0, JsonValueKind.Null, "Go: missing"),
            (row.GetProperty("name").GetString(), row.GetProperty("go").ValueKind,
                row.GetProperty("ours").GetProperty("median").GetDouble(), row.GetProperty("ratio").ValueKind,
                row.GetProperty("note").GetString()));
    }

    [Fact]
    public void A_program_that_hangs_is_ended_and_its_row_says_so()
    {
        string go = Script("go", "echo @row $1 - time ns 10");
        string ours = Script("ours", "echo @ready; exec sleep 1000");
        (int exit, string output, string error) = Run(go, ours, "--only", "mutex", "--reps", "3", "--procs", "1", "--timeout", "1");
        Assert.True(exit == 0, error);
        Assert.Contains("ours: timeout", output);
        Assert.Equal(1, File.ReadAllLines($"{_directory}/calls").Count(l => l.StartsWith("ours", StringComparison.Ordinal)));
    }

    [Fact]
    public void An_unknown_row_gets_the_list_and_64()
    {
        (int exit, _, string error) = Run("", "", "--only", "nothing");
        Assert.Equal(64, exit);
        Assert.Contains("unknown row nothing", error);
        Assert.Contains("spawn_exit_par", error);
    }

    [Fact]
    public void A_saved_result_must_be_one()
    {
        File.WriteAllText($"{_directory}/bad.json", "{}");
        Assert.Equal(64, Run("", "", "--from", "bad.json").Exit);
        Assert.Equal(64, Run("", "", "--from", "none.json").Exit);
    }
}
