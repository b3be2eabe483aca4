// Builds both programs and the Linux guest, and says what cannot be had.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Targets;

/// <summary>The benchmark cannot go on; the message says why, the code is the process's.</summary>
internal sealed class BenchException(int exit, string message) : Exception(message)
{
    public int Exit => exit;
}

/// <param name="timeout">Of each run, instead of the target's own.</param>
internal sealed class Builds(Action<string> say, TimeSpan? timeout, CancellationToken cancel)
{
    // Programs to take instead of the built ones, for tests of this program: executables for native; for qemu a
    // kernel image and an /init. A file that does not exist is a side that is missing.
    public const string OursVariable = "UNIKERNEL_BENCH_OURS";
    public const string GoVariable = "UNIKERNEL_BENCH_GO";

    private const string Workloads = "bench/workloads/workloads.csproj";
    private const string Images = "artifacts/images/workloads/workloads";
    private const string GoSource = "bench/go";
    private const string GoProgram = "artifacts/bench/go-bench";

    private SideProgram? _go;
    private readonly HashSet<string> _built = [];

    /// <summary>The <c>go</c> command, once Go's program is built.</summary>
    public string? GoCommand { get; private set; }

    public async Task<Target> Make(string target)
    {
        SideProgram go = await Go().ConfigureAwait(false);
        if (target == "native")
        {
            return new NativeTarget(go, await Ours(".linux").ConfigureAwait(false), timeout);
        }

        SideProgram ours = await Ours(".elf").ConfigureAwait(false);
        if (go.Path is null)
        {
            return new QemuTarget(null, go, ours, timeout);
        }

        ToolResult guest = await Run("making the Linux guest", Repository.Path("bench/guest.sh"), [go.Path]).ConfigureAwait(false);
        return guest.Good && guest.Output.Split('\n') is [string kernel, string initramfs]
            ? new QemuTarget(new LinuxGuest(kernel, initramfs), go, ours, timeout)
            : new QemuTarget(null, SideProgram.None($"no Linux guest: {LastLine(guest)}"), ours, timeout);
    }

    private async Task<SideProgram> Go()
    {
        _go ??= Given(GoVariable) ?? await BuildGo().ConfigureAwait(false);
        return _go.Value;
    }

    private async Task<SideProgram> BuildGo()
    {
        if (!File.Exists(Repository.Path("bench/go.sh")))
        {
            return SideProgram.None("there is no bench/go.sh");
        }

        ToolResult found = await Run("looking for Go", Repository.Path("bench/go.sh"), []).ConfigureAwait(false);
        if (found.Exit == ExitCode.MissingTool)
        {
            return SideProgram.None(LastLine(found));
        }

        Demand(found, "bench/go.sh failed");
        GoCommand = found.Output;
        string program = Repository.Path(GoProgram);
        ToolResult built = await Run(
            "building Go's program", GoCommand, ["build", "-buildvcs=false", "-o", program], Repository.Path(GoSource),
            new Dictionary<string, string> { ["CGO_ENABLED"] = "0", ["GOTOOLCHAIN"] = "local" }).ConfigureAwait(false);
        Demand(built, "Go's program does not build");
        return SideProgram.At(program);
    }

    private async Task<SideProgram> Ours(string extension)
    {
        if (Given(OursVariable) is { } given)
        {
            return given;
        }

        string configuration = extension == ".linux" ? "Linux" : "Release";
        if (_built.Add(configuration))
        {
            ToolResult tools = await Run("setting up", Repository.Path("iso/setup.sh"), []).ConfigureAwait(false);
            if (!tools.Good)
            {
                throw new BenchException(ExitCode.MissingTool, tools.Error);
            }

            ToolResult built = await Run(
                "building our program", "dotnet",
                ["build", Repository.Path(Workloads), "-c", configuration, "-v", "q", "-nologo"]).ConfigureAwait(false);
            Demand(built, "our program does not build");
        }

        string program = Repository.Path(Images + extension);
        return File.Exists(program) ? SideProgram.At(program) : SideProgram.None($"the build makes no {Path.GetFileName(program)}");
    }

    private static SideProgram? Given(string variable) => Environment.GetEnvironmentVariable(variable) switch
    {
        null or "" => null,
        var path when File.Exists(path) => SideProgram.At(Path.GetFullPath(path)),
        var path => SideProgram.None($"there is no {path}"),
    };

    private async Task<ToolResult> Run(
        string what, string file, IReadOnlyList<string> arguments, string? directory = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        say(what);
        return await Tool.Run(file, arguments, cancel, directory, environment).ConfigureAwait(false);
    }

    private static void Demand(ToolResult result, string message)
    {
        if (!result.Good)
        {
            throw new BenchException(ExitCode.BuildFailed, $"{message}:\n{result.Output}\n{result.Error}".Trim());
        }
    }

    private static string LastLine(ToolResult result) =>
        result.Error.Length > 0 ? result.Error.Split('\n')[^1] : $"exit code {result.Exit}";
}
