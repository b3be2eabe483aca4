// Timers of the program: with a channel, or with a function to run.
//
// GT1  Lock guards _state. It is the channel's lock (CH5), or the timer's own when there is no channel. Lock order:
//      Lock, then a P's TimersLock (TM4); so an expiry, which comes from a heap, opens TimersLock before it takes Lock.
// GT2  _event is put into a heap and taken out under Lock; falling due takes it out under TimersLock alone. Whoever then
//      gets Lock looks at _state afresh: an expiry overtaken by Stop or Reset finds the timer not due and does nothing.
//      That is why no stale value comes after them.
// GT3  A channel timer is in a heap only while somebody waits on its channel and it runs. Its channel has no buffer: that
//      a value is there means that the timer is due, and the value is the time it was due. Nothing outside the heap of
//      objects refers to one that nobody waits for, so it can be collected while it runs.
// GT4  A function timer is in a heap while it runs; the heap's entry, which points into this object, keeps it alive
//      (Proc.ForEachTimerRoot). Objects do not move.
// Context: goroutine; Expire on g0. Allocates nothing but goroutines for functions. Reference: Go's time.go, sleep.go.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Chan;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// A single event in the future: a value on the channel <see cref="C"/>, or a call of a function
/// (<see cref="GoTime.AfterFunc"/>). Go: <c>time.Timer</c>, with the contracts of Go 1.23 and later.
/// </summary>
/// <remarks>
/// It never comes early. Once <see cref="Stop"/> or <see cref="Reset"/> has returned, no value of the time before can be
/// received. A timer that nobody refers to any more can be collected although it runs. All members may be called by
/// several goroutines at once.
/// </remarks>
public sealed unsafe class GoTimer
{
    private readonly Hchan<TimeSpan>? _channel;
    private readonly Action? _action;
    private SpinLock _ownLock;
    private TimerState _state;
    private TimerEvent _event;

    /// <summary>Makes a timer that sends on <see cref="C"/>. Go: <c>time.NewTimer(duration)</c>. Allocates timer and channel.</summary>
    /// <param name="duration">When, from now; zero or less is at once, the largest value is never.</param>
    public GoTimer(TimeSpan duration)
        : this(duration, 0)
    {
    }

    internal GoTimer(TimeSpan duration, long periodNs)
    {
        _channel = new Hchan<TimeSpan>(this);
        InitEvent();
        _state.Set(TimerState.When(Machine.NanoTime(), duration), periodNs);
    }

    internal GoTimer(TimeSpan duration, Action action)
    {
        _action = action;
        InitEvent();
        Set(duration, 0);
    }

    /// <summary>
    /// Where the timer's value comes: the time it was due, as <see cref="GoTime.Now"/> gives it. Of a timer with a
    /// function it is the nil channel. Go: <c>t.C</c>.
    /// </summary>
    /// <remarks>It behaves as an unbuffered channel: length and capacity are 0. It is never closed.</remarks>
    public ReceiveChan<TimeSpan> C => new Chan<TimeSpan>(_channel);

    private ref SpinLock Lock
    {
        get
        {
            if (_channel != null)
            {
                return ref _channel.Lock;
            }
            return ref _ownLock;
        }
    }

    private TimerEvent* Event => (TimerEvent*)Unsafe.AsPointer(ref _event);        // GT4

    /// <summary>Keeps the timer from coming. Go: <c>t.Stop()</c>. Allocates nothing.</summary>
    /// <remarks>It does not close the channel. It does not wait for a function that has started.</remarks>
    /// <returns>
    /// True when this stopped it: its value has not been received and never will be, its function has not started and
    /// will not. False when it had come or was stopped before.
    /// </returns>
    public bool Stop()
    {
        Lock.Acquire(LockRank.Chan);
        Disarm();
        bool was = _state.Stop();
        Lock.Release();
        return was;
    }

    /// <summary>Sets the timer anew, whether it runs or not. Go: <c>t.Reset(duration)</c>. Allocates nothing.</summary>
    /// <param name="duration">When, from now; zero or less is at once, the largest value is never.</param>
    /// <returns>Whether it was running, as for <see cref="Stop"/>.</returns>
    /// <exception cref="InsufficientMemoryException">The function was to start at once and there is no memory for its goroutine.</exception>
    public bool Reset(TimeSpan duration) => Set(duration, 0);

    internal bool Set(TimeSpan duration, long periodNs)
    {
        CoreState* cs = Lock.Acquire(LockRank.Chan);
        Disarm();
        bool was;
        if (_action != null && duration <= TimeSpan.Zero)
        {
            was = _state.Stop();
            Lock.Release();
            GoStart.Start(&GoStart.RunAction, _action, 0, 0);       // due already: needs no heap
            return was;
        }
        was = _state.Set(TimerState.When(Machine.NanoTime(), duration), periodNs);
        if (_channel == null || _channel.HasReceivers)
        {
            Arm(cs->P);
        }
        Lock.Release();
        return was;
    }

    /// <summary>The channel's lock held, nobody waits on it: receives the value if there is one.</summary>
    internal bool TryTake(out TimeSpan value)
    {
        bool isDue = _state.TryExpire(Machine.NanoTime(), out long dueNs);
        value = GoTime.FromNs(dueNs);
        return isDue;
    }

    /// <summary>The channel's lock held: somebody has put himself on its queue and will park.</summary>
    internal void BeforeWait()
    {
        if (_event.Index < 0 && _state.IsRunning)
        {
            Arm(ThisCore.State->P);
        }
    }

    private void InitEvent()
    {
        GoTimer self = this;
        _event.Fire = &Expire;
        _event.Arg = (void*)Unsafe.As<GoTimer, nint>(ref self);
        _event.FiresUnlocked = true;
    }

    // Lock held, not in a heap.
    private void Arm(P* p)
    {
        _event.WhenNs = _state.WhenNs;
        Proc.AddTimer(p, Event);
    }

    // Lock held, so nobody puts it into a heap meanwhile: that it is in none stays true.
    private void Disarm()
    {
        if (_event.Index >= 0)
        {
            _ = Proc.RemoveTimer(Event);
        }
    }

    // Fallen due on this core, which holds no lock.
    private static void Expire(void* arg)
    {
        nint bits = (nint)arg;
        GoTimer t = Unsafe.As<nint, GoTimer>(ref bits);
        if (t._channel != null)
        {
            t.ExpireChannel();
        }
        else
        {
            t.ExpireFunction();
        }
    }

    private void ExpireChannel()
    {
        CoreState* cs = Lock.Acquire(LockRank.Chan);
        // GT2. Without a receiver the value stays where it is, in the state of being due.
        if (!_channel!.HasReceivers || !_state.TryExpire(cs->P->NowNs, out long dueNs))
        {
            Lock.Release();
            return;
        }
        Disarm();               // no-op, unless armed again since it fell due
        G* gp = _channel.TakeReceiver(GoTime.FromNs(dueNs));
        if (_channel.HasReceivers && _state.IsRunning)
        {
            Arm(cs->P);
        }
        Lock.Open();
        Proc.ReadyAndRelease(cs, gp);
    }

    private void ExpireFunction()
    {
        CoreState* cs = Lock.Acquire(LockRank.Chan);
        bool isDue = _state.TryExpire(cs->P->NowNs, out _);     // GT2
        if (isDue)
        {
            Disarm();
        }
        Lock.Release();
        Action? action = _action;
        if (isDue && Proc.NewProc(&GoStart.RunAction, (void*)Unsafe.As<Action?, nint>(ref action), 0, false) == null)
        {
            Throw.Fatal("out of memory for a timer's goroutine"u8);
        }
    }
}
