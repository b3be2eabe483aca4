// A program and a collector as two rates: enough to close the pacer's loop on the host.
//
// In steps of 10 µs: background workers have a quarter of the cores, the program the rest, of which it pays the assists
// that the pacer asks for beyond the background's credit. Objects allocated while marking survive the cycle.
using System;
using Unikernel.Runtime.Gc;

namespace Unikernel.Tests.Gc;

internal sealed class PacerSimulation
{
    private const double StepNs = 10_000;
    private Pacer _pacer;
    private CpuLimiter _limiter;
    private double _live;
    private double _committed;

    internal PacerSimulation(int gcPercent, long limitBytes = Pacer.None, int cores = 4)
    {
        Cores = cores;
        _pacer.Init(gcPercent, limitBytes);
        _limiter.SetCores(cores);
    }

    internal int Cores { get; }

    /// <summary>What a cycle finds alive of what was there when it began.</summary>
    internal double LiveBytes { get; set; }

    /// <summary>Memory that is no heap.</summary>
    internal double OtherBytes { get; init; }

    internal double ScannableShare { get; init; } = 1;

    internal long StackBytes { get; init; } = 64 << 10;

    /// <summary>Bytes a core allocates in a nanosecond, when it does nothing else.</summary>
    internal double AllocPerNs { get; set; } = 1;

    internal double ScanPerNs { get; init; } = 2;

    internal ref Pacer Pacer => ref _pacer;

    internal ref CpuLimiter Limiter => ref _limiter;

    /// <summary>The most memory there was since the last call.</summary>
    internal double TakePeak()
    {
        double peak = _committed + OtherBytes;
        _committed = _live;
        return peak;
    }

    internal readonly record struct Cycle(double Start, double End, double Goal, double AssistShare, double MarkShare, double MutatorNs, double TotalNs);

    private PacerMemory Memory => new()
    {
        TotalBytes = (long)(OtherBytes + _committed),
        HeapFreeBytes = (long)(_committed - _live),
        HeapAllocBytes = (long)_live,
    };

    private void Grow(double bytes)
    {
        _live += bytes;
        _committed = Math.Max(_committed, _live);
    }

    /// <summary>Allocates until a cycle starts, and through it. One object of <paramref name="largeBytes"/> starts it, if not 0.</summary>
    internal Cycle Run(double largeBytes = 0)
    {
        double before = _live;
        double trigger = _pacer.Trigger(Memory, out _);
        if (trigger == Pacer.None && largeBytes == 0)
        {
            throw new InvalidOperationException("no cycle would ever start");
        }
        // The limit's goal moves with what is committed, so the trigger is asked for again and again.
        while (_live < trigger && largeBytes == 0)
        {
            Grow(Math.Max((trigger - _live) / 2, 8192));
            trigger = _pacer.Trigger(Memory, out _);
        }
        Grow(largeBytes);
        double runNs = (_live - before) / AllocPerNs;
        _limiter.Account((long)runNs, 0);

        double start = _live;
        double toScan = (LiveBytes * ScannableShare) + StackBytes;
        double done = 0;
        double credit = 0;
        double assistNs = 0;
        double steps = 0;
        _pacer.StartCycle((long)_live, (long)(_live * ScannableShare), Cores, Memory);
        for (; done < toScan; steps++)
        {
            double background = StepNs * Cores * Pacer.BackgroundUtilization;
            double program = (StepNs * Cores) - background;
            done += background * ScanPerNs;
            credit += background * ScanPerNs;
            double ratio = _limiter.IsLimiting ? 0 : _pacer.AssistWorkPerByte;
            double bytes = program * AllocPerNs;
            double assist = 0;
            if (ratio * bytes > credit)
            {
                bytes = (program + (credit / ScanPerNs)) / ((1 / AllocPerNs) + (ratio / ScanPerNs));
                assist = Math.Min((ratio * bytes) - credit, Math.Max(0, toScan - done));
                credit = 0;
            }
            else
            {
                credit -= ratio * bytes;
            }
            done += assist;
            assistNs += assist / ScanPerNs;
            Grow(bytes);
            double gcNs = background + (assist / ScanPerNs);
            _limiter.Account((long)((StepNs * Cores) - gcNs), (long)gcNs);
            _pacer.Revise((long)_live, (long)done, Memory);
            if (double.IsNaN(_pacer.AssistWorkPerByte) || _pacer.AssistWorkPerByte <= 0 || _pacer.AssistBytesPerWork <= 0)
            {
                throw new InvalidOperationException("PC5");
            }
        }
        double totalNs = steps * StepNs * Cores;
        double markNs = (totalNs * Pacer.BackgroundUtilization) + assistNs;
        var cycle = new Cycle(start, _live, _pacer.Goal(Memory), assistNs / totalNs, markNs / totalNs, runNs + totalNs - markNs, runNs + totalNs);
        double marked = LiveBytes + (_live - start);
        _pacer.EndCycle(new CycleResult
        {
            MarkedBytes = (long)marked,
            LiveEndBytes = (long)_live,
            HeapScanWork = (long)(LiveBytes * ScannableShare),
            StackScanWork = StackBytes,
            TotalCpuNs = (long)totalNs,
            MarkCpuNs = (long)markNs,
        });
        _live = marked;
        return cycle;
    }

    internal Cycle RunMany(int cycles)
    {
        Cycle last = default;
        for (int i = 0; i < cycles; i++)
        {
            last = Run();
        }
        return last;
    }
}
