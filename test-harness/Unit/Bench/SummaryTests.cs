// Medians and ratios.
using System.Linq;
using CsCheck;
using Unikernel.Bench.Runner.Results;
using Unikernel.Bench.Runner.Running;
using Xunit;

namespace Unikernel.Tests.Bench;

public class SummaryTests
{
    [Fact]
    public void The_median_is_the_middle_or_the_mean_of_the_two()
    {
        Assert.Equal(new Summary(2, 1, 9, 3), Summary.Of([9, 1, 2]));
        Assert.Equal(new Summary(2.5, 1, 9, 4), Summary.Of([9, 2, 1, 3]));
        Assert.Equal(new Summary(7, 7, 7, 1), Summary.Of([7]));
        Assert.Null(Summary.Of([]));
    }

    [Fact]
    public void Half_lie_on_either_side_of_the_median() => Gen.Double[0, 1000].Array[1, 20].Sample(values =>
    {
        Summary summary = Summary.Of(values)!;
        Assert.True(values.Count(v => v <= summary.Median) * 2 >= values.Length);
        Assert.True(values.Count(v => v >= summary.Median) * 2 >= values.Length);
        Assert.Equal(values.Min(), summary.Min);
        Assert.Equal(values.Max(), summary.Max);
    });

    [Fact]
    public void The_ratio_is_a_cost_whatever_the_kind()
    {
        Summary? go = Summary.Of([100]);
        Summary? ours = Summary.Of([50]);
        Assert.Equal(0.5, Summary.CostRatio(Kind.Time, go, ours));
        Assert.Equal(0.5, Summary.CostRatio(Kind.Bytes, go, ours));
        Assert.Equal(2, Summary.CostRatio(Kind.Rate, go, ours));
    }

    [Fact]
    public void Without_both_sides_or_of_nothing_there_is_no_ratio()
    {
        Summary? some = Summary.Of([1]);
        Summary? zero = Summary.Of([0]);
        Assert.Null(Summary.CostRatio(Kind.Time, null, some));
        Assert.Null(Summary.CostRatio(Kind.Time, some, null));
        Assert.Null(Summary.CostRatio(Kind.Time, zero, some));
        Assert.Null(Summary.CostRatio(Kind.Rate, some, zero));
        Assert.Null(Summary.CostRatio(Kind.Time, zero, zero));
    }
}
