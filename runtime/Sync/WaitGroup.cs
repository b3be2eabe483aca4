using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>Waits for a number of goroutines. Go: <c>sync.WaitGroup</c>.</summary>
/// <remarks>Allocates nothing after its construction, <see cref="Go(Action)"/> excepted.</remarks>
public sealed unsafe class WaitGroup
{
    private const int CounterShift = 32;

    private long _state;            // counter in the upper half, number of waiters in the lower; atomic
    private SpinLock _lock;
    private GList _waiting;         // guarded by _lock

    /// <summary>Adds to the counter; when it becomes zero, all waiting goroutines go on. Go: <c>wg.Add(delta)</c>.</summary>
    /// <param name="delta">How much; may be negative.</param>
    /// <exception cref="GoPanicException">"sync: negative WaitGroup counter".</exception>
    public void Add(int delta)
    {
        long state = Atomic.Add(ref _state, (long)delta << CounterShift);
        int counter = (int)(state >> CounterShift);
        if (counter < 0)
        {
            throw new GoPanicException("sync: negative WaitGroup counter");
        }
        if (counter > 0 || (uint)state == 0)
        {
            return;
        }
        _lock.Acquire(LockRank.WaitGroup);
        GList woken = _waiting;
        _waiting = default;
        _ = Atomic.Add(ref _state, -(long)(uint)Atomic.Load(ref _state));
        while (!woken.IsEmpty)
        {
            Proc.GoReady(woken.Take());
        }
        _lock.Release();
    }

    /// <summary>Takes one from the counter. Go: <c>wg.Done()</c>.</summary>
    /// <exception cref="GoPanicException">"sync: negative WaitGroup counter".</exception>
    public void Done() => Add(-1);

    /// <summary>Waits until the counter is zero. Go: <c>wg.Wait()</c>.</summary>
    /// <exception cref="GoPanicException">"sync: WaitGroup is reused before previous Wait has returned".</exception>
    public void Wait()
    {
        if (Atomic.Load(ref _state) >> CounterShift == 0)
        {
            return;
        }
        _lock.Acquire(LockRank.WaitGroup);
        long state;
        do
        {
            state = Atomic.Load(ref _state);
            if (state >> CounterShift == 0)
            {
                _lock.Release();            // without having touched it: those just woken look at it
                return;
            }
        }
        while (!Atomic.Swap(ref _state, state, state + 1));
        _waiting.Add(Proc.GetG());
        Proc.GoPark(_lock.Word, WaitReason.SyncWaitGroupWait);
        if (Atomic.Load(ref _state) != 0)
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
