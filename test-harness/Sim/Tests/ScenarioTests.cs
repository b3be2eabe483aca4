// Every scenario under many seeds.
//
// SIM_SEEDS=n: how many of each (divided by the scenario's weight), 800 by default; SIM_FIRST=n: the first, 1 by default.
// SIM_SCENARIO=name: this one only. SIM_SEED=n: this seed only, with all of its trace. SIM_BUFFERS=0: no store buffers.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using Unikernel.Tests.Sim.Harness;
using Unikernel.Tests.Sim.Scenarios;
using Xunit;
using Xunit.Abstractions;

namespace Unikernel.Tests.Sim.Tests;

public class ScenarioTests(ITestOutputHelper output)
{
    private const ulong DefaultSeeds = 800;

    public static TheoryData<string> Names => [.. All.Scenarios.Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds_under_every_seed(string name)
    {
        Scenario scenario = All.Scenarios.Single(s => s.Name == name);
        ulong first = Setting("SIM_FIRST") ?? 1;
        ulong count = Math.Max(1, (Setting("SIM_SEEDS") ?? DefaultSeeds) / (ulong)scenario.Weight);
        if (Environment.GetEnvironmentVariable("SIM_SCENARIO") is { Length: > 0 } wanted && wanted != name)
        {
            return;
        }
        if (Setting("SIM_SEED") is { } one)
        {
            string? wrong = World.Fault(scenario, one, true);
            output.WriteLine(Unikernel.Kernel.Simulated.TraceLog.Text());
            Assert.True(wrong == null, wrong);
            return;
        }
        Stopwatch watch = Stopwatch.StartNew();
        for (ulong seed = first; seed < first + count; seed++)
        {
            string? fault = World.Fault(scenario, seed);
            Assert.True(fault == null, fault);
        }
        output.WriteLine($"{count} seeds in {watch.ElapsedMilliseconds} ms");
    }

    private static ulong? Setting(string name) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong n) ? n : null;
}
