using System;

namespace Unikernel.Tests.Goroutines;

internal static class Others
{
    /// <summary>Lets the other goroutines run, on whatever cores, until all of them wait.</summary>
    public static void Settle()
    {
        int busy;
        do
        {
            Go.Gosched();
            busy = 0;
            Go.ForEach(g => busy += g.State is "running" or "runnable" ? 1 : 0);
        }
        while (busy > 1);
    }
}

/// <summary>While it lives, one core runs all goroutines: for tests of an order, as Go's own do with GOMAXPROCS(1).</summary>
internal sealed class OneCore : IDisposable
{
    private readonly int _before = Go.SetGoMaxProcs(1);

    public void Dispose() => Go.SetGoMaxProcs(_before);
}
