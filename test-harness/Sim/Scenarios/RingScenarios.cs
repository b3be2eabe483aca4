// A run queue by itself, with its owner and thieves on cores of their own.
using System;
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class RingScenarios
{
    private const int MostSteps = 400;
    private const int Thieves = 2;
    private const int PutSteps = 8;

    /// <summary>The owner of a full ring puts one more while others steal most of it: each entry is taken once, by whomever.</summary>
    internal static void FullRing()
    {
        const int count = RunQueue.Capacity + 1;
        G* gs = (G*)NativeMemory.AllocZeroed(count, (nuint)sizeof(G));
        RunQueue* ring = (RunQueue*)NativeMemory.AllocZeroed(1 + Thieves, (nuint)sizeof(RunQueue));
        int[] taken = new int[count];
        GQueue overflow = default;
        for (int i = 0; i < RunQueue.Capacity; i++)
        {
            gs[i].Id = i;
            SimFailure.Unless(ring->TryPut(&gs[i]), "the ring is full too early");
        }
        gs[RunQueue.Capacity].Id = RunQueue.Capacity;
        int started = 0;
        WaitGroup done = new();
        for (int i = 1; i <= Thieves; i++)
        {
            RunQueue* own = ring + i;
            done.Go(() =>
            {
                ThisCore.Acquire();
                _ = Atomic.Add(ref started, 1);
                AwaitAll(ref started);
                Count(ring->Steal(ref *own), taken);
                ThisCore.Release();
            });
        }
        ThisCore.Acquire();
        AwaitAll(ref started);
        Simulation.HoldUpWithin(PutSteps);
        ring->Put(&gs[RunQueue.Capacity], false, ref overflow);
        ThisCore.Release();
        done.Wait();
        for (int i = 0; i <= Thieves; i++)
        {
            for (G* gp = ring[i].GetFirst(); gp != null; gp = ring[i].GetFirst())
            {
                Count(gp, taken);
            }
        }
        for (G* gp = overflow.Take(); gp != null; gp = overflow.Take())
        {
            Count(gp, taken);
        }
        int wrong = Array.FindIndex(taken, n => n != 1);
        SimFailure.Unless(wrong < 0, $"entry {wrong} was taken {(wrong < 0 ? 1 : taken[wrong])} times");
        NativeMemory.Free(ring);
        NativeMemory.Free(gs);
    }

    private static void Count(G* gp, int[] taken)
    {
        if (gp != null)
        {
            _ = Atomic.Add(ref taken[gp->Id], 1);
        }
    }

    private static void AwaitAll(ref int started)
    {
        for (int i = 0; i < MostSteps && Atomic.Load(ref started) < Thieves; i++)
        {
            Simulation.Step();
        }
    }
}
