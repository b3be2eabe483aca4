// Mutual exclusion (C#'s lock, where Go has sync.Mutex) and waiting for a count.
namespace Unikernel.Bench;

internal static class Locks
{
    private const int Lockers = 4;

    private sealed class Counter
    {
        private readonly System.Threading.Lock _gate = new();
        internal long Count;

        internal void Increment(int n)
        {
            for (int i = 0; i < n; i++)
            {
                lock (_gate)
                {
                    Count++;
                }
            }
        }
    }

    internal static void Mutex() => Report.Timed(static n =>
    {
        var c = new Counter();
        c.Increment(n);
        Report.Check("count", c.Count, n);
    });

    internal static void MutexContended() => Report.Timed(static n =>
    {
        int each = Report.AtLeast1(n / Lockers);
        var c = new Counter();
        var done = new WaitGroup();
        done.Add(Lockers);
        for (int i = 0; i < Lockers; i++)
        {
            Go.Run(() =>
            {
                c.Increment(each);
                done.Done();
            });
        }
        done.Wait();
        Report.Check("count", c.Count, (long)each * Lockers);
    });

    internal static void WaitGroup() => Report.Timed(static n =>
    {
        var group = new WaitGroup();
        for (int i = 0; i < n; i++)
        {
            group.Add(1);
            group.Done();
        }
        group.Wait();
    });
}
