// What the collector did between two points: the only place here that asks a collector. Pauses come from the class
// library's own figures, read after every cycle.
using System;
using System.Collections.Generic;

namespace Unikernel.Bench;

internal sealed class GcFigures
{
    private const int Oldest = 2;

    private readonly List<double> _pausesUs = [];
    private int _cycles = GC.CollectionCount(Oldest);
    private TimeSpan _paused = GC.GetTotalPauseDuration();

    /// <summary>Of each cycle seen, as Go's statistics have it: how long the world stood still in all, in microseconds.</summary>
    internal double[] PausesUs => [.. _pausesUs];

    /// <summary>Time of all cores in collections since the beginning, in ms.</summary>
    internal static double CpuMs
    {
        get
        {
            GoMemory.ReadMemStats(out MemStats stats);
            return stats.MarkCpuNs / 1e6;
        }
    }

    /// <summary>Called between cycles: sees the ones that ended since. Two at once count as two of the same length.</summary>
    internal void Poll()
    {
        int cycles = GC.CollectionCount(Oldest);
        if (cycles == _cycles)
        {
            return;
        }
        TimeSpan paused = GC.GetTotalPauseDuration();
        double each = (paused - _paused).TotalMicroseconds / (cycles - _cycles);
        for (int i = _cycles; i < cycles; i++)
        {
            _pausesUs.Add(each);
        }
        (_cycles, _paused) = (cycles, paused);
    }
}
