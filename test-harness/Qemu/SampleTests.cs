// The samples end to end: boot routes, real input, every crash, bad input.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using Unikernel.TestHarness;
using Xunit;

namespace Unikernel.Tests.Qemu;

public class SampleTests
{
    private const string EndOfInput = "\u0004";

    private static async Task<(int Code, string Log)> Run(string image, string input, string arguments = "",
        BootRoute route = BootRoute.Kernel, string memory = "512M", string cpu = "max")
    {
        await using Vm vm = Vm.Start(image, arguments, route, memory, cpu);
        await vm.Send(input);
        int code = await vm.WaitForExit();
        return (code, vm.Log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.KernelPc)]
    [InlineData(BootRoute.Microvm)]
    [InlineData(BootRoute.Linux)]
    public async Task Sieve_on_each_direct_route(BootRoute route)
    {
        (int code, string log) = await Run("shell", "sieve 1000\nexit 7\n", route: route);
        Assert.Equal(7, code);
        Assert.Equal("7919\n", log);
    }

    [Theory]
    [InlineData("iso")]
    [InlineData("uefi")]
    [InlineData("kernel")]
    [InlineData("microvm")]
    public void Runner_boots_each_route(string route)
    {
        (int code, string output, _) = Runner($"--no-build --accel tcg --timeout 120 --boot {route} shell", "sieve 100\nexit 5\n");
        Assert.Equal("541\n", output);
        Assert.Equal(5, code);
    }

    [Theory]
    [InlineData(BootRoute.Kernel, "seconds=4 seed=3", 0, "stress: no goroutine lost")]
    [InlineData(BootRoute.Linux, "seconds=4 seed=4", 0, "stress: no goroutine lost")]
    [InlineData(BootRoute.Linux, "seconds=1 seed=5 lose", 1, "stress: THE BOOKS DO NOT BALANCE")]
    public async Task Stress_loses_no_goroutine(BootRoute route, string arguments, int expected, string verdict)
    {
        await using Vm vm = Vm.Start("stress", arguments, route, cores: 4);
        int code = await vm.WaitForExit();
        Assert.Equal(expected, code);
        Assert.Contains(verdict, vm.Log);
    }

    [Fact]
    public async Task Hello_boots_in_32_MiB()
    {
        (int code, string log) = await Run("hello", "", memory: "32M");
        Assert.Equal(0, code);
        Assert.Contains("Hello, world", log);
    }

    [Fact]
    public async Task Too_little_memory_is_one_clear_line()
    {
        (int code, string log) = await Run("hello", "", memory: "8M");
        Assert.Equal(3, code);
        Assert.Matches("^unikernel: too little memory: [^\n]*\n$", log);
    }

    [Fact]
    public async Task Missing_CPU_feature_is_one_clear_line()
    {
        (int code, string log) = await Run("hello", "", cpu: "max,avx2=off");
        Assert.Equal(3, code);
        Assert.Equal("unikernel: this CPU lacks AVX2", log.Trim());
    }

    public static readonly string[][] Crashes =
    [
        ["null", "panic: System.NullReferenceException: ", "Crash.DereferenceNull"],
        ["div", "panic: System.DivideByZeroException: ", "Crash.Divide"],
        ["overflow", "panic: System.OverflowException: ", "Crash.Divide"],
        ["throw", "panic: System.InvalidOperationException: thrown by the crash command", "Crash.Run"],
        ["panic", "panic: test\n\ngoroutine 1 [running]:\n", "Crash.Run"],
        ["goroutine", "panic: System.InvalidOperationException: thrown by a goroutine\n\ngoroutine ", "Crash.ThrowElsewhere"],
        ["deadlock", "fatal error: all goroutines are asleep - deadlock!", "goroutine 1 [chan receive (nil chan)]:"],
        ["stack", "fatal error: stack overflow", "frames elided..."],
        ["nil", "fatal error: go of nil func value", "Crash.RunNothing"],
    ];

