// Power series computed by hundreds of goroutines that ask each other: Go's powser1.go.
using System;
using System.Linq;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public sealed class PowerSeriesTests : IDisposable
{
    private readonly int _before = Go.NumGoroutine;

    public void Dispose()
    {
        while (Go.NumGoroutine > _before)
        {
            PowerSeries.EndAll();       // some make new ones on their way to the end
            Go.Gosched();
        }
    }

    private static PowerSeries Ones() => PowerSeries.Of(_ => 1);

    private static PowerSeries X() => PowerSeries.Of(i => i == 1 ? 1 : 0);

    private static string First(PowerSeries s, int n = 10) => string.Join(' ', s.Take(n).Select(c => c.ToString()));

    [Fact]
    public void Sums_and_products()
    {
        Assert.Equal("2 2 2 2 2 2 2 2 2 2", First(Ones() + Ones()));
        Assert.Equal("1 2 3 4 5 6 7 8 9 10", First(Ones() * Ones()));
        Assert.Equal("1 3 6 10 15 21 28 36 45 55", First(Ones() * Ones() * Ones()));
        Assert.Equal("0 0 1 0 0 0 0 0 0 0", First(X() * X()));
    }

    [Fact]
    public void Derivatives_and_integrals()
    {
        Assert.Equal("1 2 3 4 5 6 7 8 9 10", First(Ones().Derivative()));
        Assert.Equal("0 1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9", First(Ones().Integral(0)));
        Assert.Equal("3 1 1 1 1 1 1 1 1 1", First(Ones().Derivative().Integral(3)));
    }

    [Fact]
    public void Series_that_are_made_of_themselves()
    {
        Assert.Equal("1 1 1/2 1/6 1/24 1/120 1/720 1/5040 1/40320 1/362880", First(X().Exp()));
        Assert.Equal("0 1 0 1/3 0 2/15 0 17/315 0 62/2835", First(PowerSeries.Solve(t => (PowerSeries.Of(i => i == 0 ? 1 : 0) + Squared(t)).Integral(0))));
        Assert.Equal("1 0 0 0 0 0 0 0 0 0", First(X().Exp() * ((Rational)(-1) * X()).Exp()));
    }

    [Fact]
    public void Inverses()
    {
        Assert.Equal("1 1 1 1 1 1 1 1 1 1", First((PowerSeries.Of(i => i == 0 ? 1 : i == 1 ? -1 : 0)).Inverse()));
        Assert.Equal("1 -1 0 0 0 0 0 0 0 0", First(Ones().Inverse()));
        Assert.Equal("1 -1 1/2 -1/6 1/24 -1/120 1/720 -1/5040 1/40320 -1/362880", First(X().Exp().Inverse()));
    }

    private static PowerSeries Squared(PowerSeries s)
    {
        (PowerSeries a, PowerSeries b) = s.Split();
        return a * b;
    }
}
