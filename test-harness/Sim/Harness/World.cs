// Boots the real scheduler on a simulated machine and runs a scenario as its main goroutine.
using System;
using System.Runtime;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Sched;

namespace Unikernel.Tests.Sim.Harness;

/// <summary>Something to run under many seeds.</summary>
internal sealed class Scenario
{
    internal required string Name { get; init; }

    /// <summary>The main goroutine. Throws when something is wrong.</summary>
    internal required Action Main { get; init; }

    internal int MinCores { get; init; } = 1;

    internal int MaxCores { get; init; } = 4;

    /// <summary>The fatal error it has to end in; null: it ends by the return of Main.</summary>
    internal string? Fatal { get; init; }

    /// <summary>One seed of this costs as much as so many of an ordinary one.</summary>
    internal int Weight { get; init; } = 1;

    internal int MaxSteps { get; init; } = 200_000;

    /// <summary>It calls Gosched: nobody is woken for one that yields, so it may wait in its ring while a core is idle (IV4).</summary>
    internal bool Yields { get; init; }
}

internal static unsafe class World
{
    private const long RegionBytes = 96 << 20;
    private const long UseOfRegionBytes = 64 << 20;

    private static Action? s_main;
    private static long s_allocatedAtStart;

    /// <summary>What is wrong with the run of this seed, or null.</summary>
    internal static string? Fault(Scenario scenario, ulong seed, bool isTraced = false)
    {
        RunResult result = Run(scenario, seed, isTraced);
        string? wrong = Judge(scenario, result);
        return wrong == null ? null
            : $"{scenario.Name}, seed {seed}: {wrong}\n(step {result.Steps}, {result.Ns} ns) Printed: {Machine.Printed}\n"
                + $"To see it again: SIM_SCENARIO={scenario.Name} SIM_SEED={seed} ./test.sh --sim\n{TraceLog.Text()}";
    }

    internal static RunResult Run(Scenario scenario, ulong seed, bool isTraced = false)
    {
        Prepare();
        TraceLog.NameOf = Names.Of;
        s_main = scenario.Main;
        Invariants.Reset(scenario.Yields);
        RunResult result = Simulation.Run(new RunOptions
        {
            Seed = seed,
            Cores = Cores(scenario, seed),
            MaxSteps = scenario.MaxSteps,
            IsTraced = isTraced,
            HasStoreBuffers = Environment.GetEnvironmentVariable("SIM_BUFFERS") != "0",
            Boot = Boot,
            OnQuiet = Invariants.CheckQuiet,
            OnTurn = Invariants.CheckTurn,
        });
        if (GCSettings.LatencyMode != GCLatencyMode.NoGCRegion)
        {
            throw new InvalidOperationException("a collection came during a run: the region is too small");
        }
        return result;
    }

    // One core alone only now and then: there is little to draw.
    private static int Cores(Scenario scenario, ulong seed)
    {
        int least = scenario.MinCores == 1 && seed % 16 != 0 ? 2 : scenario.MinCores;
        return least + (int)(seed % (ulong)(scenario.MaxCores - least + 1));
    }

    /// <summary>The runtime as it was before anything ran; no collection from here on.</summary>
    internal static void Prepare()
    {
        Statics.Remember();
        Statics.Reset();
        EnterNoCollection();
    }

    private static string? Judge(Scenario scenario, RunResult result) => (result.Ending, scenario.Fatal) switch
    {
        (Ending.Exit, null) => null,
        (Ending.Exit, _) => "ended well instead of: " + scenario.Fatal,
        (Ending.Fatal, { } expected) when expected == result.Text => null,
        (Ending.Fatal, _) => "fatal error: " + result.Text,
        _ => result.Ending + ": " + result.Text,
    };

    private static void Boot()
    {
        StackWalks.Init((byte*)VirtualCore.ManagedRip, (byte*)VirtualCore.ManagedRip + 1, 0, 0, 0);
        Machine.OnSwitch = &Proc.IsLeavingForGood;
        Proc.Init();
        Proc.StartMain(&RunMain);
    }

    private static void RunMain(void* argument)
    {
        s_main!();
        Proc.ExitMain(0);
    }

    // SI6: a collection would move objects that the runtime knows by address only.
    private static void EnterNoCollection()
    {
        long allocated = GC.GetTotalAllocatedBytes();
        if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
        {
            if (allocated - s_allocatedAtStart < UseOfRegionBytes)
            {
                return;
            }
            GC.EndNoGCRegion();
        }
        s_allocatedAtStart = allocated;
        if (!GC.TryStartNoGCRegion(RegionBytes))
        {
            throw new InvalidOperationException("no memory for runs without collections");
        }
    }
}
