// Tables over capacities and element types: Go's TestChan, closedchan.go, nonblock.go and ken/chan.go, without their selects.
using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class ChanTableTests
{
    private record struct Pair(string Text, long Number);

    private static IEnumerable<int> Capacities()
    {
#if LINUX
        return Enumerable.Range(0, 201);
#else
        return [0, 1, 2, 3, 4, 5, 10, 31, 64, 100, 199, 200];
#endif
    }

    [Fact]
    public void Receiving_from_an_empty_channel_waits_for_a_value()
    {
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            var got = new Chan<int>(2);
            for (int i = 0; i < 2; i++)
            {
                Go.Run(() => got.Send(c.Receive()));
            }
            Others.Settle();
            Assert.Equal(0, got.Len);
            Assert.False(c.TryReceive(out _, out _));
            c.Send(7);
            c.Send(8);
            Assert.Equal(15, got.Receive() + got.Receive());
        }
    }

    [Fact]
    public void Sending_to_a_full_channel_waits_for_room()
    {
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            for (int i = 0; i < capacity; i++)
            {
                Assert.True(c.TrySend(i));
            }
            Assert.Equal(capacity, c.Len);
            var sent = new Chan<bool>(1);
            Go.Run(() =>
            {
                c.Send(capacity);
                sent.Send(true);
            });
            Others.Settle();
            Assert.Equal(0, sent.Len);
            Assert.False(c.TrySend(-1));
            for (int i = 0; i <= capacity; i++)
            {
                Assert.Equal(i, c.Receive());
            }
            Assert.True(sent.Receive());
            Assert.Equal(0, c.Len);
        }
    }

    [Fact]
    public void A_closed_channel_is_drained_in_order_then_gives_zero()
    {
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            for (int i = 0; i < capacity; i++)
            {
                c.Send(i + 1);
            }
            c.Close();
            for (int i = 0; i < capacity; i++)
            {
                Assert.True(c.Receive(out int v));
                Assert.Equal(i + 1, v);
            }
            Assert.Equal(0, c.Receive());
            Assert.False(c.Receive(out _));
        }
    }

    [Fact]
    public void Close_ends_waiting_receivers_of_every_capacity()
    {
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            var done = new Chan<bool>(1);
            Go.Run(() => done.Send(!c.Receive(out int v) && v == 0));
            Others.Settle();
            Assert.Equal(0, done.Len);
            c.Close();
            Assert.True(done.Receive());
        }
    }

    [Fact]
    public void A_hundred_values_stay_in_order_through_any_capacity()
    {
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            Go.Run(() =>
            {
                for (int i = 0; i < 100; i++)
                {
                    c.Send(i);
                }
            });
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal(i, c.Receive());
            }
        }
    }

    [Fact]
    public void Many_to_many_loses_and_doubles_nothing()
    {
        const int Workers = 4;
        const int Each = 100;
        foreach (int capacity in Capacities())
        {
            var c = new Chan<int>(capacity);
            var counts = new Chan<int[]>(Workers);
            for (int w = 0; w < Workers; w++)
            {
                Go.Run(() =>
                {
                    for (int i = 0; i < Each; i++)
                    {
                        c.Send(i);
                    }
                });
                Go.Run(() =>
                {
                    int[] mine = new int[Each];
                    for (int i = 0; i < Each; i++)
                    {
                        mine[c.Receive()]++;
                    }
                    counts.Send(mine);
                });
            }
            int[] all = new int[Each];
            for (int w = 0; w < Workers; w++)
            {
                int[] mine = counts.Receive();
                for (int i = 0; i < Each; i++)
                {
                    all[i] += mine[i];
                }
            }
            Assert.All(all, n => Assert.Equal(Workers, n));
            Assert.Equal(0, c.Len);
        }
    }

    // ---- every way to use a closed channel, for every shape of element

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Closed_channels_of_every_element_type(int capacity)
    {
        Closed(capacity, true);
        Closed(capacity, (byte)200);
        Closed(capacity, -5);
        Closed(capacity, long.MaxValue);
        Closed(capacity, 2.5);
        Closed(capacity, "text");
        Closed(capacity, new Pair("text", 9));
        Closed(capacity, new object());
        Closed<int[]>(capacity, [1, 2, 3]);
    }

    private static void Closed<T>(int capacity, T value)
    {
        for (int filled = 0; filled <= capacity; filled++)
        {
            var c = new Chan<T>(capacity);
            for (int i = 0; i < filled; i++)
            {
                c.Send(value);
            }
            c.Close();
            Assert.Equal(filled, c.Len);
            for (int i = 0; i < filled; i++)
            {
                bool ok = i % 2 == 0 ? c.Receive(out T v) : c.TryReceive(out v, out bool fromTry) && fromTry;
                Assert.True(ok);
                Same(value, v);
            }
            for (int i = 0; i < 3; i++)
            {
                Assert.False(c.Receive(out T zero));
                Same(default, zero);
                Assert.True(c.TryReceive(out zero, out bool ok));
                Assert.False(ok);
                Same(default, zero);
                Same(default, c.Receive());
            }
            Assert.Equal("send on closed channel", Assert.Throws<GoPanicException>(() => c.Send(value)).Message);
            Assert.Equal("send on closed channel", Assert.Throws<GoPanicException>(() => c.TrySend(value)).Message);
            Assert.Equal("close of closed channel", Assert.Throws<GoPanicException>(c.Close).Message);
            Assert.Equal(0, c.Len);
            foreach (T _ in c)
            {
                Assert.Fail("a closed, empty channel gave a value");
            }
        }
    }

    // xunit's Assert.Equal makes types at run time for what is generic here.
    private static void Same<T>(T? expected, T? actual) => Assert.True(EqualityComparer<T>.Default.Equals(expected, actual), $"{expected} expected, not {actual}");

    // ---- every non-blocking operation, the partner ready before it or not

    [Fact]
    public void Nonblocking_operations_for_every_element_type()
    {
        Nonblocking(123, 234);
        Nonblocking("hello", "world");
        Nonblocking(true, false);
        Nonblocking((byte)'a', (byte)'b');
        Nonblocking(new Pair("one", 1), new Pair("two", 2));
    }

    private static void Nonblocking<T>(T first, T second)
    {
        foreach (int capacity in (int[])[0, 1])
        {
            // nobody there
            var c = new Chan<T>(capacity);
            Assert.False(c.TryReceive(out T v, out bool ok));
            Assert.False(ok);
            Same(default, v);
            Assert.Equal(capacity == 1, c.TrySend(first));
            Assert.False(c.TrySend(second));

            // a sender first, then the receive that does not block
            c = new Chan<T>(capacity);
            Go.Run(() => c.Send(first));
            while (!c.TryReceive(out v, out ok))
            {
                Go.Gosched();
            }
            Assert.True(ok);
            Same(first, v);
            Assert.False(c.TryReceive(out _, out _));

            // a receiver first, then the send that does not block
            var got = new Chan<T>(1);
            Go.Run(() => got.Send(c.Receive()));
            while (!c.TrySend(second))
            {
                Go.Gosched();
            }
            Same(second, got.Receive());

            // one that keeps trying on each side
            Go.Run(() =>
            {
                while (!c.TrySend(first))
                {
                    Go.Gosched();
                }
            });
            Same(first, c.Receive());
            Go.Run(() => c.Send(second));
            while (!c.TryReceive(out v, out ok))
            {
                Go.Gosched();
            }
            Same(second, v);
            Assert.Equal(0, c.Len);
        }
    }

    // ---- all shapes of traffic at once, on one core: what was sent was received, each sender's values in order

    private sealed class Traffic
    {
        public int Sends;
        public int Receives;
        public int OutOfOrder;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(100)]
    public void Sends_and_receives_match_in_every_shape(int capacity)
    {
        using var one = new OneCore();
        (int Senders, int Receivers)[] shapes = [(1, 1), (10, 1), (1, 10), (10, 10)];
        foreach ((int senders, int receivers) in shapes)
        {
            foreach (int patience in (int[])[0, 1, 2])      // all wait; senders try and yield; receivers do
            {
                var t = new Traffic();
                Run(t, new Chan<(int From, int Number)>(capacity), senders, receivers, patience);
                Assert.Equal(senders * Values, t.Sends);
                Assert.Equal(t.Sends, t.Receives);
                Assert.Equal(0, t.OutOfOrder);
            }
        }
    }

    private const int Values = 40;

    private static void Run(Traffic t, Chan<(int From, int Number)> c, int senders, int receivers, int patience)
    {
        var sending = new WaitGroup();
        var receiving = new WaitGroup();
        for (int s = 0; s < senders; s++)
        {
            int from = s;
            sending.Go(() =>
            {
                for (int i = 0; i < Values; i++)
                {
                    if (patience != 1)
                    {
                        c.Send((from, i));
                    }
                    else
                    {
                        while (!c.TrySend((from, i)))
                        {
                            Go.Gosched();
                        }
                    }
                    t.Sends++;
                }
            });
        }
        for (int r = 0; r < receivers; r++)
        {
            receiving.Go(() =>
            {
                int[] next = new int[senders];
                while (true)
                {
                    (int From, int Number) v;
                    bool ok;
                    if (patience != 2)
                    {
                        ok = c.Receive(out v);
                    }
                    else
                    {
                        while (!c.TryReceive(out v, out ok))
                        {
                            Go.Gosched();
                        }
                    }
                    if (!ok)
                    {
                        return;
                    }
                    t.Receives++;
                    t.OutOfOrder += v.Number < next[v.From] ? 1 : 0;
                    next[v.From] = v.Number + 1;
                }
            });
        }
        sending.Wait();
        c.Close();
        receiving.Wait();
    }
}
