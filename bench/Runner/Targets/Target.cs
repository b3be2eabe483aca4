// Where the two programs run.
using System;
using System.Collections.Generic;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Targets;

internal enum Side
{
    Go,
    Ours,
}

/// <summary>A side's program on a target, or why there is none.</summary>
internal readonly record struct SideProgram(string? Path, string? Missing)
{
    public static SideProgram At(string path) => new(path, null);

    public static SideProgram None(string why) => new(null, why);
}

internal abstract class Target(SideProgram go, SideProgram ours)
{
    public abstract string Name { get; }

    /// <summary>The programs' workloads are divided by it.</summary>
    protected abstract int Scale { get; }

    protected abstract TimeSpan Timeout { get; }

    public SideProgram Program(Side side) => side == Side.Go ? go : ours;

    /// <summary>Why this target cannot measure a row; null if it can.</summary>
    public virtual string? Refuses(string row) => null;

    public abstract ProgramCommand Command(Side side, string row, int procs);

    /// <summary>The arguments both programs take.</summary>
    protected IReadOnlyList<string> RowArguments(string row, int procs) => [row, $"{procs}", $"{Scale}"];

    /// <summary>Ours takes its number of cores as a kernel argument as well, as a Go program takes it from its environment.</summary>
    protected IReadOnlyList<string> OurArguments(string row, int procs) =>
        [$"GOMAXPROCS={procs}", .. RowArguments(row, procs)];
}
