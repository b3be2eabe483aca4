using Unikernel.Kernel.Simulated;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static class ChanScenarios
{
    internal static void PingPong()
    {
        const int rounds = 6;
        Chan<int> there = new(0);
        Chan<int> back = new(0);
        Go.Run(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                back.Send(there.Receive() + 1);
            }
        });
        for (int i = 0; i < rounds; i++)
        {
            there.Send(i);
            SimFailure.Unless(back.Receive() == i + 1, "a value is not the one that was sent");
        }
    }
}
