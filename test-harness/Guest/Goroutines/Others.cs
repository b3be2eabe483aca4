using System;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

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

    /// <summary>Runs body(core) on every core, tied to it; returns when all have begun. The caller waits meanwhile: its core is needed.</summary>
    public static unsafe WaitGroup OnEachCore(Action<int> body)
    {
        using var none = new NoCollections();
        int cores = Go.GoMaxProcs;
        int arrived = 0;
        var begun = new WaitGroup();
        begun.Add(cores);
        var wg = new WaitGroup();
        for (int i = 0; i < cores; i++)
        {
            wg.Go(() =>
            {
                ThisCore.Acquire();             // nobody leaves its core until all have one each
                Interlocked.Increment(ref arrived);
                while (Volatile.Read(ref arrived) != cores)
                {
                }
                Go.LockOSThread();
                int core = Machine.CurrentCore->Id;
                ThisCore.Release();
                begun.Done();
                body(core);
            });
        }
        begun.Wait();
        return wg;
    }
}

/// <summary>
/// While it lives, nothing is collected. For tests in which a goroutine that cannot be interrupted waits for another one: a
/// collection between the two would wait for the first, on the core that the second needs.
/// </summary>
internal sealed class NoCollections : IDisposable
{
    private readonly int _before = GoMemory.SetGCPercent(-1);

    public NoCollections() => GC.Collect();         // returns when no cycle is under way

    public void Dispose() => GoMemory.SetGCPercent(_before);
}

/// <summary>While it lives, one core runs all goroutines: for tests of an order, as Go's own do with GOMAXPROCS(1).</summary>
internal sealed class OneCore : IDisposable
{
    private readonly int _before = Go.SetGoMaxProcs(1);

    public void Dispose() => Go.SetGoMaxProcs(_before);
}
