// How long a goroutine waits for another core when the one that made it runnable computes on.
using System;
using System.Diagnostics;
using System.Threading;

namespace Unikernel.Bench;

internal static class Handover
{
    private const int Rounds = 2000;
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(100);

    /// <summary>Prints percentiles; <paramref name="isBusy"/>: after a time in which two goroutines handed over to each other.</summary>
    internal static void Measure(string name, bool isBusy)
    {
        double[] late = new double[Rounds];
        var gate = new Chan<int>();
        var back = new Chan<int>();
        long seen = 0;
        Go.Run(() =>
        {
            while (gate.Receive() is var what and not 0)
            {
                if (what == 1)
                {
                    Volatile.Write(ref seen, Stopwatch.GetTimestamp());
                }
                back.Send(0);
            }
        });
        for (int r = 0; r < Rounds; r++)
        {
            for (int i = 0; i < (isBusy ? 1000 : 1); i++)
            {
                gate.Send(2);
                _ = back.Receive();
            }
            if (!isBusy)
            {
                Go.Sleep(TimeSpan.FromMilliseconds(1));         // the other cores go idle
            }
            Volatile.Write(ref seen, 0);
            gate.Send(1);
            long start = Stopwatch.GetTimestamp();
            while (Volatile.Read(ref seen) == 0 && Stopwatch.GetElapsedTime(start) < s_longest)
            {
            }
            late[r] = Math.Max(0, Stopwatch.GetElapsedTime(start, Volatile.Read(ref seen)).TotalMicroseconds);
            _ = back.Receive();
        }
        gate.Send(0);
        Array.Sort(late);
        Console.WriteLine($"{name}_p50 {late[Rounds / 2]:F1} us");
        Console.WriteLine($"{name}_p99 {late[Rounds * 99 / 100]:F1} us");
    }
}
