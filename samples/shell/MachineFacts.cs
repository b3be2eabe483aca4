// The shell's `mem` and `uptime`: what the machine says of itself, asked through the class library where
// that has a word for it.
using System;
using System.Globalization;

namespace Unikernel.Samples;

/// <summary>Prints facts about the machine.</summary>
internal static class MachineFacts
{
    /// <summary><c>mem</c>: memory of the machine and of the managed heap, and what the collector has done.</summary>
    public static void PrintMemory(string[] args)
    {
        if (!HasNone(args, "mem"))
        {
            return;
        }

        GCMemoryInfo info = GC.GetGCMemoryInfo();
        long total = info.TotalAvailableMemoryBytes;
        long used = info.MemoryLoadBytes;
        PrintSize("machine, usable", total);
        PrintSize("  in use", used);
        PrintSize("  free", total - used);
        GoMemory.ReadMemStats(out MemStats stats);
        PrintSize("managed heap", stats.HeapAlloc);
        PrintSize("  of the machine", stats.HeapSys);
        PrintSize("  next collection", stats.NextGC == long.MaxValue ? 0 : stats.NextGC);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"collections       {stats.NumGC,12:N0}     pauses {stats.NumPauses:N0}: p50 {Microseconds(stats.PauseP50Ns)}, p99 {Microseconds(stats.PauseP99Ns)}, longest {Microseconds(stats.PauseMaxNs)}"));
    }

    private static string Microseconds(long ns) => string.Create(CultureInfo.InvariantCulture, $"{ns / 1000.0:0.#} µs");

    /// <summary><c>uptime</c>: the wall clock and the time since boot.</summary>
    public static void PrintUptime(string[] args)
    {
        if (!HasNone(args, "uptime"))
        {
            return;
        }

        string now = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        TimeSpan up = TimeSpan.FromMilliseconds(Environment.TickCount64);
        Console.WriteLine($"{now} UTC, up {up.ToString(@"d\.hh\:mm\:ss\.fff", CultureInfo.InvariantCulture)}");
    }

    private static void PrintSize(string what, long bytes) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-18}{bytes / 1024,12:N0} KiB"));

    private static bool HasNone(string[] args, string name)
    {
        if (args.Length == 0)
        {
            return true;
        }

        Console.WriteLine($"usage: {name}");
        return false;
    }
}
