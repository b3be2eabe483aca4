// Stacks of parked goroutines that were put elsewhere: they come back as they were, whoever asks for them first.
using System;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Memory;

public class StashTests
{
    private const int Many = 500;
    private const int MostCollections = 200;
    private const int Words = 24;

    private static object? s_sink;

    // Everything a stack can hold: numbers, references that nothing else has, references into objects, and pointers into itself.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static unsafe long Hold(int i, Action park)
    {
        long* numbers = stackalloc long[Words];
        for (int k = 0; k < Words; k++)
        {
            numbers[k] = (i * 1000L) + k;
        }
        long* own = &numbers[Words - 1];
        int[] array = [i, i + 1, i + 2];
        ref int inside = ref array[1];
        string text = i.ToString();
        double number = i / 3.0;
        Span<long> span = new(numbers, Words);
        park();
        long sum = *own + inside + text.Length + (long)(number * 3);
        foreach (long n in span)
        {
            sum += n;
        }
        return sum;
    }

    private static long Expected(int i) =>
        Enumerable.Range(0, Words).Sum(k => (i * 1000L) + k) + (i * 1000L) + Words - 1 + i + 1 + i.ToString().Length + (long)(i / 3.0 * 3);

    internal static int Stashed()
    {
        GoMemory.ReadMemStats(out MemStats stats);
        return stats.StacksStashed;
    }

    // Some spin before they wait, and a core may be held up: who is not parked yet is stashed by a later collection.
    internal static void CollectUntilStashed(int many)
    {
        GC.Collect();
        for (int i = 0; Stash.IsOn && Stashed() < many; i++)
        {
            Assert.True(i < MostCollections, $"{Stashed()} stashed");
            Go.Gosched();
            GC.Collect();
        }
    }

    private static void CollectAndLitter()
    {
        GC.Collect();
        for (int i = 0; i < 20_000; i++)
        {
            s_sink = new int[3 + (i % 5)];          // takes the place of whatever was freed wrongly
        }
    }

