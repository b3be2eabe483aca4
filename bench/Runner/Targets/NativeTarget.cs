// Both programs as Linux executables on this machine.
using System;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Targets;

internal sealed class NativeTarget(SideProgram go, SideProgram ours, TimeSpan? timeout = null) : Target(go, ours, timeout)
{
    public override string Name => "native";

    protected override int LeastMs => 250;

    protected override int Share => 1;

    protected override TimeSpan UsualTimeout => TimeSpan.FromSeconds(60);

    public override string? Refuses(string row) => row == Rows.Boot ? "QEMU only" : null;

    public override ProgramCommand Command(Side side, string row, int procs) =>
        new(Program(side).Path!, side == Side.Go ? RowArguments(row, procs) : OurArguments(row, procs), row, Timeout,
            Exit.Own, TimeToReady: false);
}
