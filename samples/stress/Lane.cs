using System;
using System.Threading;

namespace Unikernel.Samples;

/// <summary>A relay of goroutines, one at a time, each with a child at times.</summary>
internal sealed class Lane
{
    private const int MaxSteps = 12;
    private static readonly TimeSpan s_tick = TimeSpan.FromMicroseconds(1);

    [ThreadStatic]
    private static Lane? t_current;

    private readonly Books _books;
    private readonly Action _run;
    private readonly Action _child;
    private readonly Chan<long> _hand = new();
    private ulong _random;      // the lane's one goroutine owns it

    public Lane(Books books, ulong seed)
    {
        _books = books;
        _random = seed | 1;
        _run = Run;
        _child = Child;
    }

    public void Start()
    {
        _books.Running.Add(1);
        Interlocked.Increment(ref _books.Started);
        Go.Run(_run);
    }

    private void Run()
    {
        t_current = this;
        for (int steps = Below(MaxSteps); steps > 0; steps--)
        {
            Step();
            if (t_current != this)
            {
                Interlocked.Increment(ref _books.Strays);
            }
        }
        Interlocked.Increment(ref _books.Ended);
        if (!Volatile.Read(ref _books.IsOver))
        {
            Start();
        }
        _books.Running.Done();
    }

    private void Step()
    {
        switch (Below(1024))
        {
            case < 400:
                Interlocked.Increment(ref _books.Yields);
                Go.Gosched();
                break;
            case < 480:
                Interlocked.Increment(ref _books.Sleeps);
                Go.Sleep(s_tick * Below(2000));
                break;
            case < 740:
                HandOver();
                break;
            case < 990:
                _books.CountLocked();
                break;
            case < 1022:
                Interlocked.Increment(ref _books.Pins);
                Go.LockOSThread();
                Go.Gosched();
                Go.UnlockOSThread();
                break;
            default:
                Compute();
                break;
        }
    }

    // The child sends what it drew and ends; it may run on any core, before or after its parent waits.
    private void HandOver()
    {
        _books.Running.Add(1);
        Interlocked.Increment(ref _books.Started);
        Go.Run(_child);
        if (Below(2) == 0)
        {
            Go.Gosched();
        }
        Interlocked.Add(ref _books.Received, _hand.Receive());
    }

    private void Child()
    {
        long value = Environment.TickCount64 | 1;
        Interlocked.Add(ref _books.Sent, value);
        _hand.Send(value);
        Interlocked.Increment(ref _books.Ended);
        _books.Running.Done();
    }

    // No calls: only an interrupt ends its slice.
    private void Compute()
    {
        Interlocked.Increment(ref _books.Spins);
        ulong x = _random;
        for (int n = Below(4_000_000); n > 0; n--)
        {
            x = (x * 6364136223846793005) + 1442695040888963407;
        }
        _random = x | 1;
    }

    private int Below(int n)
    {
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        return (int)(_random % (ulong)n);
    }
}
