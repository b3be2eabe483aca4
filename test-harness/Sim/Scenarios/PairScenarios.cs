// Scenarios of goroutines that hand over to each other beside cores that look for work: the pair stays together, and who
// else is readied does not wait for long. The times are virtual: a seed gives the same ones on every machine.
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static class PairScenarios
{
    private const int MostMoves = 5;            // 2 in 2,000 seeds; a core that stands still looks like one that computes
    private const long MostNs = 100_000;        // a nap, the looks, and cores that stand still

    /// <summary>A third goroutine lets its core look for work again and again: the pair changes cores seldom.</summary>
    internal static void PairBesideThief()
    {
        int isOver = 0;
        WaitGroup done = new();
        done.Go(() =>
        {
            while (Atomic.Load(ref isOver) == 0)
            {
                Go.Sleep(System.TimeSpan.FromMicroseconds(2));
            }
        });
        Chan<int> there = new(0);
        Chan<int> back = new(0);
        int moves = 0;
        done.Go(() =>
        {
            int core = SchedScenarios.CoreNow();
            foreach (int value in there)
            {
                int now = SchedScenarios.CoreNow();
                moves += now == core ? 0 : 1;
                core = now;
                back.Send(value + 1);
            }
        });
        for (int i = 0; i < 60; i++)
        {
            there.Send(i);
            SimFailure.Unless(back.Receive() == i + 1, "a value is not the one that was sent");
        }
        there.Close();
        Atomic.Store(ref isOver, 1);
        done.Wait();
        SimFailure.Unless(moves <= MostMoves, $"the pair has changed cores {moves} times");
    }

    /// <summary>A third goroutine that one of a pair readies, who hand over all the time, while another core naps or is idle: runs after a nap at most.</summary>
    internal static void NextToNapper()
    {
        WaitGroup done = new();
        Chan<long> calls = new(1);
        long longest = 0;
        int answers = 0;
        done.Go(() =>
        {
            foreach (long calledNs in calls)
            {
                long waited = Machine.NanoTime() - calledNs;
                longest = waited > longest ? waited : longest;
                _ = Atomic.Add(ref answers, 1);
            }
        });
        Chan<int> there = new(0);
        Chan<int> back = new(0);
        done.Go(() =>
        {
            foreach (int value in there)
            {
                back.Send(value);
            }
        });
        for (int i = 1; i <= 4; i++)
        {
            for (int n = Simulation.Draw(30); n >= 0; n--)
            {
                there.Send(n);
                _ = back.Receive();
            }
            calls.Send(Machine.NanoTime());
            while (Atomic.Load(ref answers) < i)
            {
                there.Send(i);
                _ = back.Receive();
            }
        }
        there.Close();
        calls.Close();
        done.Wait();
        SimFailure.Unless(longest <= MostNs, $"who was readied waited {longest} ns");
    }
}
