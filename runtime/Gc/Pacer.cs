// The pacer: when a collection starts, how large the heap may be when it ends, and how much an allocation must help.
//
// All sizes are bytes; "work" is bytes scanned; "live" is what the last cycle marked plus what was allocated since.
// PC1  Goal: marked + (marked + stacks + globals) * GOGC / 100, at least 4 MiB * GOGC / 100; no goal with GOGC off.
// PC2  Under a memory limit the goal is at most what the limit leaves after everything that is no heap object, less a
//      headroom of 3 % and at least 1 MiB. It never falls below marked and a little: a limit under the live heap costs
//      time (and CpuLimiter bounds that), it does not stop the program.
// PC3  Trigger: between 0.7 and 0.95 of the way from marked to the goal, or up to 4 MiB before the goal if that is
//      later; in between, the goal less the runway: what the program allocates while background workers with a quarter
//      of the CPU scan what was scanned last time.
// PC4  cons/mark = bytes allocated per CPU-nanosecond of the program, over bytes scanned per CPU-nanosecond of marking,
//      measured in every cycle; the largest of the last five is used: a collection begun early costs less than assists.
// PC5  While marking, an allocated byte is worth AssistWorkPerByte of work, so that the work left ends when the room left
//      does. Nothing here divides by zero; the two ratios are finite and positive.
// PC6  Most: nobody allocates beyond it before a cycle has ended. A tenth above the goal, at least 1 MiB; under a memory
//      limit not beyond the limit, less the headroom.
// Context: under the lock of the collector's state or with the world stopped; the assist ratios are read without (a stale
// one does no harm). No clock: times come in. Allocates nothing. Reference: Go's mgcpacer.go.
using System.Runtime.InteropServices;

namespace Unikernel.Runtime.Gc;

/// <summary>What the memory limit is compared with. Bytes.</summary>
internal struct PacerMemory
{
    internal long TotalBytes;           // all memory the runtime holds: heap, stacks, its own structures
    internal long HeapFreeBytes;        // of it, pages in no span
    internal long HeapAllocBytes;       // of it, objects, those not swept yet included
}

/// <summary>What a mark phase has cost and found.</summary>
internal struct CycleResult
{
    internal long MarkedBytes;          // objects that live on
    internal long LiveEndBytes;         // live when marking ended
    internal long HeapScanWork;
    internal long StackScanWork;
    internal long GlobalsScanWork;
    internal long TotalCpuNs;           // length of the mark phase times cores
    internal long MarkCpuNs;            // background workers and assists
    internal long IdleMarkNs;           // workers on cores that had nothing else to do
}

[StructLayout(LayoutKind.Sequential)]
internal struct Pacer
{
    internal const long None = long.MaxValue;           // no goal, no limit, not in a cycle
    internal const double BackgroundUtilization = 0.25;
    internal const long OverAssistWork = 64 << 10;      // an assist does so much at least, and has it credited
    internal const long DefaultHeapMinimumBytes = 4 << 20;

    private const int ForcedGcPercent = 100_000;        // in effect while a forced cycle runs with GOGC off
    private const long MinRunwayBytes = 64 << 10;
    private const long MostMinBytes = 1 << 20;
    private const long LimitHeadroomBytes = 1 << 20;
    private const long LimitHeadroomPercent = 3;
    private const int LimitSlackShift = 7;              // PC2: "a little" is 1/128 of the heap
    private const int TriggerDenominator = 64;
    private const int TriggerLeast = 45;                // 0.70
    private const int TriggerMost = 61;                 // 0.95
    private const long LeastWork = 1000;
    private const double Overshoot = 1.1;
    private const double MaxBytes = 1L << 62;           // clamps computed sizes
    private const int LeastMutatorShare = 64;           // PC4: at least 1/64 of the CPU, whatever was measured

    private long _lastHeapScanBytes;
    private long _stackScanBytes;
    private long _globalsScanBytes;
    private long _heapScannableBytes;                   // when the cycle began
    private long _percentGoalBytes;
    private long _runwayBytes;
    private double _consMark1;                          // the last but one, and so on
    private double _consMark2;
    private double _consMark3;
    private double _consMark4;

    /// <summary>GOGC; -1 = off.</summary>
    internal int GcPercent { get; private set; }

    /// <summary>GOMEMLIMIT; <see cref="None"/> = none.</summary>
    internal long MemoryLimitBytes { get; private set; }

    internal long HeapMinimumBytes { get; private set; }

    /// <summary>What the last cycle marked.</summary>
    internal long MarkedBytes { get; private set; }

    /// <summary>Live when the running cycle began; <see cref="None"/> between cycles.</summary>
    internal long TriggeredBytes { get; private set; }

    internal double ConsMark { get; private set; }

    internal double AssistWorkPerByte { get; private set; }

    internal double AssistBytesPerWork { get; private set; }

