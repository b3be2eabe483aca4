// The Cosmos-shaped life cycle: a Cosmos kernel is ported by changing `using Sys = Cosmos.System;` to `using Sys = Unikernel.Sys;`.
namespace Unikernel.Sys;

/// <summary>
/// Base class with the life cycle of Cosmos.System2's <c>Sys.Kernel</c>: OnBoot, BeforeRun, Run in a loop until
/// <see cref="Stop"/>, AfterRun. Start it from Main: <c>new MyKernel().Start();</c>
/// </summary>
public abstract class Kernel
{
    private bool _isStopped;

    /// <summary>Runs the life cycle; returns after <see cref="AfterRun"/>.</summary>
    public void Start()
    {
        OnBoot();
        BeforeRun();
        while (!_isStopped)
        {
            Run();
        }
        AfterRun();
    }

    /// <summary>Ends the loop after the current <see cref="Run"/>.</summary>
    public void Stop() => _isStopped = true;

    /// <summary>First of all; the machine is up.</summary>
    protected virtual void OnBoot()
    {
    }

    /// <summary>Once, before the loop.</summary>
    protected virtual void BeforeRun()
    {
    }

    /// <summary>One round of the loop.</summary>
    protected abstract void Run();

    /// <summary>Once, after the loop.</summary>
    protected virtual void AfterRun()
    {
    }
}
