// Safety: no object is lost or freed early, whatever refers to it. See Mutator.cs; kernel arguments for long runs:
// MUTATE_STEPS=n for each goroutine, MUTATE_SEED=n.
using System;
using System.Globalization;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Memory;

public class MutatorTests
{
#if LINUX
    private const int LeastSteps = 4000;
#else
    private const int LeastSteps = 800;
#endif
    private const int Collections = 5;

    private static ulong Argument(string name, ulong without) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : without;

    [Theory]
    [InlineData(1, 0x5EED_0001UL)]
    [InlineData(3, 0x5EED_0002UL)]
    [InlineData(8, 0x5EED_0003UL)]
    public void Graphs_stay_what_the_model_says(int goroutines, ulong seed)
    {
        seed = Argument("MUTATE_SEED", seed);
        int steps = (int)Argument("MUTATE_STEPS", (ulong)(LeastSteps / goroutines));
        int collections = GC.CollectionCount(0);
        long taken = 0;
        Exception? failure = null;
        var buffered = new Chan<Node>(8);
        var direct = new Chan<Node>();
        var wg = new WaitGroup();
        int running = goroutines;
        for (int i = 0; i < goroutines; i++)
        {
            int number = i;
            wg.Go(() =>
            {
                try
                {
                    var m = new Mutator(number, (seed * 0x1_0001) + (ulong)number + 1, buffered, direct);
                    m.Run(steps, () => Volatile.Read(ref failure) is not null || GC.CollectionCount(0) - collections >= Collections);
                    Interlocked.Add(ref taken, m.Steps);
                }
                catch (Exception e)
                {
                    Volatile.Write(ref failure, e);
                }
                Interlocked.Decrement(ref running);
            });
        }
        // Parked with references in their hands, on either side: direct -> buffered -> the last.
        var last = new Chan<Node>();
        wg.Go(() => Relay(direct, buffered, ref failure));
        wg.Go(() => Relay(direct, buffered, ref failure));
        var relays = new WaitGroup();
        relays.Go(() =>
        {
            Relay(buffered, last, ref failure);
            last.Close();
        });
        relays.Go(() => Receive(last, ref failure));
        while (Volatile.Read(ref running) > 0)
        {
            GC.Collect();
            Go.Sleep(TimeSpan.FromMicroseconds(200));
        }
        direct.Close();
        wg.Wait();
        buffered.Close();
        relays.Wait();
        Console.WriteLine($"mutator: {taken} steps, {GC.CollectionCount(0) - collections} collections, seed {seed}");
        if (failure is not null)
        {
            Console.WriteLine($"mutator: {failure.GetType().Name}: {failure.Message}");    // what is wrong may also spoil the trace
        }
        Assert.True(failure is null, $"seed {seed} with {goroutines} goroutines: {failure}");
    }

    private static void Relay(Chan<Node> from, Chan<Node> to, ref Exception? failure)
    {
        try
        {
            while (from.Receive(out Node n))
            {
                n.CheckDeep(n.Id, 3);
                to.Send(n);
            }
        }
        catch (Exception e)
        {
            Volatile.Write(ref failure, e);
        }
    }

    // Slower than they are sent.
    private static void Receive(Chan<Node> from, ref Exception? failure)
    {
        try
        {
            foreach (Node n in from)
            {
                n.CheckDeep(n.Id, 3);
                Go.Gosched();
            }
        }
        catch (Exception e)
        {
            Volatile.Write(ref failure, e);
        }
    }
}
