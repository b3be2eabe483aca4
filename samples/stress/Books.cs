using System.Threading;

namespace Unikernel.Samples;

/// <summary>What all lanes count together.</summary>
internal sealed class Books
{
    public readonly WaitGroup Running = new();
    public bool IsOver;
    public long Started;
    public long Ended;
    public long Sent;           // the sum of all values handed over, where they were sent
    public long Received;       // and where they came in
    public long Unlocked;       // the same steps, counted by interlocked additions
    public long Yields;
    public long Sleeps;
    public long Spins;
    public long Pins;
    public long Strays;         // what must never happen
    private readonly object _lock = new();
    private long _locked;       // and under the lock

    public void CountLocked()
    {
        Interlocked.Increment(ref Unlocked);
        lock (_lock)
        {
            _locked++;
        }
    }

    public bool Balance()
    {
        lock (_lock)
        {
            return Started == Ended && Sent == Received && Unlocked == _locked && Strays == 0;
        }
    }

    public override string ToString() =>
        $"started {Volatile.Read(ref Started)}, ended {Volatile.Read(ref Ended)}, yields {Volatile.Read(ref Yields)}, "
        + $"sleeps {Volatile.Read(ref Sleeps)}, long computations {Volatile.Read(ref Spins)}, pinned {Volatile.Read(ref Pins)}, strays {Volatile.Read(ref Strays)}";
}
