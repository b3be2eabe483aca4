// Tickers: Go's tick_test.go.
using System;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class TickerTests
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_ms = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void Ticks_keep_in_step_and_are_never_early()
    {
        TimeSpan start = GoTime.Now;
        var t = new GoTicker(s_ms);
        TimeSpan first = t.C.Receive();
        Assert.True(first >= start + s_ms);
        TimeSpan last = first;
        for (int i = 0; i < 20; i++)
        {
            TimeSpan tick = t.C.Receive();
            Assert.True(tick > last);
            Assert.Equal(0, (tick - first).Ticks % s_ms.Ticks);
            Assert.True(GoTime.Now >= tick);
            last = tick;
        }
        t.Stop();
    }

    [Fact]
    public void A_slow_receiver_gets_one_tick_for_all_it_missed()
    {
        var t = new GoTicker(s_ms);
        TimeSpan first = t.C.Receive();
        TimeSpan resume = GoTime.Now + (5 * s_ms);
        while (GoTime.Now < resume)
        {
            Go.Gosched();
        }
        Assert.Equal(0, t.C.Len);
        TimeSpan before = GoTime.Now;
        Assert.True(t.C.TryReceive(out TimeSpan missed, out bool ok));
        Assert.True(ok);
        Assert.InRange(missed, first + s_ms, before);
        TimeSpan next = t.C.Receive();
        Assert.True(next > before);                 // those between are gone
        Assert.Equal(0, (missed - first).Ticks % s_ms.Ticks);
        Assert.Equal(0, (next - first).Ticks % s_ms.Ticks);
        t.Stop();
    }

    [Fact]
    public void Stop_ends_the_ticks_and_leaves_none()
    {
        var t = new GoTicker(TimeSpan.FromMicroseconds(50));
        for (int i = 0; i < 50; i++)
        {
            _ = t.C.Receive();
            TimeSpan wait = GoTime.Now + TimeSpan.FromMicroseconds(60);
            while (GoTime.Now < wait)
            {
            }
            t.Stop();                               // a tick is due now
            Assert.False(t.C.TryReceive(out _, out _));
            t.Stop();
            t.Reset(TimeSpan.FromMicroseconds(50));
        }
    }

    [Fact]
    public void Reset_changes_the_period()
    {
        var t = new GoTicker(s_hour);
        TimeSpan start = GoTime.Now;
        t.Reset(s_ms);
        TimeSpan first = t.C.Receive();
        Assert.True(first >= start + s_ms);
        start = GoTime.Now;
        t.Reset(2 * s_ms);
        first = t.C.Receive();
        Assert.True(first >= start + (2 * s_ms));
        Assert.Equal(0, (t.C.Receive() - first).Ticks % (2 * s_ms).Ticks);
        t.Stop();
    }

    [Fact]
    public void Waiting_receivers_are_stopped_and_go_on_after_Reset()
    {
        var t = new GoTicker(s_ms);
        var got = new Chan<TimeSpan>(1);
        Go.Run(() =>
        {
            t.Stop();
            got.Send(t.C.Receive());
        });
        Others.Settle();
        TimeSpan start = GoTime.Now;
        t.Reset(s_ms);
        Assert.True(got.Receive() >= start + s_ms);
        t.Stop();
    }

    [Fact]
    public void Each_tick_goes_to_one_of_many_receivers()
    {
        const int receivers = 4;
        const int each = 100;
        var t = new GoTicker(TimeSpan.FromMicroseconds(20));
        long sum = 0;
        var wg = new WaitGroup();
        var ticks = new Chan<TimeSpan>(receivers * each);
        for (int i = 0; i < receivers; i++)
        {
            wg.Go(() =>
            {
                for (int n = 0; n < each; n++)
                {
                    ticks.Send(t.C.Receive());
                    Interlocked.Increment(ref sum);
                }
            });
        }
        wg.Wait();
        t.Stop();
        Assert.Equal(receivers * each, sum);
        var seen = new System.Collections.Generic.HashSet<long>();
        while (ticks.TryReceive(out TimeSpan tick, out _))
        {
            Assert.True(seen.Add(tick.Ticks));
        }
        Assert.Equal(receivers * each, seen.Count);
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(-1L)]
    [InlineData(long.MinValue)]
    public void Non_positive_periods(long ticks)
    {
        var period = new TimeSpan(ticks);
        Assert.Equal("non-positive interval for NewTicker", Assert.Throws<GoPanicException>(() => new GoTicker(period)).Message);
        var t = new GoTicker(s_hour);
        Assert.Equal("non-positive interval for Ticker.Reset", Assert.Throws<GoPanicException>(() => t.Reset(period)).Message);
        Assert.True(GoTime.Tick(period).IsNil);
        t.Stop();
    }

    [Fact]
    public void Tick()
    {
        ReceiveChan<TimeSpan> c = GoTime.Tick(s_ms);
        TimeSpan first = c.Receive();
        Assert.True(c.Receive() > first);
    }

    [Fact]
    public void The_longest_period_does_not_wrap()
    {
        var t = new GoTicker(TimeSpan.MaxValue);
        Go.Sleep(s_ms);
        Assert.False(t.C.TryReceive(out _, out _));
        t.Stop();
    }
}
