// What the figures were measured on, asked of the machine itself.
using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;

namespace Unikernel.Bench.Runner.Results;

internal static partial class Machine
{
    private const string Unknown = "unknown";

    public static string Cpu() => CpuModel(File.Exists("/proc/cpuinfo") ? File.ReadAllText("/proc/cpuinfo") : "");

    /// <summary>The first model name of <c>/proc/cpuinfo</c>.</summary>
    public static string CpuModel(string cpuinfo) =>
        ModelName().Match(cpuinfo) is { Success: true } m ? m.Groups[1].Value.Trim() : Unknown;

    public static async Task<MachineFacts> Facts(bool qemu, CancellationToken cancel) =>
        new(Environment.ProcessorCount, await FirstLine("uname", "-sr", cancel).ConfigureAwait(false) ?? Unknown,
            qemu ? QemuTarget.Accelerator : null);

    public static async Task<Versions> Versions(string? goCommand, LinuxGuest? guest, bool qemu, CancellationToken cancel)
    {
        ToolResult commit = await Tool.Run(
            "git", ["-C", Repository.Root, "describe", "--always", "--dirty", "--abbrev=12"], cancel).ConfigureAwait(false);
        return new Versions(
            commit.Good ? commit.Output : Unknown,
            goCommand is null ? null : await FirstLine(goCommand, "version", cancel).ConfigureAwait(false),
            Environment.Version.ToString(),
            Ilc(File.ReadAllText(Repository.Path("Directory.Build.props"))),
            qemu ? await FirstLine(QemuTarget.Emulator, "--version", cancel).ConfigureAwait(false) : null,
            guest is null ? null : Path.GetFileName(guest.Kernel));
    }

    /// <summary>The ahead-of-time compiler's version, from where it is pinned.</summary>
    public static string Ilc(string props) =>
        IlcVersion().Match(props) is { Success: true } m ? m.Groups[1].Value : Unknown;

    private static async Task<string?> FirstLine(string file, string argument, CancellationToken cancel)
    {
        ToolResult result = await Tool.Run(file, [argument], cancel).ConfigureAwait(false);
        return result.Good ? result.Output.Split('\n').First() : null;
    }

    [GeneratedRegex(@"^model name\s*:(.*)$", RegexOptions.Multiline)]
    private static partial Regex ModelName();

    [GeneratedRegex("<ILCompilerVersion>([^<]+)</ILCompilerVersion>")]
    private static partial Regex IlcVersion();
}
