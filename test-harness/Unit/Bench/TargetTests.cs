// The commands the two programs are run with.
using System;
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
        Assert.Equal(["mutex", "2", "250", "1"], target.Command(Side.Go, "mutex", 2).Arguments);
        Assert.Equal(["GOMAXPROCS=2", "mutex", "2", "250", "1"], target.Command(Side.Ours, "mutex", 2).Arguments);
        Assert.Equal("QEMU only", target.Refuses(Rows.Boot));
        Assert.Null(target.Refuses("mutex"));
        Assert.Null(target.Command(Side.Go, "mutex", 2).Request);
    }

    [Fact]
    public void In_qemu_both_have_the_same_machine()
    {
        var target = new QemuTarget(new LinuxGuest("/vmlinuz", "/initramfs"), SideProgram.At("/go"), SideProgram.At("/ours"));
        ProgramCommand go = target.Command(Side.Go, "mutex", 2);
        ProgramCommand ours = target.Command(Side.Ours, "mutex", 2);
        string goLine = string.Join(' ', go.Arguments);
        string ourLine = string.Join(' ', ours.Arguments);
        Assert.EndsWith("-append console=ttyS0 quiet panic=-1 no_timer_check -- serve", goLine, System.StringComparison.Ordinal);
        Assert.EndsWith("-kernel /ours -append tty=0 GOMAXPROCS=2 mutex 2 200 100", ourLine, System.StringComparison.Ordinal);
        Assert.All([goLine, ourLine], l => Assert.Contains("-M q35 -accel tcg -cpu max -smp 2 -m 4G", l));
        Assert.False(go.TimeToReady || ours.TimeToReady);
        Assert.Equal((Exit.Untold, Exit.DebugExit), (go.Exit, ours.Exit));
        Assert.Equal(("mutex 2 200 100", null), (go.Request, ours.Request));
        Assert.Null(target.Refuses("mutex"));
        Assert.Equal("native only", target.Refuses("gc_live_1g"));
    }

    [Fact]
    public void Both_boot_for_every_run_of_boot()
    {
        var target = new QemuTarget(new LinuxGuest("/vmlinuz", "/initramfs"), SideProgram.At("/go"), SideProgram.At("/ours"));
        Assert.All([Side.Go, Side.Ours], side =>
        {
            ProgramCommand command = target.Command(side, Rows.Boot, 1);
            Assert.True(command.TimeToReady);
            Assert.Null(command.Request);
        });
        Assert.EndsWith("-- boot 1 200 100", string.Join(' ', target.Command(Side.Go, Rows.Boot, 1).Arguments), System.StringComparison.Ordinal);
    }

    [Fact]
    public void A_time_limit_replaces_the_targets_own()
    {
        SideProgram program = SideProgram.At("/program");
        Assert.Equal(TimeSpan.FromSeconds(60), new NativeTarget(program, program).Command(Side.Go, "mutex", 1).Timeout);
        Assert.Equal(TimeSpan.FromSeconds(7), new NativeTarget(program, program, TimeSpan.FromSeconds(7)).Command(Side.Go, "mutex", 1).Timeout);
    }

    [Fact]
    public void The_machine_is_named_from_its_own_files()
    {
        Assert.Equal("Some CPU @ 3 GHz", Unikernel.Bench.Runner.Results.Machine.CpuModel("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags : a\n"));
        Assert.Equal("unknown", Unikernel.Bench.Runner.Results.Machine.CpuModel(""));
        Assert.Equal("10.0.12", Unikernel.Bench.Runner.Results.Machine.Ilc("<ILCompilerVersion>10.0.12</ILCompilerVersion>"));
    }
}
