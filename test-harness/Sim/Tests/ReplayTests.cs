// A failing seed fails again, in the same way; and seeds differ.
using System.Collections.Generic;
using System.Linq;
using Unikernel.Kernel.Simulated;
using Unikernel.Tests.Sim.Harness;
using Unikernel.Tests.Sim.Scenarios;
using Xunit;

namespace Unikernel.Tests.Sim.Tests;

public class ReplayTests
{
    public static TheoryData<string> Names => [.. All.Scenarios.Where(s => s.Weight == 1).Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_seed_gives_the_same_run_again(string name)
    {
        Scenario scenario = All.Scenarios.Single(s => s.Name == name);
        HashSet<ulong> hashes = [];
        for (ulong seed = 1; seed <= 20; seed++)
        {
            RunResult first = World.Run(scenario, seed);
            Assert.Equal(first, World.Run(scenario, seed));
            Assert.Equal(first.Hash, World.Run(scenario, seed, true).Hash);     // tracing changes nothing
            hashes.Add(first.Hash);
        }
        Assert.Equal(20, hashes.Count);
    }

    [Fact]
    public void A_fault_is_reported_with_its_seed_and_comes_again()
    {
        Scenario wrong = new()
        {
            Name = "Wrong",
            Main = () => SimFailure.Unless(Simulation.Draw(5) != 0, "drawn 0"),
        };
        ulong seed = 1;
        while (World.Fault(wrong, seed) == null)
        {
            seed++;
        }
        string fault = World.Fault(wrong, seed)!;
        Assert.Contains("drawn 0", fault, System.StringComparison.Ordinal);
        Assert.Contains("SIM_SCENARIO=Wrong SIM_SEED=" + seed, fault, System.StringComparison.Ordinal);
        Assert.Equal(fault, World.Fault(wrong, seed));
    }

    [Fact]
    public void A_deadlock_is_not_taken_for_success_nor_success_for_a_deadlock()
    {
        Scenario waits = new() { Name = "Waits", Main = WorldScenarios.AllWait };
        Assert.Contains(WorldScenarios.Deadlock, World.Fault(waits, 1), System.StringComparison.Ordinal);
        Scenario ends = new() { Name = "Ends", Main = () => { }, Fatal = WorldScenarios.Deadlock };
        Assert.Contains("ended well", World.Fault(ends, 1), System.StringComparison.Ordinal);
    }

    [Fact]
    public void Endless_steps_end_the_run()
    {
        Scenario spins = new() { Name = "Spins", MaxSteps = 5000, Main = () => { while (true) { Go.Gosched(); Simulation.Step(); } } };
        Assert.Contains("no end after 5000 steps", World.Fault(spins, 1), System.StringComparison.Ordinal);
    }
}
