// Channels without select.
using System;

namespace Unikernel.Bench;

internal static class Channels
{
    private const int ChannelBuffer = 100;
    private const int LeastContended = 2;

    internal static void PingPong() => Report.Timed(static n =>
    {
        var there = new Chan<long>();
        var back = new Chan<long>();
        Go.Run(() => Answer(there, back));
        Report.Check("sum", Ask(there, back, n), Report.SumTo(n) + n);
    });

    private static long Ask(Chan<long> there, Chan<long> back, int n)
    {
        long sum = 0;
        for (int i = 0; i < n; i++)
        {
            there.Send(i);
            sum += back.Receive();
        }
        there.Close();
        return sum;
    }

    private static void Answer(Chan<long> there, Chan<long> back)
    {
        foreach (long i in there)
        {
            back.Send(i + 1);
        }
    }

    /// <summary>One producer, one consumer.</summary>
    internal static void ChanBuf(int capacity) => Report.Timed(n =>
    {
        var c = new Chan<long>(capacity);
        Go.Run(() => Produce(c, n));
        Report.Check("sum", Consume(c), Report.SumTo(n));
    });

    private static void Produce(Chan<long> c, int n)
    {
        for (int i = 0; i < n; i++)
        {
            c.Send(i);
        }
        c.Close();
    }

    private static long Consume(Chan<long> c)
    {
        long sum = 0;
        foreach (long i in c)
        {
            sum += i;
        }
        return sum;
    }

    // Sends a buffer's worth of items into the channel and receives as many, until n went through.
    private static long FillAndDrain(Chan<long> c, int n)
    {
        long sum = 0;
        while (n > 0)
        {
            int size = Math.Min(n, ChannelBuffer);
            for (int i = 0; i < size; i++)
            {
                c.Send(1);
            }
            for (int i = 0; i < size; i++)
            {
                sum += c.Receive();
            }
            n -= size;
        }
        return sum;
    }

    internal static void ChanUncontended() => Report.Timed(
        static n => Report.Check("sum", FillAndDrain(new Chan<long>(ChannelBuffer), n), n));

    /// <summary>The same by PROCS goroutines, at least 2, on one channel with room for all of them.</summary>
    internal static void ChanContended()
    {
        int goroutines = Math.Max(Program.Procs, LeastContended);
        Report.Timed(n =>
        {
            int each = Report.AtLeast1(n / goroutines);
            var c = new Chan<long>(ChannelBuffer * goroutines);
            long[] sums = new long[goroutines];
            var done = new WaitGroup();
            done.Add(goroutines);
            for (int i = 0; i < goroutines; i++)
            {
                int at = i;
                Go.Run(() =>
                {
                    sums[at] = FillAndDrain(c, each);
                    done.Done();
                });
            }
            done.Wait();
            long total = 0;
            foreach (long sum in sums)
            {
                total += sum;
            }
            Report.Check("sum", total, (long)each * goroutines);
        });
    }

    /// <summary>Receiving from an empty channel without waiting.</summary>
    internal static void ChanNonblock() => Report.Timed(static n =>
    {
        var c = new Chan<long>(1);
        long received = 0;
        for (int i = 0; i < n; i++)
        {
            if (c.TryReceive(out _, out _))
            {
                received++;
            }
        }
        Report.Check("received", received, 0);
    });
}