    /// <summary>Cores that mark until marking ends; chosen by <see cref="StartCycle"/>.</summary>
    internal int DedicatedWorkers { get; private set; }

    /// <summary>The share of its time that every other core marks.</summary>
    internal double FractionalUtilization { get; private set; }

    internal void Init(int gcPercent, long memoryLimitBytes)
    {
        this = default;
        TriggeredBytes = None;
        MemoryLimitBytes = memoryLimitBytes;
        _ = SetGcPercent(gcPercent);
    }

    /// <summary>Negative = off. The percentage before.</summary>
    internal int SetGcPercent(int gcPercent)
    {
        int old = GcPercent;
        GcPercent = gcPercent < 0 ? -1 : gcPercent;
        HeapMinimumBytes = gcPercent < 0 ? 0 : DefaultHeapMinimumBytes * gcPercent / 100;
        Commit();
        return old;
    }

    /// <summary>Negative changes nothing. The limit before.</summary>
    internal long SetMemoryLimit(long bytes)
    {
        long old = MemoryLimitBytes;
        MemoryLimitBytes = bytes < 0 ? old : bytes;
        return old;
    }

    /// <summary>What a cycle would have to scan besides the heap has changed.</summary>
    internal void SetRoots(long stackBytes, long globalsBytes)
    {
        _stackScanBytes = stackBytes;
        _globalsScanBytes = globalsBytes;
        Commit();
    }

    private readonly long ExpectedScan => _lastHeapScanBytes + _stackScanBytes + _globalsScanBytes;

    private void Commit()
    {
        _percentGoalBytes = None;
        if (GcPercent >= 0)
        {
            long grown = MarkedBytes + _stackScanBytes + _globalsScanBytes;
            _percentGoalBytes = GcPercent != 0 && grown > None / GcPercent ? None : Sum(MarkedBytes, grown * GcPercent / 100);
            _percentGoalBytes = Max(_percentGoalBytes, HeapMinimumBytes);
        }
        _runwayBytes = Bytes(ConsMark * (1 - BackgroundUtilization) / BackgroundUtilization * ExpectedScan);
    }

    /// <summary>PC1, PC2: live may be so large when the next cycle ends (or the running one).</summary>
    internal readonly long Goal(in PacerMemory memory)
    {
        long limited = LimitGoal(memory);
        if (limited < _percentGoalBytes)
        {
            return limited;
        }
        // The start may have come late, or with one large object.
        return TriggeredBytes == None ? _percentGoalBytes : Max(_percentGoalBytes, Sum(TriggeredBytes, MinRunwayBytes));
    }

    /// <summary>PC6. <see cref="None"/>: no bound.</summary>
    internal readonly long Most(in PacerMemory memory)
    {
        long goal = Goal(memory);
        if (goal == None)
        {
            return None;
        }
        long most = Sum(goal, Max(goal / 10, MostMinBytes));
        long limited = LimitGoal(memory);
        return limited == None ? most : Max(goal, Min(most, Sum(limited, LimitHeadroomBytes)));
    }

    /// <summary>PC6, from the end of marking until all is swept; <paramref name="liveEndBytes"/> were live at that.</summary>
    internal static long MostWhileSweeping(long liveEndBytes) => Sum(liveEndBytes, Max(liveEndBytes >> 4, MostMinBytes));

    // PC2
    private readonly long LimitGoal(in PacerMemory memory)
    {
        if (MemoryLimitBytes == None)
        {
            return None;
        }
        long least = Sum(MarkedBytes, Max(MinRunwayBytes, MarkedBytes >> LimitSlackShift));
        long other = Max(0, memory.TotalBytes - memory.HeapFreeBytes - memory.HeapAllocBytes);
        other = Sum(other, Max(0, memory.TotalBytes - MemoryLimitBytes));    // what is over already has to go, too
        if (other >= MemoryLimitBytes)
        {
            return least;
        }
        long goal = MemoryLimitBytes - other;
        long headroom = Max(goal / 100 * LimitHeadroomPercent, LimitHeadroomBytes);
        goal = goal - headroom < headroom ? headroom : goal - headroom;
        return Max(goal, least);
    }

    /// <summary>PC3: a cycle starts when live has come to this. <see cref="None"/>: never by itself.</summary>
    internal readonly long Trigger(in PacerMemory memory, out long goalBytes)
    {
        goalBytes = Goal(memory);
        if (goalBytes == None || MarkedBytes >= goalBytes)
        {
            return goalBytes;
        }
        long way = goalBytes - MarkedBytes;
        long least = MarkedBytes + Part(way, TriggerLeast);
        long most = MarkedBytes + Part(way, TriggerMost);
        most = Max(most, goalBytes - DefaultHeapMinimumBytes);
        most = Max(most, least);
        long trigger = goalBytes - _runwayBytes;            // both not negative
        trigger = Max(trigger, least);
        return trigger < most ? trigger : most;
    }

