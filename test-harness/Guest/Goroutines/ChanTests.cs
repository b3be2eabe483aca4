// Go's channel cases: chan/fifo.go, goroutines.go, zerosize.go, sieve1.go, chancap.go and runtime's chan_test.go.
using System;
using System.Collections.Generic;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class ChanTests
{
    private const int Many = 100;

    [Fact]
    public void Unbuffered_channel_is_first_in_first_out()
    {
        var c = new Chan<int>();
        Go.Run(() =>
        {
            for (int i = 0; i < Many; i++)
            {
                c.Send(i);
            }
            c.Close();
        });
        int expected = 0;
        foreach (int v in c)
        {
            Assert.Equal(expected++, v);
        }
        Assert.Equal(Many, expected);
    }

    [Fact]
    public void Buffered_channel_is_first_in_first_out()
    {
        var c = new Chan<int>(10);
        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < 10; i++)
            {
                c.Send(i);
            }
            for (int i = 0; i < 10; i++)
            {
                Assert.Equal(i, c.Receive());
            }
        }
    }

    [Fact]
    public void Chain_of_goroutines_keeps_the_order()
    {
        const int Links = 10;
        var results = new Chan<int>(Links);
        var first = new Chan<bool>();
        Chan<bool> wait = first;
        for (int i = 0; i < Links; i++)
        {
            int number = i;
            Chan<bool> before = wait;
            var after = new Chan<bool>();
            Go.Run(() =>
            {
                _ = before.Receive();
                results.Send(number);
                after.Send(true);
            });
            wait = after;
        }
        first.Send(true);
        Assert.True(wait.Receive());
        for (int i = 0; i < Links; i++)
        {
            Assert.Equal(i, results.Receive());
        }
    }

    [Fact]
    public void A_long_chain_of_goroutines()
    {
#if LINUX
        const int N = 100_000;
#else
        const int N = 10_000;
#endif
        Others.Settle();
        int before = Go.NumGoroutine;
        var left = new Chan<int>();
        Chan<int> leftmost = left;
        for (int i = 0; i < N; i++)
        {
            Chan<int> to = left;
            var right = new Chan<int>();
            Go.Run(() => to.Send(right.Receive() + 1));
            left = right;
        }
        Assert.Equal(before + N, Go.NumGoroutine);
        left.Send(0);
        Assert.Equal(N, leftmost.Receive());
        while (Go.NumGoroutine > before)
        {
            Go.Gosched();
        }
    }

    [Fact]
    public void Len_and_cap()
    {
        var c = new Chan<string>(10);
        Assert.Equal(0, c.Len);
        Assert.Equal(10, c.Cap);
        for (int i = 0; i < 3; i++)
        {
            c.Send("x");
        }
        Assert.Equal(3, c.Len);
        var unbuffered = new Chan<string>();
        Assert.Equal(0, unbuffered.Len);
        Assert.Equal(0, unbuffered.Cap);
        Chan<string> none = default;
        Assert.Equal(0, none.Len);
        Assert.Equal(0, none.Cap);
        Assert.True(none.IsNil);
        Assert.False(c.IsNil);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void Bad_capacity_panics(int capacity)
    {
        var e = Assert.Throws<GoPanicException>(() => new Chan<byte>(capacity));
        Assert.Equal("makechan: size out of range", e.Message);
    }

    private struct Empty
    {
    }

    [Fact]
    public void Values_without_size_work()
    {
        var c = new Chan<Empty>();
        Go.Run(() => c.Send(default));
        Assert.True(c.Receive(out _));
        var d = new Chan<Empty>(2);
        d.Send(default);
        d.Send(default);
        Assert.False(d.TrySend(default));
        Assert.Equal(2, d.Len);
    }

    private record struct Big(long A, string B, decimal C, object D, Guid E);

    [Fact]
    public void Large_values_with_references_arrive_whole()
    {
        var values = new List<Big>();
        for (int i = 0; i < Many; i++)
        {
            values.Add(new Big(i, $"text {i}", i * 1.5m, i, new Guid(i, 1, 2, new byte[8])));
        }
        foreach (int capacity in (int[])[0, 1, 7])
        {
            var c = new Chan<Big>(capacity);
            Go.Run(() =>
            {
                foreach (Big v in values)
                {
                    c.Send(v);
                }
                c.Close();
            });
            int i = 0;
            foreach (Big v in c)
            {
                Assert.Equal(values[i++], v);
            }
            Assert.Equal(Many, i);
        }
    }

    [Fact]
    public void Channels_travel_through_channels()
    {
        var requests = new Chan<Chan<int>>();
        Go.Run(() =>
        {
            int n = 0;
            foreach (Chan<int> reply in requests)
            {
                reply.Send(++n);
            }
        });
        for (int i = 1; i <= 3; i++)
        {
            var reply = new Chan<int>();
            requests.Send(reply);
            Assert.Equal(i, reply.Receive());
        }
        requests.Close();
    }

    [Fact]
    public void Equal_means_the_same_channel()
    {
        var a = new Chan<int>(1);
        var b = new Chan<int>(1);
        Chan<int> c = a;
        Assert.True(a == c);
        Assert.True(a != b);
        Assert.True(default(Chan<int>) == default);
        Assert.False(a.Equals(default(Chan<int>)));
        var names = new Dictionary<Chan<int>, string> { [a] = "a", [b] = "b" };
        Assert.Equal("a", names[c]);
        Assert.Equal("b", names[b]);
        SendChan<int> sending = a;
        ReceiveChan<int> receiving = c;
        sending.Send(5);
        Assert.Equal(5, receiving.Receive());
        Assert.True(sending == c.ToSendChan());
        Assert.True(receiving == a.ToReceiveChan());
    }

    [Fact]
    public void Every_value_of_many_senders_reaches_one_of_many_receivers()
    {
        foreach (int capacity in (int[])[0, 1, 10, 200])
        {
            const int Workers = 4;
            const int Each = 250;
            var c = new Chan<int>(capacity);
            var sums = new Chan<long>(Workers);
            var senders = new WaitGroup();
            for (int w = 0; w < Workers; w++)
            {
                int from = w * Each;
                senders.Go(() =>
                {
                    for (int i = 0; i < Each; i++)
                    {
                        c.Send(from + i);
                    }
                });
                Go.Run(() =>
                {
                    long sum = 0;
                    foreach (int v in c)
                    {
                        sum += v;
                    }
                    sums.Send(sum);
                });
            }
            senders.Wait();
            c.Close();
            long total = 0;
            for (int w = 0; w < Workers; w++)
            {
                total += sums.Receive();
            }
            const long N = Workers * Each;
            Assert.Equal(N * (N - 1) / 2, total);
        }
    }

    [Fact]
    public void Sender_waits_until_the_buffer_has_room()
    {
        var c = new Chan<int>(2);
        int sent = 0;
        Go.Run(() =>
        {
            for (int i = 0; i < 5; i++)
            {
                c.Send(i);
                sent++;
            }
        });
        Others.Settle();
        Assert.Equal(2, sent);
        Assert.Equal(2, c.Len);
        Assert.Equal(0, c.Receive());
        Assert.Equal(2, c.Len);             // the waiting sender's value took the place
        for (int i = 1; i < 5; i++)
        {
            Assert.Equal(i, c.Receive());
        }
        Others.Settle();
        Assert.Equal(5, sent);
    }

    [Fact]
    public void Sieve_finds_the_primes()
    {
        int[] expected = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97];
        var primes = new Chan<int>();
        Go.Run(() => Sieve(primes));
        foreach (int p in expected)
        {
            Assert.Equal(p, primes.Receive());
        }
    }

    private static void Sieve(Chan<int> primes)
    {
        var numbers = new Chan<int>();
        Go.Run(() =>
        {
            for (int i = 2; ; i++)
            {
                numbers.Send(i);
            }
        });
        Chan<int> source = numbers;
        while (true)
        {
            int prime = source.Receive();
            primes.Send(prime);
            Chan<int> input = source;
            var output = new Chan<int>();
            Go.Run(() =>
            {
                foreach (int i in input)
                {
                    if (i % prime != 0)
                    {
                        output.Send(i);
                    }
                }
            });
            source = output;
        }
    }
}
