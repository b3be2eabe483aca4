// Keeps the collector from taking more than half of the CPU for long, as when the memory limit is below the live heap.
//
// CL1  A bucket with room for one CPU-second a core: time of the collector fills it, time of the program drains it. It is
//      never below empty: long idleness earns no credit.
// CL2  While it is full, allocations do not assist: the background workers' quarter of the CPU is all the collector gets.
// Context: under the lock of the collector's state; IsLimiting is read anywhere. No clock: times come in. Allocates
// nothing. Reference: Go's mgclimit.go.
namespace Unikernel.Runtime.Gc;

internal struct CpuLimiter
{
    internal const long CapacityPerCoreNs = 1_000_000_000;

    private long _fillNs;
    private long _capacityNs;

    /// <summary>CL2; atomic.</summary>
    internal bool IsLimiting { get; private set; }

    internal readonly long FillNs => _fillNs;

    /// <summary>Time of the collector that found the bucket full.</summary>
    internal long OverflowNs { get; private set; }

    internal void SetCores(int cores)
    {
        _capacityNs = cores * CapacityPerCoreNs;
        _fillNs = _fillNs < _capacityNs ? _fillNs : _capacityNs;
        IsLimiting = _fillNs == _capacityNs;
    }

    /// <summary>CPU time since the last call, all cores together; pauses count as the collector's on every core.</summary>
    internal void Account(long mutatorNs, long gcNs)
    {
        long fill = _fillNs + gcNs - mutatorNs;
        if (fill > _capacityNs)
        {
            OverflowNs += fill - _capacityNs;
            fill = _capacityNs;
        }
        _fillNs = fill < 0 ? 0 : fill;
        IsLimiting = _fillNs == _capacityNs;
    }
}
