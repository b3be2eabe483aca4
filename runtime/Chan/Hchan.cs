// A channel.
//
// CH1  At least one of the two wait queues is empty (a select that does both will be the one exception).
// CH2  Of a buffered channel: waiting receivers mean an empty buffer, waiting senders a full one.
// CH3  A value goes from goroutine to goroutine through the sudog, never through a pointer into the other's stack:
//      stacks of parked goroutines may be put away (design section 5).
// CH4  The buffer holds _count values from index _receiveAt on, modulo its length.
// CH5  _lock guards everything below it. It is open again before anybody is readied, and opened for a waiter by whoever
//      comes next on its core.
// CH6  A timer's channel (runtime/Time/GoTimer.cs) has no buffer, no senders, and is never closed: a receiver asks the timer
//      whether a value is there, and tells it before it waits. Each value of T is a TimeSpan then.
// Context: goroutine. Allocates: sudogs, outside the lock; a goroutine keeps one for each direction. Reference: Go's chan.go.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Unikernel.Runtime.Sched;
using SpinLock = Unikernel.Runtime.Sched.SpinLock;

namespace Unikernel.Runtime.Chan;

/// <summary>A goroutine on a channel's wait queue.</summary>
internal abstract unsafe class Sudog
{
    internal G* Gp;
    internal Sudog? Next;

    /// <summary>Whether a partner woke the goroutine; false when Close did.</summary>
    internal bool Success;
}

internal sealed class Sudog<T> : Sudog
{
    internal T Value = default!;
}

/// <summary>A FIFO of waiting goroutines.</summary>
internal struct WaitQueue
{
    private Sudog? _first;
    private Sudog? _last;

    internal readonly bool IsEmpty => _first == null;

    internal void Add(Sudog sg)
    {
        sg.Next = null;
        if (_last == null)
        {
            _first = sg;
        }
        else
        {
            _last.Next = sg;
        }
        _last = sg;
    }

    internal Sudog? Take()
    {
        Sudog? sg = _first;
        if (sg != null)
        {
            _first = sg.Next;
            if (_first == null)
            {
                _last = null;
            }
            sg.Next = null;
        }
        return sg;
    }
}

internal sealed unsafe class Hchan<T>
{
    // A struct, so that storing a reference needs no array covariance check.
    private struct Slot
    {
        internal T Value;
    }

    private readonly Slot[] _buffer;
    private readonly GoTimer? _timer;       // CH6
    private SpinLock _lock;
    private int _count;
    private int _sendAt;
    private int _receiveAt;
    private bool _isClosed;
    private WaitQueue _receivers;
    private WaitQueue _senders;

    internal Hchan(int capacity)
    {
        if (capacity < 0 || capacity > Array.MaxLength)
        {
            throw new GoPanicException("makechan: size out of range");
        }
        _buffer = capacity == 0 ? [] : new Slot[capacity];
    }

    /// <summary>The channel of a timer; T is TimeSpan.</summary>
    internal Hchan(GoTimer timer)
    {
        _buffer = [];
        _timer = timer;
    }

    internal ref SpinLock Lock => ref _lock;

    /// <summary>Lock held: whether somebody waits for a value.</summary>
    internal bool HasReceivers => !_receivers.IsEmpty;

    internal int Count => _count;

    internal int Capacity => _buffer.Length;

    /// <summary>Sends if it can be done without waiting.</summary>
    internal bool TrySend(T value)
    {
        if (!Volatile.Read(ref _isClosed) && (_buffer.Length == 0 ? _receivers.IsEmpty : Volatile.Read(ref _count) == _buffer.Length))
        {
            return false;           // at one moment during the call there was no room, as in Go
        }
        CoreState* cs = _lock.Acquire(LockRank.Chan);
        if (SendHere(cs, value))
        {
            return true;
        }
        _lock.Release();
        return false;
    }

    internal void Send(T value)
    {
        CoreState* cs = _lock.Acquire(LockRank.Chan);
        if (SendHere(cs, value))
        {
            return;
        }
        G* gp = CoreState.Current(cs);
        Sudog<T>? sg = Kept(gp->SendSudog);
        while (sg == null)
        {
            _lock.Release();
            sg = Make(out gp->SendSudog);
            cs = _lock.Acquire(LockRank.Chan);
            if (SendHere(cs, value))
            {
                return;
            }
        }
        sg.Value = value;
        sg.Gp = gp;
        _senders.Add(sg);
        Proc.GoPark(cs, _lock.Word, WaitReason.ChanSend);
        if (!sg.Success)
        {
            sg.Value = default!;
            throw new GoPanicException("send on closed channel");
        }
    }

    // Lock held. True: sent, and the lock is open; so it is when this throws.
    private bool SendHere(CoreState* cs, T value)
    {
        if (_isClosed)
        {
            _lock.Release();
            throw new GoPanicException("send on closed channel");
        }
        if (HasReceivers)
        {
            Wake(cs, TakeReceiver(value));
            return true;
        }
        if (_count == _buffer.Length)
        {
            return false;
        }
        _buffer[_sendAt].Value = value;
        _sendAt = Next(_sendAt);
        _count++;
        _lock.Release();
        return true;
    }

