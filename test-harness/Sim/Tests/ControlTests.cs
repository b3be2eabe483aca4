// Deliberately broken schedulers: the simulation has to find each fault within a number of seeds. Every race that the
// simulation has found in the scheduler is here again, with its correction taken out.
using System.Linq;
using Unikernel.Tests.Sim.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Unikernel.Tests.Sim.Tests;

public class ControlTests(ITestOutputHelper output)
{
    private const ulong MostSeeds = 20_000;

    public static TheoryData<string> Names => [.. Mutants.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Fault_is_found(string name)
    {
        Mutant mutant = Mutants.All.Single(m => m.Name == name);
        string? fault = mutant.Find(MostSeeds);
        Assert.True(fault != null, $"{name} ({mutant.Why}) was not found with {MostSeeds} seeds of each of {string.Join(", ", mutant.Scenarios)}");
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
