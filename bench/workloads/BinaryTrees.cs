// The benchmarks game's binary-trees, in one goroutine: a tree that lives long beside many that do not.
using System;
using System.Diagnostics;

namespace Unikernel.Bench;

internal static class BinaryTrees
{
    private const int LeastDepth = 4;

    private sealed class Tree(Tree? left, Tree? right)
    {
        internal long Count() => left == null || right == null ? 1 : 1 + left.Count() + right.Count();
    }

    private static Tree BottomUp(int depth) =>
        depth == 0 ? new Tree(null, null) : new Tree(BottomUp(depth - 1), BottomUp(depth - 1));

    // How many nodes a tree of a depth has.
    private static long Nodes(int depth) => (1L << (depth + 1)) - 1;

    internal static void Run(int depth)
    {
        long start = Stopwatch.GetTimestamp();
        Report.Check("stretch tree", BottomUp(depth + 1).Count(), Nodes(depth + 1));
        Tree longLived = BottomUp(depth);
        long peak = Report.MemoryInUse();
        for (int d = LeastDepth; d <= depth; d += 2)
        {
            int iterations = Report.AtLeast1((1 << (depth - d + LeastDepth)) / Program.Share);
            long sum = 0;
            for (int i = 0; i < iterations; i++)
            {
                sum += BottomUp(d).Count();
            }
            Report.Check("trees", sum, iterations * Nodes(d));
            peak = Math.Max(peak, Report.MemoryInUse());
        }
        Report.Check("long lived tree", longLived.Count(), Nodes(depth));
        Report.Row("wall", "time", "ms", Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        Report.Row("peak", "bytes", "B", peak);
    }
}
