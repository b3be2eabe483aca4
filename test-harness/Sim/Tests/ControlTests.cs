// Deliberately broken schedulers: the simulation has to find each fault within a number of seeds. Every race that the
// simulation has found in the scheduler is here again, with its correction taken out. SIM_FAULT_SEEDS=n: how many, 200,000
// by default: ten times what the rarest of them has needed, for any change of the sources draws the seeds anew.
using System;
using System.Globalization;
using System.Linq;
using Unikernel.Tests.Sim.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Unikernel.Tests.Sim.Tests;

public class ControlTests(ITestOutputHelper output)
{
    private static readonly ulong s_mostSeeds =
        ulong.TryParse(Environment.GetEnvironmentVariable("SIM_FAULT_SEEDS"), CultureInfo.InvariantCulture, out ulong n) ? n : 200_000;

    public static TheoryData<string> Names => [.. Mutants.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Fault_is_found(string name)
    {
        Mutant mutant = Mutants.All.Single(m => m.Name == name);
        string? fault = mutant.Find(s_mostSeeds);
        Assert.True(fault != null, $"{name} ({mutant.Why}) was not found with {s_mostSeeds} seeds of each of {string.Join(", ", mutant.Scenarios)}");
        output.WriteLine(fault.Split('\n')[0]);
    }

    [Fact]
    public void Without_a_change_nothing_is_found()
    {
        Mutant none = new("None", "nothing is wrong", ["IdleAgainstReady", "MaxProcs"]);
        string? fault = none.Find(300);
        Assert.True(fault == null, fault);
    }
}
