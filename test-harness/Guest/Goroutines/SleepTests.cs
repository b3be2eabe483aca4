// Go's sleep_test.go.
using System;
using System.Diagnostics;
using System.Linq;
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

    // In order unless a core was held up for longer than lies between two; as in Go's tests, a longer distance is tried then.
    [Fact]
    public void Shorter_sleeps_end_first()
    {
        int[] slots = [5, 1, 4, 2, 3];
        int[] seen = [];
        for (int ms = 10; ms < 1000 && !seen.SequenceEqual(slots.Order()); ms *= 2)
        {
            var order = new Chan<int>(slots.Length);
            foreach (int slot in slots)
            {
                Go.Run(() =>
                {
                    Go.Sleep(TimeSpan.FromMilliseconds(slot * ms));
                    order.Send(slot);
                });
            }
            seen = [.. slots.Select(_ => order.Receive())];
        }
        Assert.Equal([.. slots.Order()], seen);
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
