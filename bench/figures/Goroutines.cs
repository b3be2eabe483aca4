// How many goroutines can be alive at once, and what an idle one costs.
using System;
using System.Threading;

namespace Unikernel.Bench;

internal static class Goroutines
{
    /// <summary>
    /// Parks n goroutines on a channel, prints what the machine's memory in use has grown by for each, and wakes them all.
    /// As a Linux process that leaves stacks out: bench/figures.sh looks from outside, while `parked` is the last line and
    /// until a line comes in.
    /// </summary>
    internal static int Park(int n)
    {
        var gate = new Chan<int>();
        int started = 0;
        int woken = 0;
        var done = new WaitGroup();
        done.Add(n);
        Action wait = () =>
        {
            Interlocked.Increment(ref started);
            _ = gate.Receive();
            Interlocked.Increment(ref woken);
            done.Done();
        };
        long before = GC.GetGCMemoryInfo().MemoryLoadBytes;
        for (int i = 0; i < n; i++)
        {
            Go.Run(wait);
        }
        while (Volatile.Read(ref started) < n)
        {
            Go.Gosched();
        }
        Go.Sleep(TimeSpan.FromMilliseconds(10));
        double each = (double)(GC.GetGCMemoryInfo().MemoryLoadBytes - before) / n;
        Console.WriteLine($"goroutines_alive {Go.NumGoroutine} goroutines");
        Console.WriteLine($"goroutine_idle {each:F0} B");
        Console.WriteLine("parked");
        _ = Console.ReadLine();
        gate.Close();
        done.Wait();
        while (Go.NumGoroutine > 1)
        {
            Go.Gosched();
        }
        Console.WriteLine($"goroutines_woken {woken} goroutines");
        return woken == n ? 0 : 1;
    }
}
