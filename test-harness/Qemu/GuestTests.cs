// Every in-kernel test as a test of its own, in QEMU and as a Linux process, on 1, 2 and 4 cores.
// One run makes them all; a test without a result fails.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using Unikernel.TestHarness;
using Unikernel.TestProtocol;
using Unikernel.Tests.Guest;
using Xunit;

namespace Unikernel.Tests.Qemu;

/// <summary>One run of the Guest image, shared by all its tests.</summary>
public abstract class GuestRun(BootRoute route, int cores) : IAsyncLifetime
{
    private const int Seconds = 300;

    public Dictionary<string, string> Results { get; } = [];     // name → failure text, empty = passed

    public List<string> Started { get; } = [];

    public int CorruptFrames { get; private set; }

    public bool IsComplete { get; private set; }

    public string Log { get; private set; } = "";

    public async Task InitializeAsync()
    {
        await using Vm vm = Vm.Start("Guest", "GREETING=from_the_command_line", route, memory: "1G", cores: cores);
        try
        {
            await vm.WaitForExit(Seconds);
            Log = vm.Log;
        }
        catch (VmException e)
        {
            Log = e.Message;
        }
        var decoder = new FrameDecoder();
        foreach (Frame f in decoder.Add(vm.SecondPort))
        {
            switch (f.Type)
            {
                case FrameType.Start:
                    Started.Add(f.Text);
                    break;
                case FrameType.Pass:
                    Results[f.Text] = "";
                    break;
                case FrameType.Fail:
                    string[] parts = f.Text.Split('\0', 2);
                    Results[parts[0]] = parts.Length > 1 && parts[1].Length > 0 ? parts[1] : "failed without a text";
                    break;
                case FrameType.Bye:
                    IsComplete = true;
                    break;
            }
        }
        decoder.End();
        CorruptFrames = decoder.CorruptFrames;
    }

    public Task DisposeAsync() => Task.CompletedTask;
}

public sealed class Qemu1() : GuestRun(BootRoute.Kernel, 1);

public sealed class Qemu2() : GuestRun(BootRoute.KernelHole, 2);

public sealed class Qemu4() : GuestRun(BootRoute.Kernel, 4);

public sealed class Linux1() : GuestRun(BootRoute.Linux, 1);

public sealed class Linux2() : GuestRun(BootRoute.Linux, 2);

public sealed class Linux4() : GuestRun(BootRoute.Linux, 4);

public sealed class Checked4() : GuestRun(BootRoute.Checked, 4);

public class GuestOnQemu1(Qemu1 run) : GuestResults(run), IClassFixture<Qemu1>;

public class GuestOnQemu2(Qemu2 run) : GuestResults(run), IClassFixture<Qemu2>;

public class GuestOnQemu4(Qemu4 run) : GuestResults(run), IClassFixture<Qemu4>;

public class GuestOnLinux1(Linux1 run) : GuestResults(run), IClassFixture<Linux1>;

public class GuestOnLinux2(Linux2 run) : GuestResults(run), IClassFixture<Linux2>;

public class GuestOnLinux4(Linux4 run) : GuestResults(run), IClassFixture<Linux4>;

public class GuestChecked4(Checked4 run) : GuestResults(run), IClassFixture<Checked4>
{
    [Theory]
    [InlineData(BootRoute.Checked, 2, "fatal error: lock order: taking chan while holding sched\n")]
    [InlineData(BootRoute.Linux, 0, "not noticed\n")]
    public async Task Locks_out_of_order_are_fatal_in_a_checked_build_and_cost_nothing_otherwise(BootRoute route, int code, string says)
    {
        await using Vm vm = Vm.Start("Guest", "break-lock-order", route);
        Assert.Equal(code, await vm.WaitForExit());
        Assert.StartsWith(says, vm.Log);
    }
}

public abstract class GuestResults(GuestRun run)
{
    private const int TailCharacters = 6000;

    public static TheoryData<string> Names()
    {
        string path = Path.Combine(Vm.Root, "test-harness", "Guest", "bin", "Release", "net10.0", "linux-x64", "Guest.dll");
        return [.. TestCase.Find(Assembly.LoadFrom(path)).Select(c => c.Name)];
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void In_the_guest(string name)
    {
        if (!run.Results.TryGetValue(name, out string? failure))
        {
            string how = run.Started.LastOrDefault() == name ? "the guest ended or hung in this test" : "the guest never reported it";
            Assert.Fail($"{how}; end of its console:\n{Tail()}");
        }
        Assert.True(failure.Length == 0, failure);
    }

    [Fact]
    public void The_report_arrived_whole()
    {
        Assert.Equal(0, run.CorruptFrames);
        Assert.True(run.IsComplete, Tail());
        Assert.Equal(run.Started.Count, run.Results.Count);
    }

    private string Tail() => run.Log.Length > TailCharacters ? run.Log[^TailCharacters..] : run.Log;
}
