// Cores as the kernel handles them: woken from a halt, frozen, made to forget translations.
using System;
using System.Threading;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Goroutines;
using Xunit;

namespace Unikernel.Tests.Platform;

public unsafe class CoreTests
{
    // The other core is on its way to a halt or in it: whatever the moment, what is sent to it arrives.
    [Fact]
    public void A_halted_core_wakes_for_work_every_time()
    {
        int cores = Go.GoMaxProcs;
        const int Rounds = 120;
        var to = new Chan<int>[cores];
        var back = new Chan<int>(1);
        for (int i = 0; i < cores; i++)
        {
            to[i] = new Chan<int>();
        }
        WaitGroup wg = Others.OnEachCore(core =>
        {
            while (to[core].Receive(out int v))
            {
                Assert.Equal(core, Machine.CurrentCore->Id);
                back.Send(v + 1);
            }
        });
        int slept = 0;
        for (int round = 0; round < Rounds; round++)
        {
            int core = round % cores;
            while (core != Machine.CurrentCore->Id && Proc.ActivityOf(Proc.PAt(core)) != CoreActivity.Idle)
            {
                Go.Gosched();
            }
            slept += core != Machine.CurrentCore->Id ? 1 : 0;
            if (round % 3 == 0)
            {
                Go.Sleep(TimeSpan.FromMicroseconds(50));        // then surely halted
            }
            to[core].Send(round);
            Assert.Equal(round + 1, back.Receive());
        }
        foreach (Chan<int> c in to)
        {
            c.Close();
        }
        wg.Wait();
        Assert.True(cores == 1 || slept > Rounds / 4);
    }

    [Fact]
    public void Frozen_cores_stand_still_and_go_on()
    {
        int cores = Go.GoMaxProcs;
        long[] counts = new long[cores * 8];                    // a cache line each
        bool stop = false;
        WaitGroup wg = Others.OnEachCore(core =>
        {
            while (!Volatile.Read(ref stop))
            {
                Volatile.Write(ref counts[core * 8], counts[core * 8] + 1);
            }
        });
        long[] before = new long[cores];
        int moved = 0;
        int unanswered = 0;
        for (int round = 0; round < 15; round++)
        {
            Go.Gosched();
            ThisCore.Acquire();
            Machine.FreezeOthers();
            int self = Machine.CurrentCore->Id;
            for (int i = 0; i < cores; i++)
            {
                unanswered += i != self && Machine.CoreAt(i)->Frozen == null ? 1 : 0;
                before[i] = Volatile.Read(ref counts[i * 8]);
            }
            long until = Machine.NanoTime() + 100_000;
            while (Machine.NanoTime() < until)
            {
            }
            for (int i = 0; i < cores; i++)
            {
                moved += i != self && Volatile.Read(ref counts[i * 8]) != before[i] ? 1 : 0;
            }
            Machine.ThawOthers();
            ThisCore.Release();
            for (int i = 0; i < cores; i++)
            {
                while (i != self && Volatile.Read(ref counts[i * 8]) == before[i])
                {
                    Go.Gosched();                               // it counts again, or this never ends
                }
            }
        }
        Volatile.Write(ref stop, true);
        wg.Wait();
        Assert.Equal(0, moved);
        Assert.Equal(0, unanswered);
    }

    // Every core has read the page, so each may remember where it was. When DecommitPages has returned none may.
    [Fact]
    public void Pages_that_were_given_back_are_read_by_no_core()
    {
        int cores = Go.GoMaxProcs;
        const int Rounds = 25;
        byte* page = (byte*)(Machine.MapRegionBase + Machine.MapRegionSize - 8192);
        using var probe = new Probe(page);
        int phase = 0;          // odd: the page holds it; even: it has been given back
        int seen = 0;
        int stale = 0;
        bool stop = false;
        WaitGroup wg = Others.OnEachCore(core =>
        {
            if (core == 0)
            {
                return;         // the one that maps has a core left
            }
            int last = 0;
            while (!Volatile.Read(ref stop))
            {
                ThisCore.Acquire();
                int now = Volatile.Read(ref phase);
                if (now != last)
                {
                    byte value = Probe.Read(page);
                    if (now % 2 == 0 ? value != 0 : value != (byte)now)
                    {
                        Interlocked.Increment(ref stale);
                    }
                    last = now;
                    Interlocked.Increment(ref seen);
                }
                ThisCore.Release();
            }
        });
        int next = 0;
        for (int round = 0; round < Rounds; round++)
        {
            Assert.True(Machine.CommitPages(page, 4096));
            Assert.Equal(0, *page);
            next++;
            *page = (byte)next;
            Publish();
            Machine.DecommitPages(page, 4096);
            next++;
            Publish();
            stale += Probe.Read(page) != 0 ? 1 : 0;
        }
        Volatile.Write(ref stop, true);
        wg.Wait();
        Assert.Equal(0, stale);
#if !LINUX
        Assert.Equal(Rounds * cores, Probe.Faults);     // Linux gives a page of zeros instead
#endif

        void Publish()
        {
            Volatile.Write(ref seen, 0);
            Volatile.Write(ref phase, next);
            while (Volatile.Read(ref seen) != cores - 1)
            {
                Go.Gosched();
            }
        }
    }
}
