// Goexit and LockOSThread: Go's proc_test.go and the Goexit cases of its panic tests, with finally in place of defer.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public unsafe class GoexitTests
{
    private static List<string> Log(Action<List<string>> body)
    {
        var log = new List<string>();
        var wg = new WaitGroup();
        wg.Go(() => body(log));
        wg.Wait();
        return log;
    }

    [Fact]
    public void Runs_every_finally_block_from_the_inside_out()
    {
        List<string> log = Log(l => Descend(l, 200));
        Assert.Equal(201, log.Count);
        for (int i = 0; i <= 200; i++)
        {
            Assert.Equal($"{i}", log[i]);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Descend(List<string> log, int n)
    {
        try
        {
            if (n == 0)
            {
                Go.Goexit();
            }
            Descend(log, n - 1);
            log.Add("returned");
        }
        finally
        {
            log.Add($"{n}");
        }
    }

    [Fact]
    public void In_a_finally_block_it_takes_the_place_of_the_exception() => Assert.Equal(["outer"], Log(l =>
    {
        try
        {
            try
            {
                throw new InvalidOperationException();
            }
            finally
            {
                Go.Goexit();
            }
        }
        catch (InvalidOperationException)
        {
            l.Add("caught");
        }
        finally
        {
            l.Add("outer");
        }
    }));

    [Fact]
    public void In_a_catch_block_and_in_a_finally_block_of_its_own() => Assert.Equal(["catch", "inner", "outer"], Log(l =>
    {
        try
        {
            try
            {
                throw new InvalidOperationException();
            }
            catch (InvalidOperationException)
            {
                l.Add("catch");
                Go.Goexit();
            }
            finally
            {
                l.Add("inner");
                Go.Goexit();
            }
        }
        finally
        {
            l.Add("outer");
        }
    }));

    // Where Go's recover returns nil and the goroutine ends all the same: written at Go.Goexit.
    [Fact]
    public void A_catch_of_every_exception_stops_it() => Assert.Equal(["went on"], Log(l =>
    {
        try
        {
            Go.Goexit();
        }
        catch (Exception)
        {
            l.Add("went on");
        }
    }));

    [Fact]
    public void A_finally_block_may_wait()
    {
        var c = new Chan<int>();
        Go.Run(() =>
        {
            try
            {
                Go.Goexit();
            }
            finally
            {
                Go.Sleep(TimeSpan.FromMicroseconds(100));
                c.Send(1);
                c.Send(2);
            }
        });
        Assert.Equal(1, c.Receive());
        Assert.Equal(2, c.Receive());
    }

    [Fact]
    public void Ends_the_function_of_a_timer_and_a_goroutine_with_an_argument()
    {
        var c = new Chan<string>(2);
        void Leave(string text)
        {
            c.Send(text);
            Go.Goexit();
            c.Send("not reached");
        }

        GoTime.AfterFunc(TimeSpan.Zero, () => Leave("timer"));
        Go.Run(Leave, "argument");
        var seen = new SortedSet<string>(StringComparer.Ordinal) { c.Receive(), c.Receive() };
        Assert.Equal(["argument", "timer"], seen);
        Others.Settle();
        Assert.Equal(0, c.Len);
    }

    // ---- LockOSThread

    private static string Lock()
    {
        G* gp = Proc.GetG();
        return gp->LockedCore != null ? $"locked {gp->LockCount}" : $"free {gp->LockCount}";
    }

    [Fact]
    public void Locks_to_the_core_nest()
    {
        var wg = new WaitGroup();
        var states = new List<string>();
        wg.Go(() =>
        {
            states.Add(Lock());
            Go.UnlockOSThread();                // without a lock: nothing
            states.Add(Lock());
            Go.LockOSThread();
            Go.LockOSThread();
            states.Add(Lock());
            Go.UnlockOSThread();
            Go.Gosched();
            states.Add(Lock());
            Go.UnlockOSThread();
            states.Add(Lock());
            Go.UnlockOSThread();
            Go.LockOSThread();
            states.Add(Lock());
        });
        wg.Wait();
        Assert.Equal("free 0, free 0, locked 2, locked 1, free 0, locked 1", string.Join(", ", states));
    }

    [Fact]
    public void Who_ends_locked_leaves_no_lock_behind()
    {
        for (int i = 0; i < 50; i++)
        {
            var c = new Chan<bool>();
            Go.Run(() =>
            {
                Go.LockOSThread();
                Go.LockOSThread();
                try
                {
                    Go.Goexit();
                }
                finally
                {
                    c.Send(true);
                }
            });
            _ = c.Receive();
            Go.Run(() => c.Send(Lock() == "free 0"));
            Assert.True(c.Receive());
        }
    }
}
