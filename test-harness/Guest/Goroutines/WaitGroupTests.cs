// Go's waitgroup_test.go, and the life cycle of Sys.Kernel.
using System;
using System.Collections.Generic;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Goroutines;

public class WaitGroupTests
{
    [Fact]
    public void Waits_for_all()
    {
        var first = new WaitGroup();
        var second = new WaitGroup();
        const int N = 16;
        for (int round = 0; round < 8; round++)
        {
            first.Add(N);
            second.Add(N);
            var exited = new Chan<bool>(N);
            for (int i = 0; i < N; i++)
            {
                Go.Run(() =>
                {
                    first.Done();
                    second.Wait();
                    exited.Send(true);
                });
            }
            first.Wait();
            for (int i = 0; i < N; i++)
            {
                Assert.False(exited.TryReceive(out _, out _));
                second.Done();
            }
            for (int i = 0; i < N; i++)
            {
                Assert.True(exited.Receive());
            }
        }
    }

    [Fact]
    public void Nothing_to_wait_for()
    {
        var wg = new WaitGroup();
        wg.Wait();
        wg.Add(1);
        wg.Done();
        wg.Wait();
    }

    [Fact]
    public void Negative_counter_panics()
    {
        var wg = new WaitGroup();
        wg.Add(1);
        wg.Done();
        Assert.Equal("sync: negative WaitGroup counter", Assert.Throws<GoPanicException>(wg.Done).Message);
    }

    [Fact]
    public void Reuse_before_a_wait_has_returned_panics()
    {
        using var one = new OneCore();
        var wg = new WaitGroup();
        wg.Add(1);
        var text = new Chan<string>(1);
        Go.Run(() => text.Send(Assert.Throws<GoPanicException>(wg.Wait).Message));
        Others.Settle();
        wg.Done();
        wg.Add(1);
        Assert.Equal("sync: WaitGroup is reused before previous Wait has returned", text.Receive());
    }

    [Fact]
    public void Go_counts_and_ends_even_by_Goexit()
    {
        var wg = new WaitGroup();
        int n = 0;
        for (int i = 0; i < 10; i++)
        {
            wg.Go(() =>
            {
                Interlocked.Increment(ref n);
                Go.Goexit();
            });
        }
        wg.Wait();
        Assert.Equal(10, n);
    }

    private sealed class Life(List<string> log) : Sys.Kernel
    {
        protected override void OnBoot() => log.Add("boot");

        protected override void BeforeRun() => log.Add("before");

        protected override void Run()
        {
            log.Add("run");
            if (log.Count == 5)
            {
                Stop();
            }
        }

        protected override void AfterRun() => log.Add("after");
    }

    [Fact]
    public void Kernel_lives_its_cycle()
    {
        var log = new List<string>();
        new Life(log).Start();
        Assert.Equal("boot before run run run after", string.Join(' ', log));
    }
}