    private static long Part(long way, int of64) => (way / TriggerDenominator * of64) + (way % TriggerDenominator * of64 / TriggerDenominator);

    /// <summary>
    /// Marking begins: <paramref name="liveBytes"/> now, of which <paramref name="scannableBytes"/> may hold references;
    /// on <paramref name="cores"/> cores.
    /// </summary>
    internal void StartCycle(long liveBytes, long scannableBytes, int cores, in PacerMemory memory)
    {
        TriggeredBytes = liveBytes;
        _heapScannableBytes = scannableBytes;
        double wanted = cores * BackgroundUtilization;
        DedicatedWorkers = (int)(wanted + 0.5);
        FractionalUtilization = 0;
        double error = (DedicatedWorkers / wanted) - 1;
        if (error is < -0.3 or > 0.3)                       // up to 3 cores, and 6
        {
            DedicatedWorkers -= DedicatedWorkers > wanted ? 1 : 0;
            FractionalUtilization = (wanted - DedicatedWorkers) / cores;
        }
        Revise(liveBytes, 0, memory);
    }

    /// <summary>PC5 anew, after <paramref name="work"/> of this cycle; from time to time while marking.</summary>
    internal void Revise(long liveBytes, long work, in PacerMemory memory)
    {
        double goal = Goal(memory);
        long expected = ExpectedScan;
        long most = Max(_heapScannableBytes + _stackScanBytes + _globalsScanBytes, expected);
        if (work > expected)
        {
            // More than last time, so the heap grows: the room is stretched as the worst case stretches the work, which
            // leaves the ratio as it was; but not beyond what the next cycle will use in any case.
            double stretched = expected == 0 ? double.MaxValue
                : ((goal - TriggeredBytes) / expected * most) + TriggeredBytes;
            double hard = goal * (1 + ((GcPercent < 0 ? ForcedGcPercent : GcPercent) / 100.0));
            goal = Limited(stretched < hard ? stretched : hard, goal, memory);
            expected = most;
        }
        if (liveBytes > goal)
        {
            goal *= Overshoot;
            expected = most;
        }
        double workLeft = expected - work < LeastWork ? LeastWork : expected - work;
        double room = goal - liveBytes < 1 ? 1 : goal - liveBytes;
        AssistWorkPerByte = workLeft / room;
        AssistBytesPerWork = room / workLeft;
    }

    // A memory limit is not stretched (the percentage's goal may be).
    private readonly double Limited(double stretched, double goal, in PacerMemory memory)
    {
        double limit = LimitGoal(memory);
        double most = limit > goal ? limit : goal;
        return stretched < most ? stretched : most;
    }

    /// <summary>
    /// The work that pays <paramref name="debtBytes"/> of allocation, at least <see cref="OverAssistWork"/>; the debt
    /// becomes what that work is worth.
    /// </summary>
    internal readonly long AssistWork(ref long debtBytes)
    {
        long work = Bytes(AssistWorkPerByte * debtBytes);
        if (work < OverAssistWork)
        {
            work = OverAssistWork;
            debtBytes = Bytes(AssistBytesPerWork * work);
        }
        return work;
    }

    /// <summary>Marking has ended: PC4, and the next cycle's goal and trigger.</summary>
    internal void EndCycle(in CycleResult cycle)
    {
        long allocated = cycle.LiveEndBytes - TriggeredBytes;
        long work = cycle.HeapScanWork + cycle.StackScanWork + cycle.GlobalsScanWork;
        // Nothing allocated or nothing to scan: the cycle was too short to tell anything.
        if (TriggeredBytes != None && allocated > 0 && work > 0 && cycle.TotalCpuNs > 0)
        {
            long mutatorNs = Max(cycle.TotalCpuNs - cycle.MarkCpuNs, (cycle.TotalCpuNs / LeastMutatorShare) + 1);
            long markNs = Max(cycle.MarkCpuNs + cycle.IdleMarkNs, 1);
            double now = (double)allocated / mutatorNs * markNs / work;
            double largest = Larger(Larger(_consMark1, _consMark2), Larger(_consMark3, _consMark4));
            ConsMark = Larger(now, largest);
            _consMark4 = _consMark3;
            _consMark3 = _consMark2;
            _consMark2 = _consMark1;
            _consMark1 = now;
        }
        MarkedBytes = cycle.MarkedBytes;
        _lastHeapScanBytes = cycle.HeapScanWork;
        _stackScanBytes = cycle.StackScanWork;
        _globalsScanBytes = cycle.GlobalsScanWork;
        TriggeredBytes = None;
        Commit();
    }

    private static long Bytes(double bytes) => bytes < MaxBytes ? (long)bytes : (long)MaxBytes;

    private static long Sum(long a, long b) => a > None - b ? None : a + b;

    private static long Max(long a, long b) => a > b ? a : b;

    private static long Min(long a, long b) => a < b ? a : b;

    private static double Larger(double a, double b) => a > b ? a : b;
}
