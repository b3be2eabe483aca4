using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;

namespace Unikernel.Bench;

/// <summary>A result that is not what was to come out; ends the row. Thrown by the main goroutine only.</summary>
internal sealed class WrongAnswerException(string message) : Exception(message);

/// <summary>Timing, checking and the lines of output.</summary>
internal static class Report
{
    private const int WarmUpShare = 20;

    private static Stream s_output = Stream.Null;
    private static byte[] s_outOfMemory = [];

    /// <summary>The row that runs.</summary>
    internal static string Current { get; set; } = "";

    /// <summary>Runs once on a small share of n operations, then on n (divided by SCALE), and reports ns per operation.</summary>
    internal static void Timed(int n, Action<int> body)
    {
        int ops = Scaled(n);
        body(AtLeast1(ops / WarmUpShare));
        long start = Stopwatch.GetTimestamp();
        body(ops);
        Row("-", "time", "ns", PerOp(Stopwatch.GetElapsedTime(start), ops));
    }

    internal static int Scaled(int n) => AtLeast1(n / Program.Scale);

    /// <summary>A small share of n operations, to run before the ones that are timed.</summary>
    internal static int WarmUp(int n) => AtLeast1(n / WarmUpShare);

    internal static int AtLeast1(int n) => Math.Max(n, 1);

    /// <summary>0 + 1 + … + n-1.</summary>
    internal static long SumTo(long n) => n * (n - 1) / 2;

    internal static double PerOp(TimeSpan time, int ops) => time.TotalNanoseconds / ops;

    internal static void Row(string metric, string kind, string unit, double value) => Console.WriteLine(
        string.Create(CultureInfo.InvariantCulture, $"@row {Current} {metric} {kind} {unit} {value:F3}"));

    /// <summary>Reports the given percentiles (100 is the greatest) of latenesses, in microseconds.</summary>
    internal static void Percentiles(string prefix, double[] microseconds, params ReadOnlySpan<int> wanted)
    {
        Array.Sort(microseconds);
        foreach (int p in wanted)
        {
            double value = microseconds.Length == 0 ? 0 : microseconds[(microseconds.Length - 1) * p / 100];
            Row(prefix + (p == 100 ? "max" : $"p{p}"), "time", "us", value);
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

    /// <summary>Memory of the machine in use, in bytes: the kernel's, stacks, page tables and the managed heap.</summary>
    internal static long MemoryInUse() => GC.GetGCMemoryInfo().MemoryLoadBytes;
}
