// Runs a tool to its end and keeps what it said.
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Unikernel.Bench.Runner.Running;

internal sealed record ToolResult(int Exit, string Output, string Error)
{
    public bool Good => Exit == 0;
}

internal static class Tool
{
    /// <summary>Exit code 127 if there is no such tool.</summary>
    public static async Task<ToolResult> Run(
        string file,
        IReadOnlyList<string> arguments,
        CancellationToken cancel,
        string? directory = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(file, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = directory ?? "",
            },
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            process.StartInfo.Environment[name] = value;
        }

        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new ToolResult(127, "", e.Message);
        }

        try
        {
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancel);
            Task<string> error = process.StandardError.ReadToEndAsync(cancel);
            await process.WaitForExitAsync(cancel).ConfigureAwait(false);
            return new ToolResult(
                process.ExitCode, (await output.ConfigureAwait(false)).Trim(), (await error.ConfigureAwait(false)).Trim());
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
