// Preemption: Go's preempt tests. Hogs run on every core; others must get their turn.
using System;
using System.Threading;
using Xunit;

namespace Unikernel.Tests.Guest.Goroutines;

public class PreemptTests
{
    private static void Hog(Func<bool> isOver)
    {
        double x = 1;
        long n = 0;
        while (!isOver())
        {
            for (int i = 0; i < 1_000_000; i++)
            {
                x = (x * 1.0000001) + 0.5;
                n += i ^ (n << 1);
            }
        }
        GC.KeepAlive(x + n);
    }

    [Fact]
    public void Loops_without_calls_on_every_core_keep_nobody_out()
    {
        bool stop = false;
        var wg = new WaitGroup();
        for (int i = 0; i < 2 * Go.GoMaxProcs; i++)
        {
            wg.Go(() => Hog(() => Volatile.Read(ref stop)));
        }
        for (int i = 0; i < 20; i++)
        {
            Go.Sleep(TimeSpan.FromMilliseconds(1));
            Go.Gosched();
        }
        stop = true;
        wg.Wait();
    }

    // Every register, flag and vector survives: each goroutine's sum is as if it ran alone.
    [Fact]
    public void An_interrupted_computation_comes_out_the_same()
    {
        ulong expected = Mix(7, 3_000_000);
        double expectedReal = Real(3_000_000);
        int wrong = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 3 * Go.GoMaxProcs; i++)
        {
            wg.Go(() =>
            {
                for (int k = 0; k < 10; k++)
                {
                    if (Mix(7, 3_000_000) != expected || Real(3_000_000) != expectedReal)
                    {
                        Interlocked.Increment(ref wrong);
                    }
                }
            });
        }
        wg.Wait();
        Assert.Equal(0, wrong);
    }

    private static ulong Mix(ulong x, int n)
    {
        ulong a = x, b = x * 3, c = x * 5, d = x * 7, e = x * 11, f = x * 13, g = x * 17, h = x * 19;
        for (int i = 0; i < n; i++)
        {
            a += b ^ (c >> 3);
            b += c ^ (d << 5);
            c += d + e;
            d ^= e + (f >> 7);
            e += f;
            f ^= g << 1;
            g += h;
            h ^= a;
        }
        return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
    }

    private static double Real(int n)
    {
        var v = System.Runtime.Intrinsics.Vector256.Create(1.0, 2.0, 3.0, 4.0);
        var w = System.Runtime.Intrinsics.Vector256.Create(1e-9);
        var sum = v;
        for (int i = 0; i < n; i++)
        {
            v += v * w;
            sum += v;
        }
        return System.Runtime.Intrinsics.Vector256.Sum(sum);
    }

    [Fact]
    public void A_parked_goroutine_runs_again_beside_a_hog_on_one_core()
    {
        int before = Go.SetGoMaxProcs(1);
        bool stop = false;
        var c = new Chan<int>();
        Go.Run(() => Hog(() => Volatile.Read(ref stop)));
        Go.Run(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                c.Send(i);
            }
            c.Close();
        });
        int sum = 0;
        foreach (int v in c)
        {
            sum += v;
        }
        stop = true;
        _ = Go.SetGoMaxProcs(before);
        Assert.Equal(1225, sum);
    }

    [Fact]
    public void GoMaxProcs_changes_while_everything_runs()
    {
        int before = Go.GoMaxProcs;
        bool stop = false;
        long turns = 0;
        var wg = new WaitGroup();
        for (int i = 0; i < 4; i++)
        {
            wg.Go(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    Interlocked.Increment(ref turns);
                    Go.Gosched();
                }
            });
        }
        for (int i = 0; i < 100; i++)
        {
            int n = (i % Go.NumCpu) + 1;
            _ = Go.SetGoMaxProcs(n);
            Assert.Equal(Math.Min(n, before), Math.Min(Go.GoMaxProcs, before));
            Go.Sleep(TimeSpan.FromMicroseconds(100));
        }
        stop = true;
        wg.Wait();
        _ = Go.SetGoMaxProcs(before);
        Assert.True(turns > 0);
        Assert.Equal(before, Go.GoMaxProcs);
    }

    [Fact]
    public void A_locked_goroutine_stays_on_its_core()
    {
        var wg = new WaitGroup();
        int strays = 0;
        for (int i = 0; i < 8; i++)
        {
            wg.Go(() =>
            {
                Go.LockOSThread();
                int core = Thread.GetCurrentProcessorId();
                for (int k = 0; k < 200; k++)
                {
                    Go.Gosched();
                    if (k % 20 == 0)
                    {
                        Go.Sleep(TimeSpan.FromMicroseconds(50));
                    }
                    if (Core() != core)
                    {
                        Interlocked.Increment(ref strays);
                    }
                }
                Go.UnlockOSThread();
            });
        }
        wg.Wait();
        Assert.Equal(0, strays);
    }

    [Fact]
    public void A_locked_goroutine_moves_on_when_its_core_retires()
    {
        const int count = 8;
        int before = Go.GoMaxProcs;
        bool stop = false;
        long[] turns = new long[count];
        int[] cores = new int[count];
        var wg = new WaitGroup();
        for (int i = 0; i < count; i++)
        {
            int id = i;
            wg.Go(() =>
            {
                Go.LockOSThread();
                while (!Volatile.Read(ref stop))
                {
                    Volatile.Write(ref cores[id], Core());
                    Interlocked.Increment(ref turns[id]);
                    if (id % 2 == 0)
                    {
                        Go.Gosched();
                    }
                    else
                    {
                        Go.Sleep(TimeSpan.FromMicroseconds(50));
                    }
                }
            });
        }
        for (int procs = before; procs >= 1; procs--)
        {
            Go.SetGoMaxProcs(procs);
            for (int i = 0; i < count; i++)
            {
                long seen = Interlocked.Read(ref turns[i]);
                while (Interlocked.Read(ref turns[i]) < seen + 3)
                {
                    Go.Sleep(TimeSpan.FromMicroseconds(50));
                }
                Assert.InRange(Volatile.Read(ref cores[i]), 0, procs - 1);
            }
        }
        stop = true;
        wg.Wait();
        _ = Go.SetGoMaxProcs(before);
    }

    private static int Core() => Thread.GetCurrentProcessorId();
}
