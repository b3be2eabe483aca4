// How long the goroutines of one slice have had a core: arithmetic only, the time is an argument.
//
// SC1  A slice begins at the first look that sees its number (P.SchedTick) and is over at the first look 10 ms later. How many
//      looks there are in between does not matter: timers make as many as they like.
// Context: anywhere. Allocates nothing. Reference: Go's sysmon, retake, forcePreemptNS.
namespace Unikernel.Runtime.Sched;

internal struct Slice
{
    internal const long LengthNs = 10_000_000;

    private uint _number;
    private long _sinceNs;

    /// <summary>A look at the time <paramref name="nowNs"/>: whether slice <paramref name="number"/> is over.</summary>
    internal bool IsOver(uint number, long nowNs)
    {
        if (_number == number)
        {
            return nowNs - _sinceNs >= LengthNs;
        }
        _number = number;
        _sinceNs = nowNs;
        return false;
    }
}
