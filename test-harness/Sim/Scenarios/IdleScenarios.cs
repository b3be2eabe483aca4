// Scenarios of work that is made while cores go idle.
using System.Runtime.InteropServices;
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;
using Unikernel.Runtime.Sched;
using Unikernel.Tests.Sim.Harness;

namespace Unikernel.Tests.Sim.Scenarios;

internal static unsafe class IdleScenarios
{
    private const long LongNs = 1_000_000;
    private const int MostWaits = 400;
    private const int MostSteps = 60;
    private const int MakingSteps = 64;
    private const long FirstNs = 11_000;        // a nap and most of the looks after it

    /// <summary>One or two compute, and make work just when the last core that looks for some gives up, or long after.</summary>
    internal static void LastMoment()
    {
        WaitGroup done = new();
        int makers = 1 + Simulation.Draw(2);
        for (int i = 0; i < makers; i++)
        {
            done.Go(() =>
            {
                AwaitLastMoment();
                Make();
            });
        }
        done.Wait();
    }

    private static void AwaitLastMoment()
    {
        if (Simulation.Draw(6) == 0)
        {
            Simulation.Compute(LongNs);
            return;
        }
        for (int i = 0; i < MostWaits && !Proc.IsAnyAboutToIdle; i++)
        {
            Simulation.Compute(700);
        }
        Simulation.Compute(FirstNs + (Simulation.Draw(600) * 8));
        int steps = Simulation.Draw(MostSteps);
        for (int i = 0; i < steps && Proc.SpinningCores != 0; i++)
        {
            Simulation.Step();
        }
    }

    // By hand: one to three new ones; or by an interrupt, for which the caller is interrupted and waits.
    private static void Make()
    {
        WaitGroup done = new();
        int count = Simulation.Draw(4);
        if (count == 0)
        {
            ReadyByInterrupt();
            return;
        }
        for (int i = 0; i < count; i++)
        {
            Simulation.HoldUpWithin(MakingSteps);
            done.Go(() => Simulation.Compute(LongNs));
        }
        Simulation.Compute(LongNs);
        done.Wait();
    }

    private static void ReadyByInterrupt()
    {
        Notifier* notifier = (Notifier*)NativeMemory.AllocZeroed((nuint)sizeof(Notifier));
        _ = Atomic.Add(ref Proc.ConsoleWaiters, 1);
        WaitGroup done = new();
        done.Go(() =>
        {
            notifier->Wait(WaitReason.IoWait);
            Simulation.Compute(LongNs);
        });
        Go.Gosched();
        AwaitLastMoment();
        Devices.Add(Machine.NanoTime(), SchedScenarios.CoreNow(), () => notifier->Notify());
        Simulation.Compute(LongNs);
        done.Wait();
        _ = Atomic.Add(ref Proc.ConsoleWaiters, -1);
        NativeMemory.Free(notifier);
    }
}
