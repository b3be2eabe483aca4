using System;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>Waits for a number of goroutines. Go: <c>sync.WaitGroup</c>.</summary>
/// <remarks>
/// One core: a method is not interrupted before it parks, so the counter needs no lock. Allocates nothing after its
/// construction, <see cref="Go(Action)"/> excepted. Go's panic "Add called concurrently with Wait" needs a second core.
/// </remarks>
public sealed unsafe class WaitGroup
{
    private int _counter;
    private GList _waiting;

    /// <summary>Adds to the counter; when it becomes zero, all waiting goroutines go on. Go: <c>wg.Add(delta)</c>.</summary>
    /// <param name="delta">How much; may be negative.</param>
    /// <exception cref="GoPanicException">"sync: negative WaitGroup counter".</exception>
    public void Add(int delta)
    {
        _counter += delta;
        if (_counter < 0)
        {
            throw new GoPanicException("sync: negative WaitGroup counter");
        }
        if (_counter > 0)
        {
            return;
        }
        while (!_waiting.IsEmpty)
        {
            _ = Proc.GoReady(_waiting.Take());
        }
    }

    /// <summary>Takes one from the counter. Go: <c>wg.Done()</c>.</summary>
    /// <exception cref="GoPanicException">"sync: negative WaitGroup counter".</exception>
    public void Done() => Add(-1);

    /// <summary>Waits until the counter is zero. Go: <c>wg.Wait()</c>.</summary>
    /// <exception cref="GoPanicException">"sync: WaitGroup is reused before previous Wait has returned".</exception>
    public void Wait()
    {
        if (_counter == 0)
        {
            return;
        }
        _waiting.Add(Proc.GetG());
        Proc.GoPark(WaitReason.SyncWaitGroupWait);
        if (_counter != 0)
        {
            throw new GoPanicException("sync: WaitGroup is reused before previous Wait has returned");
        }
    }

    /// <summary>Runs <paramref name="action"/> in a new goroutine that this group waits for. Go: <c>wg.Go(action)</c>.</summary>
    /// <param name="action">What to run; it must not let an exception out.</param>
    /// <exception cref="InsufficientMemoryException">There is no memory for another goroutine.</exception>
    public void Go(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        Add(1);
        Unikernel.Go.Run(() =>
        {
            try
            {
                action();
            }
            finally
            {
                Done();
            }
        });
    }
}
