// Scenarios of channels: the class of the runtime as it is.
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

    /// <summary>Every value arrives once; those of one producer in their order.</summary>
    internal static void ProducersConsumers()
    {
        const int producers = 3;
        const int each = 4;
        Chan<int> c = new(Simulation.Draw(3));
        WaitGroup sent = new();
        WaitGroup received = new();
        int[] seen = new int[producers * each];
        for (int i = 0; i < producers; i++)
        {
            int self = i;
            sent.Go(() =>
            {
                for (int n = 0; n < each; n++)
                {
                    c.Send((self * each) + n);
                }
            });
        }
        for (int i = 0; i < 2; i++)
        {
            received.Go(() =>
            {
                int[] last = [-1, -1, -1];
                foreach (int value in c)
                {
                    seen[value]++;
                    SimFailure.Unless(value > last[value / each], "values of one producer changed their order");
                    last[value / each] = value;
                }
            });
        }
        sent.Wait();
        c.Close();
        received.Wait();
        foreach (int n in seen)
        {
            SimFailure.Unless(n == 1, "a value arrived " + n + " times");
        }
    }

    /// <summary>Closing frees all who wait, on both sides.</summary>
    internal static void CloseWakesAll()
    {
        Chan<int> empty = new(0);
        Chan<int> full = new(0);
        WaitGroup done = new();
        for (int i = 0; i < 2; i++)
        {
            done.Go(() => SimFailure.Unless(!empty.Receive(out _), "a value came from an empty channel"));
            done.Go(() =>
            {
                try
                {
                    full.Send(1);
                }
                catch (GoPanicException)
                {
                    return;
                }
                throw new SimFailure("a value was sent though nobody received");
            });
        }
        Simulation.Compute(Simulation.Draw(3) * 1000);
        empty.Close();
        full.Close();
        done.Wait();
    }
}
