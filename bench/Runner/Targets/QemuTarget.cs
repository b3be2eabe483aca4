// Both programs in the same emulated machine: ours is the kernel, Go's is the only program of a minimal Linux.
//
// Ours boots for every run. Linux takes longer to boot than most rows to run: it stays for all runs of a row, idle while
// ours runs, and starts Go's program for each of them; QEMU's translations of the code then stay as well. Only boot itself
// has a Linux of its own for every run.
using System;
using System.Collections.Generic;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Targets;

/// <param name="Initramfs">Holds Go's program as <c>/init</c>, see bench/guest.sh.</param>
internal sealed record LinuxGuest(string Kernel, string Initramfs);

internal sealed class QemuTarget(LinuxGuest? linux, SideProgram go, SideProgram ours, TimeSpan? timeout = null)
    : Target(go, ours, timeout)
{
    public const string Emulator = "qemu-system-x86_64";
    public const string Accelerator = "tcg";

    public LinuxGuest? Linux => linux;

    public override string Name => "qemu";

    /// <summary>Emulated, most of a run would go into making that heap.</summary>
    public override string? Refuses(string row) => row == Rows.LargestHeap ? "native only" : null;

    protected override int LeastMs => 200;

    protected override int Share => 100;

    protected override TimeSpan UsualTimeout => TimeSpan.FromSeconds(120);

    public override ProgramCommand Command(Side side, string row, int procs) => side == Side.Ours
        ? new(Emulator, [.. Machine(procs), .. OurBoot(row, procs)], row, Timeout, Exit.DebugExit, TimeToReady: row == Rows.Boot)
        : row == Rows.Boot
        ? new(Emulator, [.. Machine(procs), .. LinuxBoot(RowArguments(row, procs))], row, Timeout, Exit.Untold, TimeToReady: true)
        : new(Emulator, [.. Machine(procs), .. LinuxBoot(["serve"])], row, Timeout, Exit.Untold, TimeToReady: false,
            Request: string.Join(' ', RowArguments(row, procs)));

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

    // Linux's check that its timer ticks fails now and then when the host is busy, and then it panics: no_timer_check.
    // Go's program does not power off: it ends, Linux panics for want of its init, and -no-reboot ends QEMU.
    private string[] LinuxBoot(IReadOnlyList<string> arguments) =>
    [
        "-kernel", linux!.Kernel, "-initrd", linux.Initramfs,
        "-append", $"console=ttyS0 quiet panic=-1 no_timer_check -- {string.Join(' ', arguments)}",
    ];
}
