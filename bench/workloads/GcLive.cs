// A live heap of a given size, made of lists, under mutation and allocation: how fast, and how long it stops the world.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Unikernel.Bench;

internal static class GcLive
{
    private const int NodeBytes = 64;
    private const int ListLength = 16;
    private const int GarbageBytes = 256;
    private const int LiveTimes = 10;       // MILLISECONDS, the least time it runs
    private const int ClockEvery = 1024;

    private static readonly TimeSpan s_sleep = TimeSpan.FromMilliseconds(1);

    private static byte[] s_garbage = [];

    [InlineArray(7)]
    private struct Payload
    {
        private long _element;
    }

#pragma warning disable CS0649      // it is there to be as large as Go's node
    private sealed class Node(Node? next)
    {
        internal Node? Next = next;
        internal Payload Payload;
    }
#pragma warning restore CS0649

    /// <summary>
    /// Does for a time, and until a collection is through: replace the first node of a list, exchange the rests of two
    /// lists, make a block of garbage. The number of live nodes stays what it is. The rate counts 64 bytes a node and
    /// 256 a block, whatever they take here (16 more each).
    /// </summary>
    internal static void Run(int mebibytes)
    {
        GC.Collect();
        Node[] lists = MakeLists((mebibytes << 20) / NodeBytes / ListLength);
        bool stop = false;
        bool collected = false;
        var late = new Chan<double[]>();
        Go.Run(() => late.Send(Sleeper(ref stop)));
        var figures = new GcFigures();
        double cpuMs = GcFigures.CpuMs;
        // One collection there is in any case, however slowly this machine allocates.
        Go.Run(() =>
        {
            GC.Collect();
            Volatile.Write(ref collected, true);
        });

        TimeSpan liveTime = TimeSpan.FromMilliseconds(LiveTimes * (double)Program.LeastMs);
        long rounds = 0;
        ulong random = 88172645463325252;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < liveTime || !Volatile.Read(ref collected))
        {
            random = Mutate(lists, random);
            rounds += ClockEvery;
            figures.Poll();
        }
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Volatile.Write(ref stop, true);
        double[] lateness = late.Receive();

        Report.Check("live nodes", Count(lists), (long)lists.Length * ListLength);
        double allocated = rounds * (double)(NodeBytes + GarbageBytes) / (1 << 20);
        Report.Row("alloc", "rate", "MiB/s", allocated / elapsed.TotalSeconds);
        double[] stops = figures.PausesUs;
        Report.Percentiles("stw_", stops, 50, 100);
        Report.Row("cpu_per_gib", "time", "ms", (GcFigures.CpuMs - cpuMs) / stops.Length / (mebibytes / 1024.0));
        Report.Percentiles("sleeper_late_", lateness, 99);
    }

    private static Node[] MakeLists(int count)
    {
        var lists = new Node[count];
        for (int i = 0; i < count; i++)
        {
            Node? list = null;
            for (int j = 0; j < ListLength; j++)
            {
                list = new Node(list);
            }
            lists[i] = list!;
        }
        return lists;
    }

    private static ulong Mutate(Node[] lists, ulong random)
    {
        for (int i = 0; i < ClockEvery; i++)
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            int a = (int)(random >> 32) & (lists.Length - 1);
            int b = (int)random & (lists.Length - 1);
            lists[a] = new Node(lists[a].Next);
            (lists[a].Next, lists[b].Next) = (lists[b].Next, lists[a].Next);
            s_garbage = new byte[GarbageBytes];
        }
        return random;
    }

    private static long Count(Node[] lists)
    {
        long count = 0;
        foreach (Node list in lists)
        {
            for (Node? node = list; node != null; node = node.Next)
            {
                count++;
            }
        }
        return count;
    }

    // Sleeps 1 ms again and again; by how much it was late each time, in microseconds.
    private static double[] Sleeper(ref bool stop)
    {
        var lateness = new List<double>();
        while (!Volatile.Read(ref stop))
        {
            long start = Stopwatch.GetTimestamp();
            Go.Sleep(s_sleep);
            lateness.Add((Stopwatch.GetElapsedTime(start) - s_sleep).TotalMicroseconds);
        }
        return [.. lateness];
    }
}
