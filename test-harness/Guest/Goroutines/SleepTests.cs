// Go's sleep_test.go.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class SleepTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    [InlineData(999)]
    [InlineData(1000)]
    [InlineData(7001)]
    [InlineData(20_000)]
    public void Never_early(int microseconds)
    {
        TimeSpan d = TimeSpan.FromMicroseconds(microseconds);
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Go.Sleep(d);
            Assert.True(Stopwatch.GetElapsedTime(start) >= d);
        }
    }

    [Fact]
    public void Zero_and_less_return_at_once()
    {
        long start = Stopwatch.GetTimestamp();
        Go.Sleep(TimeSpan.Zero);
        Go.Sleep(TimeSpan.FromSeconds(-1));
        Go.Sleep(TimeSpan.MinValue);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void The_longest_sleep_does_not_wrap()
    {
        bool isOver = false;
        Go.Run(() =>
        {
            Go.Sleep(TimeSpan.MaxValue);
            isOver = true;
        });
        Go.Sleep(TimeSpan.FromMilliseconds(20));
        Assert.False(isOver);
    }

    [Fact]
    public void Shorter_sleeps_end_first()
    {
        int[] ms = [50, 10, 40, 20, 30];
        var order = new List<int>();
        var wg = new WaitGroup();
        foreach (int d in ms)
        {
            wg.Go(() =>
            {
                Go.Sleep(TimeSpan.FromMilliseconds(d));
                order.Add(d);
            });
        }
        wg.Wait();
        Assert.Equal("10 20 30 40 50", string.Join(' ', order));
    }

    [Fact]
    public void A_thousand_sleepers_at_once()
    {
        var random = new Random(1);
        int early = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 1000; i++)
        {
            TimeSpan d = TimeSpan.FromMicroseconds(random.Next(30_000));
            wg.Go(() =>
            {
                long start = Stopwatch.GetTimestamp();
                Go.Sleep(d);
                if (Stopwatch.GetElapsedTime(start) < d)
                {
                    early++;
                }
            });
        }
        wg.Wait();
        Assert.Equal(0, early);
    }

    [Fact]
    public void Sleepers_wake_while_others_compute()
    {
        bool isOver = false;
        Go.Run(() =>
        {
            Go.Sleep(TimeSpan.FromMilliseconds(5));
            isOver = true;
        });
        long start = Stopwatch.GetTimestamp();
        while (!isOver && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5))
        {
            Go.Gosched();
        }
        Assert.True(isOver);
    }
}
