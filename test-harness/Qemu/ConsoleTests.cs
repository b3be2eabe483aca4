// Looking into the kernel through its console: Ctrl-\, ps, mpg, GODEBUG, and what bad kernel arguments get.
using System;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using Unikernel.TestHarness;
using Xunit;

namespace Unikernel.Tests.Qemu;

public class ConsoleTests
{
    private const string Prompt = "unikernel> ";
    private const string CtrlBackslash = "\u001c";

    public static TheoryData<BootRoute, int> Machines()
    {
        var data = new TheoryData<BootRoute, int>();
        foreach (int cores in new[] { 1, 2, 4 })
        {
            data.Add(BootRoute.Kernel, cores);
            data.Add(BootRoute.Linux, cores);
        }
        return data;
    }

    private static string Text(Vm vm) => vm.Log.Replace("\r", "", StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task CtrlBackslash_shows_all_goroutines_when_every_core_computes_and_nobody_reads(BootRoute route, int cores)
    {
        await using Vm vm = Vm.Start("shell", "tty=1", route, cores: cores);
        await vm.Expect(Prompt);
        await vm.Send("crash hang\r");
        await vm.Expect("computes for ever");
        await vm.Send(CtrlBackslash);
        Assert.Equal(2, await vm.WaitForExit(60));
        string log = Text(vm);
        // It may come in the middle of a line, and while core 0 is still on its way to one of those who compute.
        Assert.True(Regex.IsMatch(log, @"\^\\SIGQUIT: quit\nPC=0x[0-9a-f]+ m=0\n\n(goroutine \d+ \[|runtime stack:\n)"), log);
        Assert.Equal(cores, Regex.Count(log, @"goroutine \d+ \[(running|runnable)\]:\n"));
        Assert.Matches(@"goroutine 1 \[\w+\]:\n(.*\n)*?Unikernel\.Samples\.Crash\.", log);
        Assert.DoesNotContain("stack unavailable", log);
        Assert.Matches(@"\nrip [0-9a-f]{16} ", log);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task CtrlBackslash_at_the_prompt_of_an_idle_machine(BootRoute route, int cores)
    {
        await using Vm vm = Vm.Start("shell", "tty=1", route, cores: cores);
        await vm.Expect(Prompt);
        await vm.Send("half a line" + CtrlBackslash);
        Assert.Equal(2, await vm.WaitForExit(60));
        Assert.Contains("^\\SIGQUIT: quit\nPC=0x", Text(vm));
        Assert.Single(Regex.Matches(Text(vm), @"goroutine \d+ \["));
        Assert.Contains("goroutine 1 [", Text(vm));
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task CtrlBackslash_in_a_pipe_is_a_byte_like_any(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", "", route);
        await vm.Send(CtrlBackslash + "x\nexit 9\n");
        Assert.Equal(9, await vm.WaitForExit());
        Assert.Equal("\\u001cx: no such command; help lists them\n", vm.Log);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Schedtrace_comes_on_time_while_every_core_computes(BootRoute route, int cores)
    {
        const int everyMs = 40;
        await using Vm vm = Vm.Start("shell", $"GODEBUG=schedtrace={everyMs}", route, cores: cores);
        await vm.Send("crash hang\n");
        await vm.Expect("computes for ever");
        for (int i = 0; i < 4; i++)
        {
            await vm.Expect("SCHED ");
            await vm.Expect("]\n");
        }
        string numbers = string.Concat(Enumerable.Repeat(@"\d+ ", cores));
        MatchCollection lines = Regex.Matches(Text(vm),
            @"^SCHED (\d+)ms: gomaxprocs=" + cores + @" idleprocs=\d+ threads=" + cores + @" spinningthreads=\d+ needspinning=\d+ idlethreads=\d+ runqueue=\d+ \[ "
            + numbers + @"\] schedticks=\[ " + numbers + @"\]$", RegexOptions.Multiline);
        Assert.True(lines.Count >= 4, Text(vm));
        Assert.Equal(Regex.Count(Text(vm), "SCHED .*]\n"), lines.Count);
        Assert.Equal("0", lines[0].Groups[1].Value);
        for (int i = 1; i < lines.Count; i++)
        {
            long apart = Ms(lines[i]) - Ms(lines[i - 1]);
            Assert.True(apart >= everyMs, $"early: {apart} ms");
        }

        static long Ms(Match m) => long.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Scheddetail_adds_every_P_M_and_G(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", "GODEBUG=schedtrace=100,scheddetail=1", route, cores: 2);
        await vm.Expect("runqueue=0 gcwaiting=false nmidlelocked=0 stopwait=0 sysmonwait=false\n");
        await vm.Expect("  G1: status=4(IO wait) m=nil lockedm=nil\n");
        await vm.Send("exit 4\n");
        Assert.Equal(4, await vm.WaitForExit());
        Assert.Matches(@"\n  P0: status=[013] schedtick=\d+ syscalltick=0 m=(0|nil) runqsize=\d+ gfreecnt=\d+ timerslen=\d+\n  P1: ", Text(vm));
        Assert.Matches(@"\n  M0: p=(0|nil) curg=(\d+|nil) mallocing=0 throwing=0 preemptoff= locks=\d+ dying=0 spinning=(true|false) blocked=(true|false) lockedg=nil\n  M1: ", Text(vm));
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Schedtrace_hides_no_deadlock(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", "GODEBUG=schedtrace=20", route, cores: 2);
        await vm.Send("crash deadlock\n");
        Assert.Equal(2, await vm.WaitForExit(60));
        Assert.Contains("fatal error: all goroutines are asleep - deadlock!", Text(vm));
    }

    [Theory]
    [InlineData("GODEBUG=nonsense=1", "unikernel: GODEBUG: nonsense=1 is not a key of this kernel: ignored\n")]
    [InlineData("GODEBUG=schedtrace=often", "unikernel: GODEBUG: schedtrace=often wants a number from 0 to 2147483647: ignored\n")]
    [InlineData("GOMAXPROCS=0", "unikernel: GOMAXPROCS wants a number from 1: using 2\n")]
    [InlineData("GOMAXPROCS=-1", "unikernel: GOMAXPROCS wants a number from 1: using 2\n")]
    [InlineData("GOMAXPROCS=two", "unikernel: GOMAXPROCS wants a number from 1: using 2\n")]
    [InlineData("GOMAXPROCS=", "unikernel: GOMAXPROCS wants a number from 1: using 2\n")]
    [InlineData("GOMAXPROCS=99999999999999999999", "unikernel: GOMAXPROCS wants a number from 1: using 2\n")]
    [InlineData("GOMAXPROCS=1000", "unikernel: GOMAXPROCS is more than the cores there are: using 2\n")]
    public async Task Bad_kernel_arguments_are_one_clear_line_and_the_default(string argument, string line)
    {
        await using Vm vm = Vm.Start("shell", argument, BootRoute.Linux, cores: 2);
        await vm.Send("mpg once\nexit 5\n");
        Assert.Equal(5, await vm.WaitForExit());
        Assert.StartsWith(line + "Go's M:P:G on 2 cores, GOMAXPROCS 2,", Text(vm));
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Busy_goroutines_get_every_core_and_ps_says_where_they_are(BootRoute route, int cores)
    {
        await using Vm vm = Vm.Start("shell", "", route, cores: cores);
        await vm.Send($"busy {2 * cores}\n");
        string picture;
        do
        {
            int before = vm.Log.Length;
            await vm.Send("mpg once\n");
            await vm.Expect("waiting           ");
            picture = Text(vm)[before..];
        }
        while (Regex.Count(picture, "● running") < cores);      // the cores wake up one after the other
        await vm.Send("ps\nexit 6\n");
        Assert.Equal(6, await vm.WaitForExit());
        Assert.Matches(@"\n +1  running +\d+ m?s  M\d   PrintGorouti\S* SchedulerView\.cs:\d+\n", Text(vm));
        Assert.Equal(2 * cores, Regex.Count(Text(vm), @"\n +\d+  (running|runnable) +\d+(\.\d)? m?s  [MP]\d   (Crash\.Compute Crash|new at SchedulerView)\.cs:\d+(?=\n)"));
    }

    [Theory]
    [InlineData(BootRoute.Kernel)]
    [InlineData(BootRoute.Linux)]
    public async Task Mpg_redraws_in_place_until_a_key(BootRoute route)
    {
        await using Vm vm = Vm.Start("shell", "tty=1", route, cores: 2);
        await vm.Expect(Prompt);
        await vm.Send("mpg\r");
        for (int i = 0; i < 3; i++)
        {
            await vm.Expect("Go's M:P:G on 2 cores");
            await vm.Expect("any key ends");
            await vm.Expect("\e[J");
        }
        Assert.Contains("\e[15A", vm.Log);                      // up over the lines drawn before
        await vm.Send("q");
        await vm.Expect(Prompt);
        await vm.Send("exit 8\r");
        Assert.Equal(8, await vm.WaitForExit());
    }

    [Theory]
    [InlineData(BootRoute.Kernel, 1)]
    [InlineData(BootRoute.Kernel, 4)]
    [InlineData(BootRoute.Linux, 4)]
    public async Task An_idle_machine_uses_less_than_a_hundredth_of_a_core(BootRoute route, int cores)
    {
        await using Vm vm = Vm.Start("shell", "tty=1", route, cores: cores);
        await vm.Expect(Prompt);
        await vm.Send("sieve 50\r");                            // has run, and is idle again
        await vm.Expect("229");
        await vm.Expect(Prompt);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        TimeSpan before = vm.CpuTime;
        await Task.Delay(TimeSpan.FromSeconds(10));             // the measurement, not synchronisation
        TimeSpan used = vm.CpuTime - before;
        Assert.True(used < watch.Elapsed / 100, $"{used.TotalMilliseconds} ms of {watch.Elapsed.TotalMilliseconds} ms");
    }
}
