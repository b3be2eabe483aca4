// Switch.S on simulated cores: the same routines in C#.
//
// SZ1  The addresses that Switch.S gives are those of methods: the simulated SwitchStack and interrupt exit call them.
// SZ2  The lock depth changes in one step, and a step comes before it: there the goroutine may be interrupted.
// Context: as in Switch.S.
using Unikernel.Kernel;
using Unikernel.Kernel.Simulated;

namespace Unikernel.Runtime.Sched;

internal static unsafe class Switch
{
    internal static nuint StartAddress()
    {
        delegate*<nuint, void*, void> start = &Proc.RunNew;
        return (nuint)start;
    }

    internal static nuint AsyncPreemptAddress()
    {
        delegate*<void> preempt = &Proc.RunInterrupted;
        return (nuint)preempt;
    }

    /// <summary>Not known: there are no unwind tables.</summary>
    internal static nuint CallerPc() => 0;
}

internal static unsafe class ThisCore
{
    internal static CoreState* State => CoreState.Of(Machine.CurrentCore);

    internal static CoreState* Acquire()
    {
        Simulation.Step();
        CoreState* cs = State;
        cs->LockDepth++;
        return cs;
    }

    internal static void Release()
    {
        Simulation.Step();
        CoreState* cs = State;
        if (--cs->LockDepth == 0 && cs->Look != 0)
        {
            Proc.RunInterrupted();
        }
    }
}
