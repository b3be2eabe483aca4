// Goroutines: starting, ending, yielding, parking.
using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;

namespace Unikernel.Bench;

internal static class Spawn
{
    private const int SpawnBatch = 64;
    private const int BurstSize = 1_000_000;
    private const int Yielders = 10_000;
    private const int ParkedCount = 100_000;

    private static long s_spawned;

    private static void Leaf() => Interlocked.Increment(ref s_spawned);

    /// <summary>One at a time: started, given way to, gone.</summary>
    internal static void SpawnExit() => Report.Timed(static n =>
    {
        Action leaf = Leaf;
        Volatile.Write(ref s_spawned, 0);
        for (int i = 0; i < n; i++)
        {
            Go.Run(leaf);
            Go.Gosched();
        }
        while (Volatile.Read(ref s_spawned) < n)
        {
            Go.Gosched();
        }
        Report.Check("count", Volatile.Read(ref s_spawned), n);
    });

    /// <summary>A spawner's own state, its count on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PaddedCount
    {
        private readonly long _b0, _b1, _b2, _b3, _b4, _b5, _b6, _b7;
        internal long Value;
        private readonly long _a0, _a1, _a2, _a3, _a4, _a5, _a6, _a7;
    }

    private sealed class Spawner
    {
        private readonly WaitGroup _batch = new();
        private PaddedCount _count;

        internal long Count => _count.Value;

        internal void Run(int n)
        {
            Action leaf = Leaf;
            while (n > 0)
            {
                int size = Math.Min(n, SpawnBatch);
                _batch.Add(size);
                for (int i = 0; i < size; i++)
                {
                    Go.Run(leaf);
                }
                _batch.Wait();
                n -= size;
            }
        }

        private void Leaf()
        {
            Interlocked.Increment(ref _count.Value);
            _batch.Done();
        }
    }

    /// <summary>PROCS spawners, each waiting for batches of its own.</summary>
    internal static void SpawnExitPar() => Report.Timed(static n =>
    {
        int each = Report.AtLeast1(n / Program.Procs);
        var done = new WaitGroup();
        done.Add(Program.Procs);
        var spawners = new Spawner[Program.Procs];
        for (int i = 0; i < spawners.Length; i++)
        {
            var s = new Spawner();
            spawners[i] = s;
            Go.Run(() =>
            {
                s.Run(each);
                done.Done();
            });
        }
        done.Wait();
        long total = 0;
        foreach (Spawner s in spawners)
        {
            total += s.Count;
        }
        Report.Check("count", total, (long)each * Program.Procs);
    });

    /// <summary>All of them runnable at once.</summary>
    internal static void Burst()
    {
        long count = 0;
        var done = new WaitGroup();
        done.Add(BurstSize);
        Action leaf = () =>
        {
            Interlocked.Increment(ref count);
            done.Done();
        };
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < BurstSize; i++)
        {
            Go.Run(leaf);
        }
        done.Wait();
        Report.Row("-", "time", "ns", Report.PerOp(Stopwatch.GetElapsedTime(start), BurstSize));
        Report.Check("count", count, BurstSize);
    }

    private static void YieldAll(int goroutines, int each)
    {
        var done = new WaitGroup();
        done.Add(goroutines);
        Action yielder = () => Yield(each, done);
        for (int i = 0; i < goroutines; i++)
        {
            Go.Run(yielder);
        }
        done.Wait();
    }

    private static void Yield(int n, WaitGroup done)
    {
        for (int i = 0; i < n; i++)
        {
            Go.Gosched();
        }
        done.Done();
    }

    internal static void Gosched2() => Report.Timed(static n => YieldAll(2, n), 2);

    /// <summary>Ten thousand that yield until a time has passed. They are all there before it begins.</summary>
    internal static void Gosched10k()
    {
        long started = 0;
        long total = 0;
        bool begun = false;
        bool ended = false;
        var done = new WaitGroup();
        done.Add(Yielders);
        Action yielder = () =>
        {
            Interlocked.Increment(ref started);
            while (!Volatile.Read(ref begun))
            {
                Go.Gosched();
            }
            long count = 0;
            while (!Volatile.Read(ref ended))
            {
                Go.Gosched();
                count++;
            }
            Interlocked.Add(ref total, count);
            done.Done();
        };
        for (int i = 0; i < Yielders; i++)
        {
            Go.Run(yielder);
        }
        while (Volatile.Read(ref started) < Yielders)
        {
            Go.Gosched();
        }
        TimeSpan goal = TimeSpan.FromMilliseconds(Program.LeastMs);
        long start = Stopwatch.GetTimestamp();
        Volatile.Write(ref begun, true);
        while (Stopwatch.GetElapsedTime(start) < goal)
        {
            Go.Gosched();
        }
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        Volatile.Write(ref ended, true);
        done.Wait();
        Report.Row("-", "time", "ns", Report.PerOp(took, total));
    }

    /// <summary>Many goroutines waiting on one channel: what one costs in memory after a collection, and to be woken.</summary>
    internal static void Parked()
    {
        var gate = new Chan<long>();
        long started = 0;
        long woken = 0;
        var done = new WaitGroup();
        done.Add(ParkedCount);
        Action wait = () =>
        {
            Interlocked.Increment(ref started);
            _ = gate.Receive();
            Interlocked.Increment(ref woken);
            done.Done();
        };
        GC.Collect();
        long before = Report.MemoryInUse();
        for (int i = 0; i < ParkedCount; i++)
        {
            Go.Run(wait);
        }
        while (Volatile.Read(ref started) < ParkedCount)
        {
            Go.Gosched();
        }
        Go.Sleep(TimeSpan.FromMilliseconds(10));
        GC.Collect();
        Report.Row("memory", "bytes", "B", (double)(Report.MemoryInUse() - before) / ParkedCount);
        long start = Stopwatch.GetTimestamp();
        gate.Close();
        done.Wait();
        Report.Row("wake", "time", "ns", Report.PerOp(Stopwatch.GetElapsedTime(start), ParkedCount));
        Report.Check("woken", woken, ParkedCount);
    }
}
