using System.Linq;
using Unikernel.Tests.Sim.Scenarios;

namespace Unikernel.Tests.Sim.Harness;

internal static class Finder
{
    /// <summary>What is wrong with the first seed that shows something; null when none of them does.</summary>
    internal static string? FirstFault(string name, ulong seeds)
    {
        Scenario scenario = All.Scenarios.Single(s => s.Name == name);
        for (ulong seed = 1; seed <= seeds; seed++)
        {
            if (World.Fault(scenario, seed) is { } fault)
            {
                return fault;
            }
        }
        return null;
    }
}
