// GoMemory.AddCleanup: Go's mcleanup and weak tests.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Memory;

public class CleanupTests
{
    private static Lazarus? s_lazarus;

    private sealed class Lazarus
    {
        ~Lazarus() => s_lazarus = this;
    }

    private static void Elsewhere(Action action)
    {
        var done = new WaitGroup();
        done.Go(action);
        done.Wait();
    }

    private static void CollectUntil(Func<bool> condition)
    {
        for (int i = 0; i < 50 && !condition(); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            for (int k = 0; k < 100 && !condition(); k++)
            {
                Go.Gosched();
            }
        }
        Assert.True(condition());
    }

    [Fact]
    public void A_cleanup_runs_with_its_argument_after_the_death_of_its_target()
    {
        var done = new Chan<string>(1);
        WeakReference? weak = null;
        Elsewhere(() =>
        {
            var target = new Node(1);
            weak = new WeakReference(target, true);
            GoMemory.AddCleanup(target, s => done.Send($"{s} {weak.IsAlive}"), "dead:");
        });
        GC.Collect();
        Assert.Equal("dead: False", done.Receive());
    }

    [Fact]
    public void It_does_not_run_while_its_target_lives()
    {
        int runs = 0;
        var target = new Node(1);
        GoMemory.AddCleanup(target, _ => Interlocked.Increment(ref runs), 0);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal(0, Volatile.Read(ref runs));
        target.Check(1);
    }

    [Fact]
    public void Several_of_one_target_all_run()
    {
        int sum = 0;
        Elsewhere(() =>
        {
            var target = new Node(1);
            for (int i = 1; i <= 10; i++)
            {
                GoMemory.AddCleanup(target, n => Interlocked.Add(ref sum, n), i);
            }
        });
        CollectUntil(() => Volatile.Read(ref sum) == 55);
    }

    [Fact]
    public void One_that_is_stopped_does_not_run_and_the_others_do()
    {
        int stopped = 0;
        int run = 0;
        Elsewhere(() =>
        {
            var target = new Node(1);
            Cleanup first = GoMemory.AddCleanup(target, _ => Interlocked.Increment(ref stopped), 0);
            GoMemory.AddCleanup(target, _ => Interlocked.Increment(ref run), 0);
            first.Stop();
            first.Stop();
        });
        CollectUntil(() => Volatile.Read(ref run) == 1);
        Assert.Equal(0, stopped);
    }

    [Fact]
    public void Stop_after_it_ran_and_of_none_does_nothing()
    {
        int run = 0;
        Cleanup c = default;
        c.Stop();
        Elsewhere(() => c = GoMemory.AddCleanup(new Node(1), _ => Interlocked.Increment(ref run), 0));
        CollectUntil(() => Volatile.Read(ref run) == 1);
        c.Stop();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(1, run);
    }

    [Fact]
    public void A_target_that_is_its_own_argument_is_refused()
    {
        var target = new Node(1);
        GoPanicException e = Assert.Throws<GoPanicException>(() => GoMemory.AddCleanup(target, _ => { }, target));
        Assert.Contains("ptr is equal to arg", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => GoMemory.AddCleanup<Node, int>(null!, _ => { }, 1));
        Assert.Throws<ArgumentNullException>(() => GoMemory.AddCleanup<Node, int>(target, null!, 1));
    }

    // Go: TestCleanupInteriorPointer.
    [Fact]
    public void An_interior_pointer_keeps_the_target()
    {
        int run = 0;
        Elsewhere(() =>
        {
            ref long inside = ref Make(ref run);
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Assert.Equal(0, Volatile.Read(ref run));
            Assert.Equal(12, inside);
        });
        CollectUntil(() => Volatile.Read(ref s_interiorRuns) == 1);
    }

    private static int s_interiorRuns;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref long Make(ref int run)
    {
        _ = run;
        var n = new Node(12);
        GoMemory.AddCleanup(n, _ => Interlocked.Increment(ref s_interiorRuns), 0);
        return ref n.Id;
    }

    // Go: a cleanup runs only when the object is gone for good: after its finalizer, and not while that has saved it.
    [Fact]
    public void It_waits_for_the_finalizer_and_for_who_was_saved_by_it()
    {
        int run = 0;
        Elsewhere(() => GoMemory.AddCleanup(new Lazarus(), _ => Interlocked.Increment(ref run), 0));
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Go.Gosched();
        }
        Assert.NotNull(Volatile.Read(ref s_lazarus));
        Assert.Equal(0, Volatile.Read(ref run));
        Elsewhere(() => s_lazarus = null);
        CollectUntil(() => Volatile.Read(ref run) == 1);
    }

    [Fact]
    public void The_argument_lives_until_then()
    {
        var got = new Chan<Node>(1);
        Elsewhere(() => GoMemory.AddCleanup(new Node(1), n => got.Send(n), Node.WithExtra(5)));
        GC.Collect();
        got.Receive().CheckDeep(5, 1);
    }
}
