// WaitGroup: waits for a counter to come down to zero.
// Context: goroutine. Allocates: itself, and a list entry per waiter. Reference: Go src/sync/waitgroup.go.
using System;
using System.Collections.Generic;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>Go's <c>sync.WaitGroup</c>: a counter of goroutines at work, and a wait until it is zero.</summary>
public sealed unsafe class WaitGroup
{
    private readonly Queue<nint> _waiters = new();
    private int _count;

    /// <summary>Adds <paramref name="delta"/>, which may be negative; at zero all waiters go on.</summary>
    /// <exception cref="GoPanicException">"sync: negative WaitGroup counter".</exception>
    public void Add(int delta)
    {
        _count += delta;
        if (_count < 0)
        {
            throw new GoPanicException("sync: negative WaitGroup counter");
        }
        if (_count == 0)
        {
            while (_waiters.TryDequeue(out nint gp))
            {
                Proc.GoReady((G*)gp);
            }
        }
    }

    /// <summary>One less: <c>Add(-1)</c>.</summary>
    public void Done() => Add(-1);

    /// <summary>Blocks until the counter is zero.</summary>
    public void Wait()
    {
        if (_count > 0)
        {
            _waiters.Enqueue((nint)Proc.GetG());
            Proc.GoPark(WaitReason.SyncWaitGroupWait);
        }
    }

    /// <summary>Runs <paramref name="action"/> as a goroutine that this group waits for.</summary>
    public void Go(Action action)
    {
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
