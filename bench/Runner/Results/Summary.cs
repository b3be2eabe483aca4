// What is kept of several runs' figures.
using System;
using System.Collections.Generic;
using System.Linq;
using Unikernel.Bench.Runner.Running;

namespace Unikernel.Bench.Runner.Results;

/// <param name="N">How many figures there were.</param>
internal sealed record Summary(double Median, double Min, double Max, int N)
{
    public static Summary? Of(IReadOnlyCollection<double> values)
    {
        if (values.Count == 0)
        {
            return null;
        }

        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Summary(median, sorted[0], sorted[^1], sorted.Length);
    }

    /// <summary>Our cost in terms of Go's: below 1 we are ahead, whatever the kind. Null if there is none.</summary>
    public static double? CostRatio(Kind kind, Summary? go, Summary? ours)
    {
        if (go is null || ours is null)
        {
            return null;
        }

        double ratio = kind == Kind.Rate ? go.Median / ours.Median : ours.Median / go.Median;
        return double.IsFinite(ratio) ? ratio : null;
    }
}
