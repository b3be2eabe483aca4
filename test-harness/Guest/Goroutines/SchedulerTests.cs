// Goroutines and their scheduling: Go's proc_test.go.
using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class SchedulerTests
{
    [Fact]
    public void Created_last_runs_first_then_in_order()
    {
        using var one = new OneCore();
        string seen = "";
        for (int attempt = 0; attempt < 20 && seen != "3 0 1 2"; attempt++)    // a tick in between changes the order
        {
            var order = new List<int>();
            var wg = new WaitGroup();
            for (int i = 0; i < 4; i++)
            {
                int number = i;
                wg.Go(() => order.Add(number));
            }
            wg.Wait();
            seen = string.Join(' ', order);
        }
        Assert.Equal("3 0 1 2", seen);
    }

    [Fact]
    public void Argument_is_the_callers()
    {
        var c = new Chan<string>(3);
        string text = "first";
        Go.Run(s => c.Send(s), text);
        text = "second";
        Assert.Equal("first", c.Receive());
        Go.Run(n => c.Send($"{n + 1}"), 41, 1 << 20);
        Assert.Equal("42", c.Receive());
    }

    [Fact]
    public void Gosched_lets_others_run()
    {
        using var one = new OneCore();
        int turns = 0;
        bool stop = false;
        Go.Run(() =>
        {
            while (!stop)
            {
                turns++;
                Go.Gosched();
            }
        });
        for (int i = 0; i < 100; i++)
        {
            Go.Gosched();
        }
        stop = true;
        Assert.InRange(turns, 90, 110);
        Others.Settle();
    }

    [Fact]
    public void Two_that_wake_each_other_do_not_starve_the_rest()
    {
        using var one = new OneCore();
        var ping = new Chan<int>();
        var pong = new Chan<int>();
        bool stop = false;
        int rounds = 0;
        Go.Run(() =>
        {
            while (ping.Receive(out int v))
            {
                pong.Send(v);
            }
        });
        Go.Run(() =>
        {
            while (!stop)
            {
                ping.Send(1);
                _ = pong.Receive();
                rounds++;
            }
            ping.Close();
        });
        for (int i = 0; i < 10; i++)
        {
            Go.Gosched();
        }
        stop = true;                    // got here: they share a slice, and it ends
        Assert.True(rounds > 0);
        while (!ping.TryReceive(out _, out _))
        {
            Go.Gosched();
        }
    }

    [Fact]
    public void More_runnable_goroutines_than_the_local_queue_holds()
    {
        const int N = 2000;
        int[] runs = new int[N];
        var wg = new WaitGroup();
        for (int i = 0; i < N; i++)
        {
            int number = i;
            wg.Go(() =>
            {
                runs[number]++;
                Go.Gosched();
                runs[number]++;
            });
        }
        wg.Wait();
        Assert.All(runs, r => Assert.Equal(2, r));
    }

    [Fact]
    public void NumGoroutine_counts_those_that_exist()
    {
        Others.Settle();
        int before = Go.NumGoroutine;
        var stop = new Chan<bool>();
        for (int i = 0; i < 10; i++)
        {
            Go.Run(() => stop.Receive());
        }
        Assert.Equal(before + 10, Go.NumGoroutine);
        stop.Close();
        while (Go.NumGoroutine != before)
        {
            Go.Gosched();
        }
    }

    [Fact]
    public void Goexit_runs_finally_blocks_and_ends_only_its_goroutine()
    {
        var log = new StringBuilder();
        var wg = new WaitGroup();
        wg.Go(() =>
        {
            try
            {
                try
                {
                    Leave(log);
                    log.Append("not reached");
                }
                finally
                {
                    log.Append("inner ");
                }
            }
            finally
            {
                log.Append("outer");
            }
        });
        wg.Wait();
        Assert.Equal("leaving inner outer", log.ToString());
    }

    private static void Leave(StringBuilder log)
    {
        log.Append("leaving ");
        Go.Goexit();
    }

    [Fact]
    public void Exceptions_stay_in_their_goroutine()
    {
        var texts = new Chan<string>(2);
        Go.Run(() =>
        {
            try
            {
                var c = new Chan<int>();
                Go.Run(c.Close);
                _ = c.Receive();
                throw new InvalidOperationException("one");
            }
            catch (InvalidOperationException e)
            {
                Go.Gosched();               // another goroutine throws while this one handles
                texts.Send(e.Message);
            }
        });
        try
        {
            throw new InvalidOperationException("two");
        }
        catch (InvalidOperationException e)
        {
            Assert.Equal("one", texts.Receive());
            Assert.Equal("two", e.Message);
        }
    }

    [ThreadStatic]
    private static int s_own;

    [Fact]
    public void Thread_statics_belong_to_the_goroutine()
    {
        s_own = 1;
        var go = new Chan<bool>();
        var results = new Chan<int>(2);
        for (int i = 0; i < 2; i++)
        {
            int number = i + 10;
            Go.Run(() =>
            {
                s_own = number;
                _ = go.Receive();
                results.Send(s_own);
            });
        }
        Others.Settle();
        Assert.Equal(1, s_own);
        go.Send(true);
        go.Send(true);
        int sum = results.Receive() + results.Receive();
        Assert.Equal(21, sum);
        Assert.Equal(1, s_own);
    }

    [Fact]
    public void New_thread_starts_with_fresh_thread_statics()
    {
        for (int i = 0; i < 3; i++)
        {
            int seen = -1;
            var thread = new Thread(() =>
            {
                seen = s_own;
                s_own = 99;
            });
            thread.Start();
            thread.Join();
            Assert.Equal(0, seen);
            var c = new Chan<string?>();
            Go.Run(() => c.Send(Thread.CurrentThread.Name));        // may run on the thread's old G
            Assert.Null(c.Receive());
        }
    }

    [Fact]
    public void Monitors_block_a_goroutine_only()
    {
        object gate = new();
        int inside = 0;
        int most = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 8; i++)
        {
            wg.Go(() =>
            {
                for (int k = 0; k < 20; k++)
                {
                    lock (gate)
                    {
                        most = Math.Max(most, ++inside);
                        Go.Gosched();
                        inside--;
                    }
                }
            });
        }
        wg.Wait();
        Assert.Equal(1, most);
    }

    [Fact]
    public void Ended_goroutines_are_recycled()
    {
        using var one = new OneCore();
        var c = new Chan<int>();
        Run(1000);
        long before = GC.GetTotalMemory(false);
        long memory = GC.GetGCMemoryInfo().MemoryLoadBytes;
        Run(20_000);
        Assert.InRange(GC.GetGCMemoryInfo().MemoryLoadBytes - memory - (GC.GetTotalMemory(false) - before), -1 << 20, 1 << 20);

        void Run(int n)
        {
            for (int i = 0; i < n; i++)
            {
                Go.Run(() => c.Send(1));
                _ = c.Receive();
            }
        }
    }

    [Fact]
    public void Stack_shows_this_goroutine_in_the_form_of_Go()
    {
        string trace = Go.Stack();
        Assert.Matches(@"^goroutine \d+ \[running\]:\n", trace);
        Assert.Contains("Stack_shows_this_goroutine", trace);
        Assert.Contains("SchedulerTests.cs:", trace);
        Assert.DoesNotContain("SchedStart", trace);
    }

    [Fact]
    public void Stack_of_all_shows_what_the_others_wait_for_and_who_made_them()
    {
        var c = new Chan<int>();
        Go.Run(() => WaitHere(c));
        Others.Settle();
        string trace = Go.Stack(all: true);
        Assert.Contains(" [chan receive]:\n", trace);
        Assert.Contains("WaitHere", trace);
        Assert.Matches(@"created by [^\n]*Stack_of_all_shows[^\n]* in goroutine \d+\n", trace);
        c.Send(1);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void WaitHere(Chan<int> c) => Assert.Equal(1, c.Receive());

    // A goroutine on its way from a core that runs nothing any more to the global queue is no deadlock.
    [Fact]
    public void The_only_goroutine_moves_when_its_core_retires()
    {
        int most = Go.GoMaxProcs;
        for (int i = 0; i < 2000; i++)
        {
            Go.SetGoMaxProcs(1);
            Go.Gosched();
            Go.SetGoMaxProcs(most);
            if (i % 8 == 0)
            {
                Go.Sleep(TimeSpan.FromMicroseconds(20));        // comes back on any core
            }
        }
        Assert.Equal(most, Go.GoMaxProcs);
    }
}
