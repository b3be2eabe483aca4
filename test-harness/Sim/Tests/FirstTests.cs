using System;
using Unikernel.Kernel.Simulated;
using Unikernel.Tests.Sim.Harness;
using Unikernel.Tests.Sim.Scenarios;
using Xunit;

namespace Unikernel.Tests.Sim.Tests;

public class FirstTests
{
    [Fact]
    public void PingPong()
    {
        Scenario s = new() { Name = "pingpong", Main = ChanScenarios.PingPong };
        var w = System.Diagnostics.Stopwatch.StartNew();
        long steps = 0, turns = 0;
        for (ulong seed = 1; seed <= 300; seed++)
        {
            string? fault = World.Fault(s, seed);
            Assert.True(fault == null, fault);
            steps += Simulation.Steps;
        }
        Console.WriteLine($"{w.Elapsed} {steps} {turns} {Contexts.Threads}");
    }
}