    private static void WhileParked(Action<int> park, Action wake, int rounds)
    {
        var done = new WaitGroup();
        int started = 0;
        int wrong = 0;
        for (int i = 0; i < Many; i++)
        {
            int me = i;
            done.Go(() =>
            {
                Interlocked.Increment(ref started);
                long sum = Hold(me, () => park(me));
                if (sum != Expected(me))
                {
                    Interlocked.Increment(ref wrong);
                }
            });
        }
        while (Volatile.Read(ref started) < Many)
        {
            Go.Gosched();
        }
        CollectUntilStashed(Many);
        for (int i = 0; i < rounds; i++)
        {
            CollectAndLitter();
            Assert.True(!Stash.IsOn || Stashed() >= Many, $"{Stashed()} stashed");
        }
        wake();
        done.Wait();
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void A_stack_comes_back_as_it_was()
    {
        var gate = new Chan<int>();
        WhileParked(_ => gate.Receive(), gate.Close, 3);
    }

    [Fact]
    public void Whatever_it_waits_for()
    {
        var gate = new WaitGroup();
        gate.Add(1);
        var monitor = new object();
        var pulse = new ManualResetEventSlim();
        var slow = new TaskCompletionSourceOfThreads();
        WhileParked(
            i =>
            {
                switch (i % 4)
                {
                    case 0: gate.Wait(); break;
                    case 1: pulse.Wait(); break;
                    case 2: slow.Wait(); break;
                    default:
                        lock (monitor)
                        {
                            Monitor.Wait(monitor);
                        }
                        break;
                }
            },
            () =>
            {
                gate.Done();
                pulse.Set();
                slow.Set();
                lock (monitor)
                {
                    Monitor.PulseAll(monitor);
                }
            },
            2);
    }

    private sealed class TaskCompletionSourceOfThreads
    {
        private readonly System.Threading.Tasks.TaskCompletionSource _source = new();

        internal void Wait() => _source.Task.Wait();

        internal void Set() => _source.SetResult();
    }

    [Fact]
    public void Its_timers_find_it()
    {
        var done = new WaitGroup();
        long sum = 0;
        for (int i = 0; i < Many; i++)
        {
            int me = i;
            done.Go(() => Interlocked.Add(ref sum, Hold(me, static () => Go.Sleep(TimeSpan.FromMilliseconds(60)))));
        }
        Go.Sleep(TimeSpan.FromMilliseconds(5));
        CollectAndLitter();
        CollectAndLitter();
        done.Wait();
        Assert.Equal(Enumerable.Range(0, Many).Sum(Expected), sum);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Deep(int n, Chan<int> gate)
    {
        Span<byte> room = stackalloc byte[200];
        room.Fill((byte)n);
        if (n == 0)
        {
            return gate.Receive();
        }
        int below = Deep(n - 1, gate);
        return below + (room[0] == (byte)n && room[199] == (byte)n ? 1 : -1000);
    }

    [Fact]
    public void A_deep_stack_stays_and_loses_only_what_it_does_not_use()
    {
        var gate = new Chan<int>();
        var done = new WaitGroup();
        int sum = 0;
        for (int i = 0; i < 20; i++)
        {
            done.Go(() =>
            {
                _ = Deep(400, Closed());                // more pages than it parks with
                Interlocked.Add(ref sum, Deep(50, gate));
                Interlocked.Add(ref sum, Deep(400, Closed()));
            });
        }
        Go.Sleep(TimeSpan.FromMilliseconds(20));
        CollectAndLitter();
        CollectAndLitter();
        gate.Close();
        done.Wait();
        Assert.Equal(20 * 450, sum);
    }

    private static Chan<int> Closed()
    {
        var c = new Chan<int>();
        c.Close();
        return c;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WaitsHere(Chan<int> gate) => _ = gate.Receive();

    [Fact]
    public void A_picture_of_the_scheduler_shows_it_as_before()
    {
        var gate = new Chan<int>();
        var done = new WaitGroup();
        for (int i = 0; i < 8; i++)
        {
            done.Go(() => WaitsHere(gate));
        }
        string[] before;
        do
        {
            Go.Gosched();
            before = Waiting();
        }
        while (before.Length < 8);
        CollectAndLitter();
        Assert.Equal(before, Waiting());
        gate.Close();
        done.Wait();
    }

    private static string[] Waiting() => [.. Go.Snapshot().Goroutines
        .Where(static g => g.IsWaiting && g.Function.Contains(nameof(WaitsHere), StringComparison.Ordinal))
        .Select(static g => $"{g.Id} {g.State} {g.Function} {g.Location}")];

    // Goroutines that park and go on all the time while collections, each of which stashes whoever is parked, follow each other.
    [Fact]
    public void Collections_do_not_disturb_who_parks_and_goes_on()
    {
        const int rings = 8;
        const int members = 25;
        bool stop = false;
        var done = new WaitGroup();
        long passed = 0;
        int wrong = 0;
        for (int r = 0; r < rings; r++)
        {
            var links = new Chan<long>[members];
            for (int i = 0; i < members; i++)
            {
                links[i] = new Chan<long>();
            }
            for (int i = 0; i < members; i++)
            {
                Chan<long> from = links[i];
                Chan<long> to = links[(i + 1) % members];
                int me = i;
                done.Go(() =>
                {
                    int[] mine = [me, ~me];
                    while (from.Receive(out long token))
                    {
                        wrong += me == ~mine[1] ? 0 : 1;
                        if (me == 0)
                        {
                            Interlocked.Increment(ref passed);
                            if (Volatile.Read(ref stop))
                            {
                                break;
                            }
                        }
                        to.Send(token + 1);
                    }
                    to.Close();
                });
            }
            links[0].Send(0);
        }
        for (int i = 0; i < 60; i++)
        {
            GC.Collect();
        }
        Volatile.Write(ref stop, true);
        done.Wait();
        Assert.Equal(0, wrong);
        Assert.True(passed >= rings);
    }
}
