// The commands the two programs are run with.
using Unikernel.Bench.Runner;
using Unikernel.Bench.Runner.Running;
using Unikernel.Bench.Runner.Targets;
using Xunit;

namespace Unikernel.Tests.Bench;

public class TargetTests
{
    [Fact]
    public void Natively_ours_takes_its_cores_as_a_kernel_argument_too()
    {
        var target = new NativeTarget(SideProgram.At("/go"), SideProgram.At("/ours"));
        Assert.Equal(["mutex", "2", "1"], target.Command(Side.Go, "mutex", 2).Arguments);
        Assert.Equal(["GOMAXPROCS=2", "mutex", "2", "1"], target.Command(Side.Ours, "mutex", 2).Arguments);
        Assert.Equal("QEMU only", target.Refuses(Rows.Boot));
        Assert.Null(target.Refuses("mutex"));
    }

    [Fact]
    public void In_qemu_both_have_the_same_machine()
    {
        var target = new QemuTarget(new LinuxGuest("/vmlinuz", "/initramfs"), SideProgram.At("/go"), SideProgram.At("/ours"));
        ProgramCommand go = target.Command(Side.Go, "mutex", 2);
        ProgramCommand ours = target.Command(Side.Ours, "mutex", 2);
        string goLine = string.Join(' ', go.Arguments);
        string ourLine = string.Join(' ', ours.Arguments);
        Assert.EndsWith("-append console=ttyS0 quiet panic=-1 -- mutex 2 20", goLine, System.StringComparison.Ordinal);
        Assert.EndsWith("-kernel /ours -append tty=0 GOMAXPROCS=2 mutex 2 20", ourLine, System.StringComparison.Ordinal);
        Assert.All([goLine, ourLine], l => Assert.Contains("-M q35 -accel tcg -cpu max -smp 2 -m 4G", l));
        Assert.False(go.TimeToReady || ours.TimeToReady);
        Assert.Equal((Exit.Untold, Exit.DebugExit), (go.Exit, ours.Exit));
        Assert.True(target.Command(Side.Ours, Rows.Boot, 1).TimeToReady);
    }

    [Fact]
    public void The_machine_is_named_from_its_own_files()
    {
        Assert.Equal("Some CPU @ 3 GHz", Unikernel.Bench.Runner.Results.Machine.CpuModel("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags : a\n"));
        Assert.Equal("unknown", Unikernel.Bench.Runner.Results.Machine.CpuModel(""));
        Assert.Equal("10.0.12", Unikernel.Bench.Runner.Results.Machine.Ilc("<ILCompilerVersion>10.0.12</ILCompilerVersion>"));
    }
}
