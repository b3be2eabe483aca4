// The benchmark's runner on a machine.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Unikernel.TestHarness;
using Xunit;

namespace Unikernel.Tests.Qemu;

public class BenchTests
{
    // The shell waits for input that never comes; and there is no Go, so that no Linux guest is fetched.
    [Fact]
    public async Task A_guest_that_hangs_is_a_timeout_in_its_row()
    {
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList =
            {
                Path.Combine(Vm.Root, "bench/Runner/bin/Release/net10.0/Unikernel.Bench.Runner.dll"),
                "--target", "qemu", "--only", "mutex", "--procs", "1", "--reps", "2", "--timeout", "3",
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["UNIKERNEL_BENCH_GO"] = "/no/go";
        start.Environment["UNIKERNEL_BENCH_OURS"] = Path.Combine(Vm.Root, "artifacts/images/shell/shell.elf");
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        Assert.Contains("ours: timeout", output, StringComparison.Ordinal);
        Assert.Contains("Go's side is missing", output, StringComparison.Ordinal);
    }
}
