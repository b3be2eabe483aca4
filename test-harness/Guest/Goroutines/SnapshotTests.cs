// Go.Snapshot: what it says of goroutines and cores, and that it may be taken of a scheduler at full speed.
using System;
using System.Linq;
using System.Runtime.CompilerServices;
using Xunit;

namespace Unikernel.Tests.Guest.Goroutines;

public class SnapshotTests
{
    private const string ThisFile = "SnapshotTests.cs:";

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WaitHere(Chan<int> c) => c.Receive();

    private static GoroutineInfo[] In(string function) =>
        [.. Go.Snapshot().Goroutines.Where(g => g.Function.EndsWith(function, StringComparison.Ordinal))];

    [Fact]
    public void A_waiting_goroutine_has_Gos_words_and_the_programs_method()
    {
        var c = new Chan<int>();
        var done = new WaitGroup();
        done.Go(() => WaitHere(c));
        GoroutineInfo[] waiting;
        while ((waiting = In("SnapshotTests.WaitHere")).Length == 0 || !waiting[0].IsWaiting)
        {
            Go.Gosched();
        }
        GoroutineInfo g = Assert.Single(waiting);
        Assert.Equal("chan receive", g.State);
        Assert.Equal(-1, g.Core);
        Assert.Contains(ThisFile, g.Location);
        Assert.Contains(Go.Snapshot(0).Waiting, w => w.Reason == "chan receive" && w.Count >= 1);
        c.Send(1);
        done.Wait();
        Assert.Empty(In("SnapshotTests.WaitHere"));
    }

    [Fact]
    public void The_caller_runs_on_its_core()
    {
        Go.LockOSThread();
        SchedulerInfo s = Go.Snapshot();
        Go.UnlockOSThread();
        GoroutineInfo self = Assert.Single(s.Goroutines, g => g.Function.EndsWith("The_caller_runs_on_its_core", StringComparison.Ordinal));
        Assert.Equal("running", self.State);
        CoreInfo core = s.Cores[self.Core];
        Assert.Equal((CoreActivity.Running, self.Id), (core.Activity, core.Goroutine));
        Assert.Equal(self.Function, core.Function);
        Assert.Equal(Go.GoMaxProcs, s.GoMaxProcs);
        Assert.Equal(Enumerable.Range(0, s.Cores.Count), s.Cores.Select(c => c.Id));
    }

    [Fact]
    public void A_new_goroutine_is_next_and_says_where_it_was_made()
    {
        int procs = Go.SetGoMaxProcs(1);
        var release = new Chan<int>(1);
        Go.Run(() => release.Send(1));
        SchedulerInfo s = Go.Snapshot();
        bool hasRun = release.Len != 0;                     // the slice ended meanwhile: there may be nothing to see
        release.Receive();
        Go.SetGoMaxProcs(procs);
        if (!hasRun)
        {
            // An earlier test's goroutine may still be on its way out, so not Single.
            GoroutineInfo[] fresh = [.. s.Goroutines.Where(g => g is { State: "runnable", Function: "" })];
            Assert.Contains(fresh, g => g.Location.Contains(ThisFile, StringComparison.Ordinal));
            Assert.InRange(s.RunnableCount, fresh.Length, s.GoroutineCount);
        }
    }

    [Fact]
    public void A_limit_shortens_the_list_and_not_the_counts()
    {
        var c = new Chan<int>();
        var done = new WaitGroup();
        for (int i = 0; i < 200; i++)
        {
            done.Go(() => WaitHere(c));
        }
        SchedulerInfo few = Go.Snapshot(3);
        Assert.Equal(3, few.Goroutines.Count);
        Assert.True(few.GoroutineCount > 200);
        Assert.Empty(Go.Snapshot(0).Goroutines);
        SchedulerInfo all = Go.Snapshot();
        Assert.Equal(all.GoroutineCount, all.Goroutines.Count);
        Assert.True(all.Goroutines.Zip(all.Goroutines.Skip(1), (a, b) => a.Id < b.Id).All(rising => rising));
        Assert.Throws<ArgumentOutOfRangeException>(() => Go.Snapshot(-1));
        for (int i = 0; i < 200; i++)
        {
            c.Send(i);
        }
        done.Wait();
    }

    [Fact]
    public void Snapshots_and_traces_of_a_busy_scheduler_are_sane()
    {
        const int pairs = 8;
        bool stop = false;
        var done = new WaitGroup();
        for (int i = 0; i < pairs; i++)
        {
            var ping = new Chan<int>();
            var pong = new Chan<int>();
            done.Go(() =>
            {
                while (!System.Threading.Volatile.Read(ref stop))
                {
                    ping.Send(1);
                    pong.Receive();
                }
                ping.Close();
            });
            done.Go(() =>
            {
                foreach (int hit in ping)
                {
                    pong.Send(hit);
                }
            });
        }
        for (int i = 0; i < 300; i++)
        {
            SchedulerInfo s = Go.Snapshot();
            Assert.True(s.GoroutineCount > 2 * pairs);
            Assert.True(s.Goroutines.Count == s.GoroutineCount);
            Assert.All(s.Cores, c => Assert.InRange(c.QueueLength, 0, 300));
            Assert.DoesNotContain(s.Goroutines, g => g.Age < TimeSpan.Zero);
            if (i % 10 == 0)
            {
                Assert.Contains("goroutine ", Go.Stack(all: true));
            }
        }
        System.Threading.Volatile.Write(ref stop, true);
        done.Wait();
    }

    [Fact]
    public void Every_core_runs_goroutines()
    {
        int procs = Go.GoMaxProcs;
        int here = 0;
        var done = new WaitGroup();
        for (int i = 0; i < procs; i++)
        {
            done.Go(() =>
            {
                System.Threading.Interlocked.Increment(ref here);
                while (System.Threading.Volatile.Read(ref here) < procs)
                {
                    // all at once, or never
                }
            });
        }
        done.Wait();
        Assert.Equal(procs, here);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void SetGoMaxProcs_below_1_only_reads(int n)
    {
        int before = Go.GoMaxProcs;
        Assert.Equal(before, Go.SetGoMaxProcs(n));
        Assert.Equal(before, Go.GoMaxProcs);
    }

    [Fact]
    public void SetGoMaxProcs_above_the_cores_is_all_cores()
    {
        int before = Go.SetGoMaxProcs(int.MaxValue);
        Assert.InRange(Go.GoMaxProcs, before, Go.NumCpu);
        Go.SetGoMaxProcs(before);
    }
}