    public static TheoryData<BootRoute, string, string, string> CrashesByRoute()
    {
        var data = new TheoryData<BootRoute, string, string, string>();
        foreach (string[] c in Crashes)
        {
            data.Add(BootRoute.Kernel, c[0], c[1], c[2]);
            data.Add(BootRoute.Linux, c[0], c[1], c[2]);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(CrashesByRoute))]
    public async Task Crashes_report_and_exit_with_2(BootRoute route, string kind, string report, string where)
    {
        (int code, string log) = await Run("shell", $"crash {kind}\n", route: route);
        Assert.Equal(2, code);
        Assert.Contains(report, log);
        Assert.Contains(where, log);
        Assert.Matches(@"goroutine \d+ \[", log);
        Assert.Contains("Crash.cs:", log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Main_may_leave_and_the_rest_is_a_deadlock(BootRoute route)
    {
        (int code, string log) = await Run("shell", "crash goexit\n", route: route);
        Assert.Equal(2, code);
        Assert.StartsWith("fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n", log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Stack_overflow_has_the_lines_of_Go(BootRoute route)
    {
        (int code, string log) = await Run("shell", "crash stack\n", route: route);
        Assert.Equal(2, code);
        Assert.Matches(@"^runtime: goroutine stack exceeds \d+-byte limit\nruntime: sp=0x[0-9a-f]+ stack=\[0x[0-9a-f]+, 0x[0-9a-f]+\]\nfatal error: stack overflow\n", log);
        Assert.Matches(@"\ngoroutine \d+ \[running\]:\n", log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Wordcount_equals_a_count_on_the_host(BootRoute route)
    {
        string text = string.Concat(Enumerable.Repeat(await File.ReadAllTextAsync(Path.Combine(Vm.Root, "LICENSE")), 40));
        Assert.True(text.Length > 30_000);
        var expected = new StringBuilder();
        string letters = new([.. text.Select(c => char.IsAsciiLetter(c) || c == '\'' ? char.ToLowerInvariant(c) : ' ')]);
        foreach (var g in letters.Split(' ', StringSplitOptions.RemoveEmptyEntries).GroupBy(w => w)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal))
        {
            expected.Append(g.Count()).Append(' ').Append(g.Key).Append('\n');
        }
        (int code, string log) = await Run("wordcount", text + EndOfInput, route: route);
        Assert.Equal(0, code);
        Assert.Equal(expected.ToString(), log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Garbage_NULs_and_a_line_of_a_MiB_lose_nothing(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", route: route);
        byte[] garbage = new byte[64 * 1024];
        new Random(1).NextBytes(garbage);
        for (int i = 0; i < garbage.Length; i++)
        {
            garbage[i] = garbage[i] is 4 or (byte)'\n' or (byte)'\r' ? (byte)0 : garbage[i];
        }
        await vm.Send(garbage);
        await vm.Send("\n" + new string('x', 1 << 20) + "\n");
        await vm.Send("sieve 10\nexit 9\n");
        Assert.Equal(9, await vm.WaitForExit());
        Assert.Contains("\n29\n", vm.Log);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task A_hang_yields_a_goroutine_dump(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", route: route);
        var e = await Assert.ThrowsAsync<VmException>(() => vm.Expect("this is never printed", 3));
        Assert.Contains("goroutine 1 [IO wait]:", e.Message);
        Assert.Contains(route == BootRoute.Linux ? "SIGQUIT: quit\n" : "NMI: quit\n", e.Message);
    }

    [Theory]
    [InlineData("run-qemu.sh", "nonsense", "unknown sample: nonsense")]
    [InlineData("run-qemu.sh", "--nonsense", "unknown option --nonsense")]
    [InlineData("run-qemu.sh", "--boot floppy", "--boot floppy")]
    [InlineData("run-qemu.sh", "--smp none", "--smp none")]
    [InlineData("run-linux.sh", "nonsense", "unknown sample: nonsense")]
    [InlineData("run-linux.sh", "--mem lots", "--mem lots")]
    public void Runner_refuses_wrong_usage(string script, string arguments, string complaint)
    {
        (int code, string output, string errors) = Runner(arguments, "", script);
        Assert.Equal(64, code);
        Assert.Equal("", output);
        Assert.Contains(complaint, errors);
        Assert.Contains("wordcount", errors);
    }

    [Fact]
    public void Linux_runner_gives_the_exit_code()
    {
        (int code, string output, _) = Runner("--no-build --mem 64M --timeout 60 shell", "sieve 100\nexit 5\n", "run-linux.sh");
        Assert.Equal("541\n", output);
        Assert.Equal(5, code);
    }

    [Theory]
    [InlineData("mem=1M", "mem= wants a size of at least 16M")]
    [InlineData("mem=12Q", "mem= wants a size of at least 16M")]
    [InlineData("port2=/no/such/folder/file", "cannot be opened")]
    public void Bad_arguments_of_the_Linux_process_are_one_clear_line(string argument, string complaint)
    {
        (int code, string output, _) = Runner($"--no-build hello -- {argument}", "", "run-linux.sh");
        Assert.Equal(3, code);
        Assert.Matches("^unikernel: [^\n]*\n$", output);
        Assert.Contains(complaint, output);
    }

    [Theory]
    [InlineData("run-qemu.sh", "--no-build --accel tcg --boot kernel --timeout 3 shell")]
    [InlineData("run-linux.sh", "--no-build --timeout 3 shell")]
    public async Task Runner_ends_a_guest_that_does_not(string script, string arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Vm.Root, script), arguments.Split(' '))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process p = Process.Start(start)!;
        Task<string> errors = p.StandardError.ReadToEndAsync();
        string output = await p.StandardOutput.ReadToEndAsync();
        await p.WaitForExitAsync();
        Assert.Equal(124, p.ExitCode);
        Assert.Contains("goroutine 1 [IO wait]:", output);
        Assert.Equal(script == "run-qemu.sh", (await errors).Contains("no end after 3 s", StringComparison.Ordinal));
    }

    [Fact]
    public void KVM_probe_finds_ring_0_good_under_emulation()
    {
        string directory = Directory.CreateTempSubdirectory("probe").FullName;
        Assert.Equal(0, Tool("gcc", $"-c -x assembler {Vm.Root}/iso/probe/probe.S -o {directory}/p.o"));
        Assert.Equal(0, Tool("ld", $"-Ttext=0x100000 -e probe -z max-page-size=4096 --no-warn-rwx-segments -N -o {directory}/p.elf {directory}/p.o"));
        Assert.Equal(33, Tool("timeout", $"20 qemu-system-x86_64 -accel tcg -cpu max -M q35 -m 64M -nodefaults -no-user-config -display none "
            + $"-no-reboot -bios qboot.rom -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel {directory}/p.elf"));
        Directory.Delete(directory, true);
    }

    private static int Tool(string program, string arguments)
    {
        using Process p = Process.Start(program, arguments);
        p.WaitForExit();
        return p.ExitCode;
    }

    private static (int Code, string Output, string Errors) Runner(string arguments, string input, string script = "run-qemu.sh")
    {
        var start = new ProcessStartInfo(Path.Combine(Vm.Root, script), arguments.Split(' '))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process p = Process.Start(start)!;
        Task<string> errors = p.StandardError.ReadToEndAsync();
        p.StandardInput.Write(input);
        p.StandardInput.Close();
        string output = p.StandardOutput.ReadToEnd();
        p.WaitForExit();
        return (p.ExitCode, output, errors.Result);
    }
}
