// Both programs in the same emulated machine: ours is the kernel, Go's is the only process of a minimal Linux.
using System;
using System.Collections.Generic;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Targets;

/// <param name="Initramfs">Holds Go's program as <c>/init</c>, see bench/guest.sh.</param>
internal sealed record LinuxGuest(string Kernel, string Initramfs);

internal sealed class QemuTarget(LinuxGuest? linux, SideProgram go, SideProgram ours) : Target(go, ours)
{
    public const string Emulator = "qemu-system-x86_64";
    public const string Accelerator = "tcg";

    public LinuxGuest? Linux => linux;

    public override string Name => "qemu";

    protected override int Scale => 20;

    protected override TimeSpan Timeout => TimeSpan.FromSeconds(180);

    public override ProgramCommand Command(Side side, string row, int procs) =>
        new(Emulator, [.. Machine(procs), .. side == Side.Go ? LinuxBoot(row, procs) : OurBoot(row, procs)], row, Timeout,
            side == Side.Go ? Exit.Untold : Exit.DebugExit, TimeToReady: row == Rows.Boot);

    // As ./run-qemu.sh --boot kernel --print-command has it, and no more.
    private static string[] Machine(int procs) =>
    [
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-M", "q35", "-accel", Accelerator,
        "-cpu", "max", "-smp", $"{procs}", "-m", "4G",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
    ];

    private string[] OurBoot(string row, int procs) =>
    [
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-kernel", Program(Side.Ours).Path!, "-append", string.Join(' ', (IEnumerable<string>)["tty=0", .. OurArguments(row, procs)]),
    ];

    // Go's program does not power off: it ends, Linux panics for want of its init, and -no-reboot ends QEMU.
    private string[] LinuxBoot(string row, int procs) =>
    [
        "-kernel", linux!.Kernel, "-initrd", linux.Initramfs,
        "-append", $"console=ttyS0 quiet panic=-1 -- {string.Join(' ', RowArguments(row, procs))}",
    ];
}
