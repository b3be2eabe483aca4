// A few lines on bare simulated cores, without a scheduler.
using System;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;

namespace Unikernel.Tests.Sim.Harness;

/// <summary>Words that the cores of a litmus test share, and what each has seen.</summary>
internal sealed class Shared
{
    internal int X;
    internal int Y;
    internal int Left;
    internal int Right;
}

internal static unsafe class Litmus
{
    private static Action<Shared>[] s_bodies = [];
    private static Shared s_shared = new();
    private static int s_done;

    /// <summary>Runs each body on a core of its own; what they have seen, and how it ended.</summary>
    internal static (Shared Seen, RunResult Result) Run(ulong seed, params Action<Shared>[] bodies)
    {
        World.Prepare();
        s_bodies = bodies;
        s_shared = new Shared();
        s_done = 0;
        RunResult result = Simulation.Run(new RunOptions { Seed = seed, Cores = bodies.Length, MaxSteps = 20_000, Boot = Boot });
        return (s_shared, result);
    }

    /// <summary>The first of <paramref name="seeds"/> seeds after whose run <paramref name="isSeen"/> holds; null when there is none.</summary>
    internal static ulong? Find(ulong seeds, Func<Shared, RunResult, bool> isSeen, params Action<Shared>[] bodies)
    {
        for (ulong seed = 1; seed <= seeds; seed++)
        {
            (Shared seen, RunResult result) = Run(seed, bodies);
            if (isSeen(seen, result))
            {
                return seed;
            }
        }
        return null;
    }

    private static void Boot()
    {
        for (int i = 1; i < s_bodies.Length; i++)
        {
            Machine.StartCore(i, &RunBody);
        }
        RunBody();
    }

    private static void RunBody()
    {
        s_bodies[Simulation.CurrentId](s_shared);
        if (Atomic.Add(ref s_done, 1) == s_bodies.Length)
        {
            Machine.Exit(0);
        }
        _ = Machine.DisableInterrupts();
        while (true)
        {
            Machine.Halt();
        }
    }
}
