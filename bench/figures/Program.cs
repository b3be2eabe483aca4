// In-guest figures, one `name value unit` a line; bench/figures.sh reads them. Usage: figures (what exceptions cost, each value
// the median of 5 runs), figures goroutines N, or figures
// handover.
using System;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Unikernel.Bench;

internal static class Program
{
    private const int Runs = 5;
    private const int Throws = 2000;

    private static int Main(string[] args)
    {
        if (args is ["goroutines", string count] && int.TryParse(count, out int n) && n > 0)
        {
            return Goroutines.Park(n);
        }
        if (args is ["handover"])
        {
            Handover.Measure("handover_idle", isBusy: false);
            Handover.Measure("handover_busy", isBusy: true);
            return 0;
        }
        _ = Measure(0);         // the first throw also builds CoreLib's tables
        Console.WriteLine($"throw_catch_1 {Measure(1):F1} us");
        Console.WriteLine($"throw_catch_20 {Measure(20):F1} us");
        return 0;
    }

    private static double Measure(int frames)
    {
        double[] runs = new double[Runs];
        for (int r = 0; r < Runs; r++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Throws; i++)
            {
                try
                {
                    Descend(frames);
                }
                catch (InvalidOperationException)
                {
                }
            }
            runs[r] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Throws;
        }
        Array.Sort(runs);
        return runs[Runs / 2];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Descend(int frames) =>
        frames <= 1 ? throw new InvalidOperationException() : Descend(frames - 1) + 1;
}
