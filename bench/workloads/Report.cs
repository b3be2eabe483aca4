using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Unikernel.Kernel;

namespace Unikernel.Bench;

/// <summary>A result that is not what was to come out; ends the row. Thrown by the main goroutine only.</summary>
internal sealed class WrongAnswerException(string message) : Exception(message);

/// <summary>Timing, checking and the lines of output.</summary>
internal static class Report
{
    private const double GrowthLimit = 100;         // by how much a measurement is longer than the one before, at most
    private const int CountLimit = 1_000_000_000;   // of operations in one

    private static Stream s_output = Stream.Null;
    private static byte[] s_outOfMemory = [];

    /// <summary>The row that runs.</summary>
    internal static string Current { get; set; } = "";

    /// <summary>
    /// Runs the body with more and more operations until it takes MILLISECONDS, as Go's testing.B does, and reports ns
    /// per operation of that run alone: the ones before warm up. Each side of the comparison finds its own number, by time.
    /// </summary>
    /// <param name="body">Takes the number of rounds.</param>
    /// <param name="opsPerRound">Operations a round.</param>
    internal static void Timed(Action<int> body, int opsPerRound = 1)
    {
        TimeSpan goal = TimeSpan.FromMilliseconds(Program.LeastMs);
        int limit = CountLimit / opsPerRound;
        int n = 1;
        while (true)
        {
            long start = Stopwatch.GetTimestamp();
            body(n);
            TimeSpan took = Stopwatch.GetElapsedTime(start);
            if ((n > 1 && took >= goal) || n >= limit)
            {
                Row("-", "time", "ns", PerOp(took, n) / opsPerRound);
                return;
            }
            // In floating point: what an instant predicts is beyond integers.
            double next = Math.Max(1.2 * n * goal.TotalNanoseconds / (took.TotalNanoseconds + 1), n + 1.0);
            n = (int)Math.Min(next, Math.Min(n * GrowthLimit, limit));
        }
    }

    internal static int AtLeast1(int n) => Math.Max(n, 1);

    /// <summary>0 + 1 + … + n-1.</summary>
    internal static long SumTo(long n) => n * (n - 1) / 2;

    internal static double PerOp(TimeSpan time, long ops) => time.TotalNanoseconds / ops;

    internal static void Row(string metric, string kind, string unit, double value) => Console.WriteLine(
        string.Create(CultureInfo.InvariantCulture, $"@row {Current} {metric} {kind} {unit} {value:F3}"));

    /// <summary>Reports the given percentiles (100 is the greatest) of latenesses, in microseconds; of none, nothing.</summary>
    internal static void Percentiles(string prefix, double[] microseconds, params ReadOnlySpan<int> wanted)
    {
        Array.Sort(microseconds);
        foreach (int p in wanted)
        {
            if (microseconds.Length > 0)
            {
                Row(prefix + (p == 100 ? "max" : $"p{p}"), "time", "us", microseconds[(microseconds.Length - 1) * p / 100]);
            }
        }
    }

    internal static void Skip(string reason) => Console.WriteLine($"@skip {Current} {reason}");

    internal static int Fail(string reason)
    {
        Console.WriteLine($"@fail {Current} {reason}");
        return 1;
    }

    /// <summary>Makes what <see cref="FailOutOfMemory"/> and the end of the program need while there is memory.</summary>
    internal static void PrepareOutOfMemory()
    {
        _ = Thread.CurrentThread;
        s_output = Console.OpenStandardOutput();
        s_outOfMemory = Encoding.UTF8.GetBytes($"@fail {Current} out of memory\n");
    }

    /// <summary>Allocates nothing.</summary>
    internal static int FailOutOfMemory()
    {
        s_output.Write(s_outOfMemory, 0, s_outOfMemory.Length);
        return 1;
    }

    /// <summary>Ends the row unless <paramref name="got"/> is what was to come out.</summary>
    internal static void Check(string what, long got, long want)
    {
        if (got != want)
        {
            throw new WrongAnswerException($"{what} is {got}, not {want}");
        }
    }

    internal static void CheckText(string what, string got, string want)
    {
        if (got != want)
        {
            throw new WrongAnswerException($"{what} is {got}, not {want}");
        }
    }

    /// <summary>
    /// Memory in use, in bytes: of the machine, the kernel's, stacks, page tables and the managed heap; as a Linux process,
    /// what of it is resident, as Go's program counts.
    /// </summary>
    internal static long MemoryInUse() => (long)Machine.UsedMemory;
}
