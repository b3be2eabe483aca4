using System.Threading;

namespace Unikernel.Sys;

/// <summary>
/// A kernel as an object with a life cycle, in the shape of <c>Cosmos.System.Kernel</c>: with
/// <c>using Sys = Unikernel.Sys;</c> a class derived from <c>Sys.Kernel</c> keeps its methods. Start it from <c>Main</c>:
/// <c>new MyKernel().Start();</c>. A program need not have one.
/// </summary>
public abstract class Kernel
{
    private bool _isStopped;

    /// <summary>
    /// Runs the life cycle in the calling goroutine: <see cref="OnBoot"/>, <see cref="BeforeRun"/>, then
    /// <see cref="Run"/> again and again until <see cref="Stop"/> is called, then <see cref="AfterRun"/>.
    /// </summary>
    public void Start()
    {
        OnBoot();
        BeforeRun();
        while (!Volatile.Read(ref _isStopped))
        {
            Run();
        }
        AfterRun();
    }

    /// <summary>Ends the life cycle once the current <see cref="Run"/> returns. May be called from any goroutine.</summary>
    public virtual void Stop() => Volatile.Write(ref _isStopped, true);

    /// <summary>First of all, once.</summary>
    protected virtual void OnBoot()
    {
    }

    /// <summary>Before the first <see cref="Run"/>, once.</summary>
    protected virtual void BeforeRun()
    {
    }

    /// <summary>The kernel's work, a piece at a time.</summary>
    protected abstract void Run();

    /// <summary>After the last <see cref="Run"/>, once.</summary>
    protected virtual void AfterRun()
    {
    }
}
