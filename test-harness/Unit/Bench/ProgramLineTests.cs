// What the benchmark programs print, and what only looks like it.
using System.Globalization;
using CsCheck;
using Unikernel.Bench.Runner.Running;
using Xunit;

namespace Unikernel.Tests.Bench;

public class ProgramLineTests
{
    [Theory]
    [InlineData("@row mutex - time ns 12.5", "-", "Time", "ns", 12.5)]
    [InlineData("@row mutex  p99   time ns 1e3", "p99", "Time", "ns", 1000)]
    [InlineData("@row mutex heap bytes B 67108864", "heap", "Bytes", "B", 67108864)]
    [InlineData("@row mutex - rate req/s 0", "-", "Rate", "req/s", 0)]
    [InlineData("@row mutex - time ns 12.5\r", "-", "Time", "ns", 12.5)]
    [InlineData("\u001bc\u001b[?7l\u001b[2J@row mutex - time ns 12.5", "-", "Time", "ns", 12.5)]
    public void A_row_is_read(string text, string metric, string kind, string unit, double value)
    {
        var row = Assert.IsType<ProgramLine.Row>(ProgramLine.Parse(text));
        Assert.Equal("mutex", row.Name);
        Assert.Equal(metric, row.Metric);
        Assert.Equal(kind, row.Kind.ToString());
        Assert.Equal(unit, row.Unit);
        Assert.Equal(value, row.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@")]
    [InlineData("row mutex - time ns 1")]
    [InlineData("@row")]
    [InlineData("@row mutex - time ns")]
    [InlineData("@row mutex - time ns 1 2")]
    [InlineData("@row mutex - speed ns 1")]
    [InlineData("@row mutex - time ns fast")]
    [InlineData("@row mutex - time ns NaN")]
    [InlineData("@row mutex - time ns Infinity")]
    [InlineData("@row mutex - time ns -1")]
    [InlineData("@row mutex - time ns 1,5")]
    [InlineData("@ready now")]
    [InlineData("@skip")]
    [InlineData("@fail")]
    [InlineData("@end")]
    [InlineData("@end well")]
    [InlineData("@end -1")]
    [InlineData("@else mutex")]
    [InlineData("note: @row mutex - time ns 1")]
    public void Anything_else_is_no_line(string text) => Assert.Null(ProgramLine.Parse(text));

    [Fact]
    public void Skip_and_fail_carry_their_reason()
    {
        Assert.Equal(new ProgramLine.Skip("http_64", "no network here"), ProgramLine.Parse("@skip http_64 no network here"));
        Assert.Equal(new ProgramLine.Fail("nbody", "energy is 1, not 2"), ProgramLine.Parse("@fail nbody energy is 1, not 2\r"));
        Assert.Equal(new ProgramLine.Skip("http_64", ""), ProgramLine.Parse("@skip http_64"));
        Assert.IsType<ProgramLine.Ready>(ProgramLine.Parse("@ready\r"));
        Assert.Equal(new ProgramLine.End(2), ProgramLine.Parse("@end 2\r"));
    }

    [Fact]
    public void No_text_is_too_odd() => Gen.String.Sample(t =>
    {
        ProgramLine.Parse(t);
        ProgramLine.Parse("@row " + t);
    });

    [Fact]
    public void Every_figure_survives_its_line() => Gen.Double[0, 1e18].Sample(value =>
        Assert.Equal(value, Assert.IsType<ProgramLine.Row>(
            ProgramLine.Parse("@row a b time ns " + value.ToString(CultureInfo.InvariantCulture))).Value));
}
