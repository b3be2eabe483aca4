// The scenarios, by name.
using System.Collections.Generic;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static class All
{
    internal static IReadOnlyList<Scenario> Scenarios { get; } =
    [
        new() { Name = "PingPong", Main = ChanScenarios.PingPong },
        new() { Name = "ProducersConsumers", Main = ChanScenarios.ProducersConsumers },
        new() { Name = "CloseWakesAll", Main = ChanScenarios.CloseWakesAll },
        new() { Name = "ParkReady", Main = SchedScenarios.ParkReady },
        new() { Name = "StealFromBusy", Main = SchedScenarios.StealFromBusy, MinCores = 2 },
        new() { Name = "IdleAgainstReady", Main = SchedScenarios.IdleAgainstReady, MinCores = 2 },
        new() { Name = "LastMoment", Main = IdleScenarios.LastMoment, MinCores = 2 },
        new() { Name = "Slices", Main = SchedScenarios.Slices },
        new() { Name = "Yields", Main = SchedScenarios.Yields, Yields = true },
        new() { Name = "Overflow", Main = SchedScenarios.Overflow, Weight = 20 },
        new() { Name = "FullRing", Main = RingScenarios.FullRing, MinCores = 3, Weight = 10 },
        new() { Name = "ComeAndGo", Main = SchedScenarios.ComeAndGo, Yields = true },
        new() { Name = "Groups", Main = SchedScenarios.Groups },
        new() { Name = "Pinned", Main = SchedScenarios.Pinned, MinCores = 2, Yields = true },
        new() { Name = "Sleepers", Main = TimeScenarios.Sleepers },
        new() { Name = "SleepersBesideHogs", Main = TimeScenarios.SleepersBesideHogs, MinCores = 2 },
        new() { Name = "TimeOutAgainstReady", Main = TimeScenarios.TimeOutAgainstReady, MinCores = 2 },
        new() { Name = "Functions", Main = TimeScenarios.Functions },
        new() { Name = "ChannelTimer", Main = TimeScenarios.ChannelTimer },
        new() { Name = "Interrupts", Main = TimeScenarios.Interrupts },
        new() { Name = "StopTheWorld", Main = WorldScenarios.StopTheWorld, Yields = true },
        new() { Name = "TwoStoppers", Main = WorldScenarios.TwoStoppers, Yields = true },
        new() { Name = "MaxProcs", Main = WorldScenarios.MaxProcs, MinCores = 2, Yields = true },
        new() { Name = "PinnedRetired", Main = WorldScenarios.PinnedRetired, MinCores = 2, Yields = true },
        new() { Name = "HandedOver", Main = RetireScenarios.HandedOver, MinCores = 2, Yields = true },
        new() { Name = "HandsOverLate", Main = RetireScenarios.HandsOverLate, MinCores = 3, MaxCores = 3 },
        new() { Name = "AloneAndNot", Main = RetireScenarios.AloneAndNot, MinCores = 2 },
        new() { Name = "PairBesideThief", Main = PairScenarios.PairBesideThief, MinCores = 2 },
        new() { Name = "NextToNapper", Main = PairScenarios.NextToNapper, MinCores = 2 },
        new() { Name = "AllWait", Main = WorldScenarios.AllWait, Fatal = WorldScenarios.Deadlock },
        new() { Name = "AllWaitOnFewer", Main = WorldScenarios.AllWaitOnFewer, MinCores = 2, Fatal = WorldScenarios.Deadlock },
        new() { Name = "MainGone", Main = WorldScenarios.MainGone, Fatal = WorldScenarios.NoGoroutines },
        new() { Name = "Wanderers", Main = WorldScenarios.Wanderers, MinCores = 3, Weight = 4 },
        new() { Name = "NoFalseDeadlock", Main = WorldScenarios.NoFalseDeadlock },
    ];
}