    /// <summary>Receives if it can be done without waiting; <paramref name="ok"/> is false when the channel is closed and drained.</summary>
    internal bool TryReceive(out T value, out bool ok)
    {
        if (!Volatile.Read(ref _isClosed) && (_buffer.Length == 0 ? _senders.IsEmpty && _timer == null : Volatile.Read(ref _count) == 0))
        {
            value = default!;
            ok = false;
            return false;
        }
        CoreState* cs = _lock.Acquire(LockRank.Chan);
        if (ReceiveHere(cs, out value, out ok))
        {
            return true;
        }
        _lock.Release();
        return false;
    }

    internal bool Receive(out T value)
    {
        CoreState* cs = _lock.Acquire(LockRank.Chan);
        if (ReceiveHere(cs, out value, out bool ok))
        {
            return ok;
        }
        G* gp = CoreState.Current(cs);
        Sudog<T>? sg = Kept(gp->ReceiveSudog);
        while (sg == null)
        {
            _lock.Release();
            sg = Make(out gp->ReceiveSudog);
            cs = _lock.Acquire(LockRank.Chan);
            if (ReceiveHere(cs, out value, out ok))
            {
                return ok;
            }
        }
        sg.Gp = gp;
        _receivers.Add(sg);
        _timer?.BeforeWait();
        Proc.GoPark(cs, _lock.Word, WaitReason.ChanReceive);
        bool success = sg.Success;
        value = success ? sg.Value : default!;      // the sudog may hold an old value
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            sg.Value = default!;
        }
        return success;
    }

    // Lock held. True: received, or closed; the lock is open then.
    private bool ReceiveHere(CoreState* cs, out T value, out bool ok)
    {
        ok = true;
        if (_count > 0)
        {
            value = _buffer[_receiveAt].Value;
            _buffer[_receiveAt].Value = default!;
            _receiveAt = Next(_receiveAt);
            if (_senders.Take() is { } waiting)         // CH2: the buffer was full, the sender's value goes to its end
            {
                Sudog<T> sender = Unsafe.As<Sudog<T>>(waiting);
                _buffer[_sendAt].Value = TakeFrom(sender);
                _sendAt = Next(_sendAt);
                Wake(cs, sender.Gp);
            }
            else
            {
                _count--;
                _lock.Release();
            }
            return true;
        }
        if (_senders.Take() is { } first)
        {
            Sudog<T> sender = Unsafe.As<Sudog<T>>(first);
            value = TakeFrom(sender);
            Wake(cs, sender.Gp);
            return true;
        }
        value = default!;
        ok = false;
        if (_timer != null && !HasReceivers && _timer.TryTake(out TimeSpan at))      // who waits already comes first
        {
            value = Unsafe.As<TimeSpan, T>(ref at);
            ok = true;
        }
        else if (!_isClosed)
        {
            return false;
        }
        _lock.Release();
        return true;
    }

    /// <summary>Lock held, somebody waits: gives the value to who waits longest, whom the caller readies.</summary>
    internal G* TakeReceiver(T value)
    {
        Sudog<T> receiver = Unsafe.As<Sudog<T>>(_receivers.Take()!);
        receiver.Value = value;
        receiver.Success = true;
        return receiver.Gp;
    }

    internal void Close()
    {
        _lock.Acquire(LockRank.Chan);
        if (_isClosed)
        {
            _lock.Release();
            throw new GoPanicException("close of closed channel");
        }
        _isClosed = true;
        WaitQueue receivers = _receivers;
        WaitQueue senders = _senders;
        _receivers = default;
        _senders = default;
        _lock.Release();
        WakeAll(ref receivers);
        WakeAll(ref senders);
    }

    private static void WakeAll(ref WaitQueue queue)
    {
        while (queue.Take() is { } sg)
        {
            sg.Success = false;
            Proc.GoReady(sg.Gp);
        }
    }

    private static T TakeFrom(Sudog<T> sender)
    {
        T value = sender.Value;
        sender.Value = default!;
        sender.Success = true;
        return value;
    }

    // CH5
    private void Wake(CoreState* cs, G* gp)
    {
        _lock.Open();
        Proc.ReadyAndRelease(cs, gp);
    }

    private int Next(int index) => index + 1 == _buffer.Length ? 0 : index + 1;

    // The goroutine's sudog of this direction, if it is of this type.
    private static Sudog<T>? Kept(nint bits)
    {
        object? kept = Unsafe.As<nint, object?>(ref bits);
        return kept != null && kept.GetType() == typeof(Sudog<T>) ? Unsafe.As<Sudog<T>>(kept) : null;
    }

    private static Sudog<T> Make(out nint bits)
    {
        object made = new Sudog<T>();
        bits = Unsafe.As<object, nint>(ref made);
        return (Sudog<T>)made;
    }
}
