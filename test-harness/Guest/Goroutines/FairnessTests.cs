// Who runs when: Go's proc_test.go (parallelism, yields, preemption, ping-pong beside a hog, timers) and the thread ring.
using System;
using System.Threading;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public unsafe class FairnessTests
{
    // Each waits for its turn and cannot be taken off its core: it ends only if as many really run at once.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void As_many_goroutines_as_cores_run_at_the_same_time(bool withTimers)
    {
        using var none = new NoCollections();
        int procs = Go.GoMaxProcs;
        const int Rounds = 4;
        const int Turns = 3;
        GoTicker? ticker = withTimers ? new GoTicker(TimeSpan.FromMicroseconds(200)) : null;
        for (int round = 0; round < Rounds; round++)
        {
            int x = 0;
            var wg = new WaitGroup();
            for (int p = 0; p < procs; p++)
            {
                int mine = p;
                wg.Go(() =>
                {
                    for (int i = 0; i < Turns; i++)
                    {
                        int turn = (procs * i) + mine;
                        ThisCore.Acquire();
                        while (Volatile.Read(ref x) != turn)
                        {
                        }
                        Volatile.Write(ref x, turn + 1);
                        ThisCore.Release();
                        while (Volatile.Read(ref x) < procs * (i + 1))
                        {
                        }
                    }
                });
            }
            wg.Wait();
            Assert.Equal(procs * Turns, x);
        }
        ticker?.Stop();
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void Yielding_for_ever_lets_others_go_on(bool locked, bool oneCore)
    {
        using OneCore? one = oneCore ? new OneCore() : null;
        var c = new Chan<bool>();
        var acknowledged = new Chan<bool>();
        Go.Run(() =>
        {
            if (locked)
            {
                Go.LockOSThread();
            }
            while (!c.TryReceive(out _, out _))
            {
                Go.Gosched();
            }
            acknowledged.Send(true);
        });
        Go.Sleep(TimeSpan.FromMilliseconds(5));
        c.Send(true);
        Assert.True(acknowledged.Receive());
    }

    // No calls in the loops: only the end of its slice takes one off the core, and only then is it the other's turn.
    [Fact]
    public void Loops_that_wait_for_each_other_on_one_core()
    {
        using var one = new OneCore();
        const int Turns = 6;
        int x = 0;
        var wg = new WaitGroup();
        for (int p = 0; p < 2; p++)
        {
            int mine = p;
            wg.Go(() =>
            {
                for (int i = 0; i < Turns; i++)
                {
                    while (Volatile.Read(ref x) != (2 * i) + mine)
                    {
                    }
                    Volatile.Write(ref x, (2 * i) + mine + 1);
                }
            });
        }
        wg.Wait();
        Assert.Equal(2 * Turns, x);
    }

    // A goroutine that is tied to its core and never waits has its slice, and no more.
    [Fact]
    public void Hogs_tied_to_every_core_keep_nobody_out()
    {
        bool stop = false;
        WaitGroup hogs = Others.OnEachCore(_ =>
        {
            while (!Volatile.Read(ref stop))
            {
            }
        });
        var others = new WaitGroup();
        for (int i = 0; i < 2; i++)
        {
            bool locked = i == 1;
            others.Go(() =>
            {
                if (locked)
                {
                    Go.LockOSThread();
                }
                for (int turn = 0; turn < 5; turn++)
                {
                    Go.Gosched();
                }
            });
        }
        others.Wait();
        Volatile.Write(ref stop, true);
        hogs.Wait();
    }

    // Yielding on a core with nobody else to run but one that is tied to it.
    [Fact]
    public void Gosched_lets_one_run_that_is_tied_to_the_core()
    {
        using var one = new OneCore();
        int turns = 0;
        Go.Run(() =>
        {
            Go.LockOSThread();
            for (int i = 0; i < 10; i++)
            {
                turns++;
                Go.Gosched();
            }
        });
        for (int i = 0; i < 40 && turns < 10; i++)
        {
            Go.Gosched();
        }
        Assert.Equal(10, turns);
    }

    // When its core retires a goroutine goes to the global queue. Those that the last core has already, and that take turns
    // there, must not keep it waiting there.
    [Fact]
    public void Computing_goroutines_all_go_on_when_one_core_is_left()
    {
        int procs = Go.GoMaxProcs;
        bool stop = false;
        long[] steps = new long[(2 * procs) + 2];
        var wg = new WaitGroup();
        for (int i = 0; i < steps.Length; i++)
        {
            int mine = i;
            wg.Go(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    Volatile.Write(ref steps[mine], steps[mine] + 1);
                }
            });
        }
        for (int round = 0; round < 3; round++)
        {
            Go.SetGoMaxProcs(1);
            long[] before = [.. steps];
            for (int i = 0; i < steps.Length; i++)
            {
                while (Volatile.Read(ref steps[i]) == before[i])
                {
                    Go.Gosched();
                }
            }
            Go.SetGoMaxProcs(procs);
        }
        Volatile.Write(ref stop, true);
        wg.Wait();
    }

    // More of them than cores, waiting for each other in turn; what stops the world gets through all the same.
    [Fact]
    public void Loops_on_every_core_wait_for_each_other_while_the_world_stops()
    {
        int procs = Go.GoMaxProcs;
        int n = procs + 1;
        const int Turns = 2;
        int x = 0;
        var wg = new WaitGroup();
        for (int p = 0; p < n; p++)
        {
            int mine = p;
            wg.Go(() =>
            {
                for (int i = 0; i < Turns; i++)
                {
                    while (Volatile.Read(ref x) != (n * i) + mine)
                    {
                    }
                    Volatile.Write(ref x, (n * i) + mine + 1);
                }
            });
        }
        for (int i = 0; i < 5; i++)
        {
            Go.SetGoMaxProcs(1);
            Go.SetGoMaxProcs(procs);
        }
        wg.Wait();
        Assert.Equal(n * Turns, x);
    }

    // Two that hand a token to and fro, a thousand times longer work between for one pair than for the other: both pairs get
    // their share of the core, within Go's own factor. Without shares it is a thousand, every time; a busy host may take the
    // turns of one pair away, but not in every attempt.
    [Fact]
    public void Ping_pong_beside_a_hog_gets_its_share()
    {
        const int Factor = 20;
        const int Attempts = 5;
        using var one = new OneCore();
        (long hog, long light) = StepsOfTwoPairs();
        for (int i = 1; i < Attempts && !(hog / Factor <= light && light / Factor <= hog); i++)
        {
            (hog, light) = StepsOfTwoPairs();
        }
        Assert.True(hog > 0 && light > 0);
        Assert.True(hog / Factor <= light && light / Factor <= hog, $"{hog} steps beside {light}");
    }

    private static (long Hog, long Light) StepsOfTwoPairs()
    {
        long hog = 0;
        long light = 0;
        bool stop = false;
        var wg = new WaitGroup();
        var hogToken = new Chan<bool>(1);
        var lightToken = new Chan<bool>(1);
        for (int i = 0; i < 2; i++)
        {
            wg.Go(() => Pass(hogToken, 1_000_000, ref hog, ref stop));
            wg.Go(() => Pass(lightToken, 1000, ref light, ref stop));
        }
        hogToken.Send(true);
        lightToken.Send(true);
        Go.Sleep(TimeSpan.FromMilliseconds(400));
        Volatile.Write(ref stop, true);
        wg.Wait();
        return (hog, light);
    }

    private static void Pass(Chan<bool> token, int steps, ref long count, ref bool stop)
    {
        while (!Volatile.Read(ref stop))
        {
            if (!token.Receive(out _))
            {
                return;
            }
            for (int i = 0; i < steps; i++)
            {
                Volatile.Write(ref count, count + 1);
            }
            if (Volatile.Read(ref stop))
            {
                break;
            }
            token.Send(true);
        }
        token.TrySend(true);        // the other one may wait for it, and goes on to find stop
    }

    // Pairs that wake each other on every core; a timer must end them.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_timer_fires_although_every_core_is_busy(int pairsEach)
    {
        bool stop = false;
        var wg = new WaitGroup();
        for (int i = 0; i < pairsEach * Go.GoMaxProcs; i++)
        {
            var c = new Chan<bool>();
            wg.Go(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    c.Send(true);
                }
                c.Close();
            });
            wg.Go(() =>
            {
                while (c.Receive(out _))
                {
                }
            });
        }
        for (int i = 0; i < 5; i++)
        {
            _ = GoTime.After(TimeSpan.FromMilliseconds(1)).Receive();
        }
        Volatile.Write(ref stop, true);
        wg.Wait();
    }

    [Fact]
    public void The_thread_ring_names_its_winner()
    {
        const int Ring = 503;
#if LINUX
        const int Passes = 2_000_000;
        const int Winner = 73;
#else
        const int Passes = 20_000;
        const int Winner = 384;
#endif
        var result = new Chan<int>();
        var first = new Chan<int>();
        Chan<int> input = first;
        for (int id = 1; id <= Ring; id++)
        {
            Chan<int> from = input;
            Chan<int> to = id == Ring ? first : new Chan<int>();
            int mine = id;
            Go.Run(() =>
            {
                while (from.Receive(out int left))
                {
                    if (left == 0)
                    {
                        result.Send(mine);
                        break;
                    }
                    to.Send(left - 1);
                }
                to.Close();             // once around, and all end
            });
            input = to;
        }
        first.Send(Passes);
        Assert.Equal(Winner, result.Receive());
    }

    [Fact]
    public void Goroutines_at_the_start_are_one() => Assert.Equal(1, Guest.Program.GoroutinesAtStart);
}
