// stress: goroutines that do at random what goroutines can do, with books kept so exactly that one lost shows.
//
// A lane is a relay: its goroutine takes some random steps, starts its successor and ends. Nothing is allocated on the
// way, so it can run for hours. At the end every lane stops, and the books must balance: as many ended as were started,
// every value handed over has arrived, and what was counted under a lock is what was counted without.
using System;
using System.Globalization;
using System.Threading;

namespace Unikernel.Samples;

internal static class Program
{
    private const int DefaultSeconds = 10;
    private const int MaxSeconds = 86_400;
    private const int Lanes = 64;
    private static readonly TimeSpan s_report = TimeSpan.FromSeconds(5);

    private static int Main(string[] args)
    {
        int seconds = DefaultSeconds;
        ulong seed = 1;
        bool loses = false;
        foreach (string arg in args)
        {
            if (arg == "lose")
            {
                loses = true;
            }
            else if (!(arg.StartsWith("seconds=", StringComparison.Ordinal) && TryNumber(arg[8..], 1, MaxSeconds, out seconds))
                && !(arg.StartsWith("seed=", StringComparison.Ordinal) && ulong.TryParse(arg[5..], NumberStyles.None, CultureInfo.InvariantCulture, out seed)))
            {
                Console.WriteLine($"usage: stress [seconds=N] [seed=S] [lose]");
                Console.WriteLine($"  N from 1 to {MaxSeconds}, {DefaultSeconds} without it; lose: one goroutine is left out of the books, which must show");
                return 64;
            }
        }
        Console.WriteLine($"stress: {Lanes} lanes on {Go.GoMaxProcs} cores for {seconds} s, seed {seed}");
        var books = new Books();
        var lanes = new Lane[Lanes];
        for (int i = 0; i < Lanes; i++)
        {
            lanes[i] = new Lane(books, (seed * 0x9E3779B97F4A7C15) + ((ulong)i * 0xD1B54A32D192ED03) + 1);
        }
        foreach (Lane lane in lanes)
        {
            lane.Start();
        }
        for (TimeSpan left = TimeSpan.FromSeconds(seconds); left > TimeSpan.Zero; left -= s_report)
        {
            Go.Sleep(left < s_report ? left : s_report);
            Console.WriteLine($"stress: {Math.Max(0, (int)(left - s_report).TotalSeconds)} s left, {books}");
        }
        Volatile.Write(ref books.IsOver, true);
        books.Running.Wait();
        if (loses)
        {
            books.Started++;
        }
        bool isGood = books.Balance();
        Console.WriteLine($"stress: {books}");
        Console.WriteLine(isGood ? $"stress: no goroutine lost: {books.Started} started, {books.Ended} ended" : "stress: THE BOOKS DO NOT BALANCE");
        return isGood ? 0 : 1;
    }

    private static bool TryNumber(string text, int least, int most, out int n) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out n) && n >= least && n <= most;
}
