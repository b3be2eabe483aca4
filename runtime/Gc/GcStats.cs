// What is known about past collections: counts, times, pauses.
//
// GS1  Written by the driver only, at the end of a pause or of a cycle; read by anybody, each word by itself.
// GS2  A pause is counted from the moment the world is asked to stop until it is told to go on.
// GS3  The histogram has eight buckets to each power of two of nanoseconds: quantiles are off by an eighth at most.
// Context: anywhere. Allocates nothing. Reference: Go's mstats.go, runtime/metrics.
using System.Numerics;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel.Runtime.Gc;

internal static unsafe class GcStats
{
    internal const int Kept = 256;
    private const int SubShift = 3;
    private const int Buckets = 40 << SubShift;

    private struct Table
    {
        internal fixed long PauseNs[Kept];
        internal fixed long Histogram[Buckets];
    }

    private static Table s_table;

    internal static long Pauses { get; private set; }

    internal static long PauseTotalNs { get; private set; }

    internal static long PauseMaxNs { get; private set; }

    internal static long Cycles { get; set; }

    internal static long Forced { get; set; }

    /// <summary>Machine.NanoTime at the end of the last cycle; 0 = none yet.</summary>
    internal static long LastEndNs { get; set; }

    /// <summary>CPU time of marking: by the driver, by idle cores, by assists.</summary>
    internal static long DriverNs { get; set; }

    internal static long IdleNs { get; set; }

    internal static long AssistNs { get; set; }

    internal static void CountPause(long ns)
    {
        int i = (int)(Pauses % Kept);
        s_table.PauseNs[i] = ns;
        Pauses++;
        PauseTotalNs += ns;
        PauseMaxNs = ns > PauseMaxNs ? ns : PauseMaxNs;
        s_table.Histogram[BucketOf(ns)]++;
    }

    /// <summary>The duration of a pause, 0 = the last one, 255 the oldest kept; 0 when there was none.</summary>
    internal static long PauseAt(int back) => back < Pauses && back < Kept ? s_table.PauseNs[(Pauses - 1 - back) % Kept] : 0;

    private static int BucketOf(long ns)
    {
        if (ns < 1 << SubShift)
        {
            return ns < 0 ? 0 : (int)ns;
        }
        int log = BitOperations.Log2((ulong)ns);
        int bucket = ((log - SubShift + 1) << SubShift) + (int)((ns >> (log - SubShift)) & ((1 << SubShift) - 1));
        return bucket < Buckets ? bucket : Buckets - 1;
    }

    /// <summary>The largest duration that falls into a bucket.</summary>
    private static long Limit(int bucket)
    {
        if (bucket < 1 << SubShift)
        {
            return bucket;
        }
        int log = (bucket >> SubShift) + SubShift - 1;
        long step = 1L << (log - SubShift);
        return (1L << log) + (((bucket & ((1 << SubShift) - 1)) + 1) * step) - 1;
    }

    /// <summary>A pause that <paramref name="perMille"/> of all pauses do not exceed.</summary>
    internal static long Quantile(int perMille)
    {
        long wanted = (Pauses * perMille + 999) / 1000;
        long seen = 0;
        for (int i = 0; i < Buckets; i++)
        {
            seen += s_table.Histogram[i];
            if (seen >= wanted && seen != 0)
            {
                long limit = Limit(i);
                return limit < PauseMaxNs ? limit : PauseMaxNs;
            }
        }
        return 0;
    }

    /// <summary>The program ends: GODEBUG=gcpauses=1.</summary>
    internal static void PrintIfAsked()
    {
        if (GoDebug.Settings.GcPauses == 0)
        {
            return;
        }
        TraceWriter w = default;
        w.Write("gc: "u8);
        w.Write(Cycles);
        w.Write(" cycles, "u8);
        w.Write(Pauses);
        w.Write(" pauses: p50 "u8);
        w.Write(Quantile(500) / 1000);
        w.Write(" us, p99 "u8);
        w.Write(Quantile(990) / 1000);
        w.Write(" us, max "u8);
        w.Write(PauseMaxNs / 1000);
        w.Write(" us, in all "u8);
        w.Write(PauseTotalNs / 1_000_000);
        w.Write(" ms\n"u8);
    }
}
