// What of the timers the collector must find, and what it need not.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public unsafe class TimerRootTests
{
    private const nuint GoTimerBytes = 128;         // at least its size
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    private struct Search
    {
        internal nuint From;
        internal int Found;
    }

    [Fact]
    public void A_function_timer_is_a_root_while_it_runs()
    {
        GoTimer t = GoTime.AfterFunc(s_hour, () => { });
        Assert.Equal(1, Roots(t));
        t.Reset(2 * s_hour);
        Assert.Equal(1, Roots(t));
        t.Stop();
        Assert.Equal(0, Roots(t));
        var done = new Chan<int>();
        t = GoTime.AfterFunc(TimeSpan.FromMicroseconds(1), () => done.Send(1));
        _ = done.Receive();
        Assert.Equal(0, Roots(t));
    }

    [Fact]
    public void A_channel_timer_is_a_root_only_while_somebody_waits()
    {
        var t = new GoTimer(s_hour);
        Assert.Equal(0, Roots(t));
        t.C.TryReceive(out _, out _);
        Assert.Equal(0, Roots(t));
        var done = new Chan<int>();
        Go.Run(() =>
        {
            _ = t.C.Receive();
            done.Send(1);
        });
        Others.Settle();
        Assert.Equal(1, Roots(t));
        t.Stop();
        Assert.Equal(0, Roots(t));      // waits still, but for nothing
        t.Reset(s_hour);
        Assert.Equal(1, Roots(t));
        t.Reset(TimeSpan.FromMicroseconds(1));
        _ = done.Receive();
        Assert.Equal(0, Roots(t));
    }

    [Fact]
    public void A_ticker_leaves_the_heap_between_receives()
    {
        var t = new GoTimer(TimeSpan.FromMicroseconds(50), 50_000);
        for (int i = 0; i < 10; i++)
        {
            _ = t.C.Receive();
            Assert.Equal(0, Roots(t));
        }
    }

    private static int Roots(GoTimer t)
    {
        Search s;
        s.From = (nuint)Unsafe.As<GoTimer, nint>(ref t);
        s.Found = 0;
        Proc.StopTheWorld();
        Proc.ForEachTimerRoot(&Look, &s);
        Proc.StartTheWorld();
        return s.Found;
    }

    private static void Look(void* address, void* context)
    {
        Search* s = (Search*)context;
        if ((nuint)address - s->From < GoTimerBytes)
        {
            s->Found++;
        }
    }
}
