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

/// <param name="timeout">Of each run, instead of the target's own.</param>
internal abstract class Target(SideProgram go, SideProgram ours, TimeSpan? timeout)
{
    public abstract string Name { get; }

    /// <summary>The least time of a measurement in the rows per operation.</summary>
    protected abstract int LeastMs { get; }

    /// <summary>binarytrees makes one tree in so many.</summary>
    protected abstract int Share { get; }

    protected abstract TimeSpan UsualTimeout { get; }

    protected TimeSpan Timeout => timeout ?? UsualTimeout;

    public SideProgram Program(Side side) => side == Side.Go ? go : ours;

    /// <summary>Why this target cannot measure a row; null if it can.</summary>
    public virtual string? Refuses(string row) => null;

    public abstract ProgramCommand Command(Side side, string row, int procs);

    /// <summary>The arguments both programs take.</summary>
    protected IReadOnlyList<string> RowArguments(string row, int procs) => [row, $"{procs}", $"{LeastMs}", $"{Share}"];

    /// <summary>Ours takes its number of cores as a kernel argument as well, as a Go program takes it from its environment.</summary>
    protected IReadOnlyList<string> OurArguments(string row, int procs) =>
        [$"GOMAXPROCS={procs}", .. RowArguments(row, procs)];
}
