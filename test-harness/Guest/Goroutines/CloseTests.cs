// Go's closedchan.go, nonblock.go and the nil channel's rows of select3.go, as far as they need no select.
using System;
using System.Collections.Generic;
using System.Threading;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class CloseTests
{
    private static string PanicOf(Action action) => Assert.Throws<GoPanicException>(action).Message;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    public void Closed_and_empty_channel_receives_zero_at_once(int capacity)
    {
        var c = new Chan<int>(capacity);
        c.Close();
        for (int i = 0; i < 3; i++)
        {
            Assert.False(c.Receive(out int v));
            Assert.Equal(0, v);
            Assert.True(c.TryReceive(out v, out bool ok));
            Assert.False(ok);
            Assert.Equal(0, v);
            Assert.Equal(0, c.Receive());
        }
    }

    [Fact]
    public void Buffered_values_are_received_before_the_close_shows()
    {
        var c = new Chan<string>(3);
        c.Send("a");
        c.Send("b");
        c.Close();
        Assert.True(c.Receive(out string? v));
        Assert.Equal("a", v);
        Assert.True(c.TryReceive(out v, out bool ok));
        Assert.True(ok);
        Assert.Equal("b", v);
        Assert.False(c.Receive(out v));
        Assert.Null(v);
    }

    [Fact]
    public void Misuse_panics_with_the_texts_of_Go()
    {
        var c = new Chan<int>(5);
        c.Close();
        Assert.Equal("send on closed channel", PanicOf(() => c.Send(1)));
        Assert.Equal("send on closed channel", PanicOf(() => c.TrySend(1)));
        Assert.Equal("close of closed channel", PanicOf(c.Close));
        Assert.Equal("close of nil channel", PanicOf(() => default(Chan<int>).Close()));
    }

    [Fact]
    public void Close_wakes_every_waiting_receiver()
    {
        var c = new Chan<int>();
        var done = new Chan<int>(3);
        for (int i = 0; i < 3; i++)
        {
            int number = i;
            Go.Run(() => done.Send(c.Receive(out int v) ? -1 : number + v));
        }
        Others.Settle();
        Assert.Equal(0, done.Len);
        c.Close();
        var seen = new SortedSet<int>();
        for (int i = 0; i < 3; i++)
        {
            seen.Add(done.Receive());
        }
        Assert.Equal("0 1 2", string.Join(' ', seen));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Close_panics_every_waiting_sender(int capacity)
    {
        var c = new Chan<int>(capacity);
        for (int i = 0; i < capacity; i++)
        {
            c.Send(i);
        }
        var texts = new Chan<string>(3);
        for (int i = 0; i < 3; i++)
        {
            Go.Run(() => texts.Send(PanicOf(() => c.Send(100))));
        }
        Others.Settle();
        Assert.Equal(0, texts.Len);
        c.Close();
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal("send on closed channel", texts.Receive());
        }
        for (int i = 0; i < capacity; i++)
        {
            Assert.True(c.Receive(out int v));
            Assert.Equal(i, v);
        }
        Assert.False(c.Receive(out _));
    }

    [Fact]
    public void Nonblocking_operations_on_an_unbuffered_channel()
    {
        var c = new Chan<int>();
        Assert.False(c.TryReceive(out int v, out bool ok));
        Assert.False(ok);
        Assert.False(c.TrySend(1));

        Go.Run(() => c.Send(123));
        Others.Settle();
        Assert.True(c.TryReceive(out v, out ok));
        Assert.True(ok);
        Assert.Equal(123, v);

        var got = new Chan<int>(1);
        Go.Run(() => got.Send(c.Receive()));
        Others.Settle();
        Assert.True(c.TrySend(234));
        Assert.False(c.TrySend(345));
        Assert.Equal(234, got.Receive());
    }

    [Fact]
    public void Nonblocking_operations_on_a_buffered_channel()
    {
        var c = new Chan<string>(1);
        Assert.False(c.TryReceive(out _, out _));
        Assert.True(c.TrySend("hello"));
        Assert.False(c.TrySend("world"));
        Assert.True(c.TryReceive(out string v, out bool ok));
        Assert.True(ok);
        Assert.Equal("hello", v);
        Assert.False(c.TryReceive(out _, out _));
    }

    [Fact]
    public void Nonblocking_receive_sees_what_was_sent_before_the_close()
    {
        for (int i = 0; i < 10_000; i++)
        {
            var c = new Chan<int>(1);
            c.Send(1);
            Go.Run(c.Close);
            Go.Gosched();
            Assert.True(c.TryReceive(out int v, out bool ok));
            Assert.True(ok);
            Assert.Equal(1, v);
            while (!c.TryReceive(out _, out ok))
            {
                Go.Gosched();
            }
            Assert.False(ok);
        }
    }

    [Fact]
    public void Nil_channel_blocks_for_ever()
    {
        Chan<int> none = default;
        Assert.False(none.TrySend(1));
        Assert.False(none.TryReceive(out _, out bool ok));
        Assert.False(ok);
        long sender = Blocked(() => none.Send(1));
        long receiver = Blocked(() => none.Receive());
        Assert.Equal("chan send (nil chan)", StateOf(sender));
        Assert.Equal("chan receive (nil chan)", StateOf(receiver));
    }

    [Fact]
    public void Blocked_goroutines_say_what_they_wait_for()
    {
        var c = new Chan<int>();
        long receiver = Blocked(() => c.Receive());
        Assert.Equal("chan receive", StateOf(receiver));
        c.Send(1);
        long sender = Blocked(() => c.Send(2));
        Assert.Equal("chan send", StateOf(sender));
        Assert.Equal(2, c.Receive());
    }

    private static long Blocked(Action action)
    {
        long id = 0;
        Go.Run(() =>
        {
            Volatile.Write(ref id, CurrentId());
            action();
        });
        while (Volatile.Read(ref id) == 0)
        {
            Go.Gosched();
        }
        Others.Settle();
        return id;
    }

    private static unsafe long CurrentId() => Proc.GetG()->Id;

    private static string StateOf(long id)
    {
        string state = "";
        Go.ForEach(g => state = g.Id == id ? g.State : state);
        return state;
    }
}
