// A channel.
//
// CH1  At least one of the two wait queues is empty (a select that does both will be the one exception).
// CH2  Of a buffered channel: waiting receivers mean an empty buffer, waiting senders a full one.
// CH3  A value goes from goroutine to goroutine through the sudog, never through a pointer into the other's stack:
//      stacks of parked goroutines may be put away (design section 5).
// CH4  The buffer holds _count values from index _receiveAt on, modulo its length.
// One core: a channel operation is not interrupted before it parks, so there is no lock.
// Context: goroutine. Allocates: the sudogs, which the channel keeps for its next waiters. Reference: Go's chan.go.
using System;
using Unikernel.Runtime.Sched;

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
    private int _count;
    private int _sendAt;
    private int _receiveAt;
    private bool _isClosed;
    private WaitQueue _receivers;
    private WaitQueue _senders;
    private Sudog? _free;

    internal Hchan(int capacity)
    {
        if (capacity < 0 || capacity > Array.MaxLength)
        {
            throw new GoPanicException("makechan: size out of range");
        }
        _buffer = capacity == 0 ? [] : new Slot[capacity];
    }

    internal int Count => _count;

    internal int Capacity => _buffer.Length;

    /// <summary>Sends if it can be done without waiting.</summary>
    internal bool TrySend(T value)
    {
        if (_isClosed)
        {
            throw new GoPanicException("send on closed channel");
        }
        if (_receivers.Take() is { } waiting)
        {
            Sudog<T> receiver = (Sudog<T>)waiting;
            receiver.Value = value;
            receiver.Success = true;
            _ = Proc.GoReady(receiver.Gp);
            return true;
        }
        if (_count == _buffer.Length)
        {
            return false;
        }
        _buffer[_sendAt].Value = value;
        _sendAt = Next(_sendAt);
        _count++;
        return true;
    }

    internal void Send(T value)
    {
        if (TrySend(value))
        {
            return;
        }
        Sudog<T> sg = Enter(ref _senders);
        sg.Value = value;
        Proc.GoPark(WaitReason.ChanSend);
        bool success = sg.Success;
        Leave(sg);
        if (!success)
        {
            throw new GoPanicException("send on closed channel");
        }
    }

    /// <summary>Receives if it can be done without waiting; <paramref name="ok"/> is false when the channel is closed and drained.</summary>
    internal bool TryReceive(out T value, out bool ok)
    {
        ok = true;
        if (_count > 0)
        {
            value = _buffer[_receiveAt].Value;
            _buffer[_receiveAt].Value = default!;
            _receiveAt = Next(_receiveAt);
            if (_senders.Take() is { } waiting)         // CH2: the buffer was full, the sender's value goes to its end
            {
                _buffer[_sendAt].Value = TakeFrom(waiting);
                _sendAt = Next(_sendAt);
            }
            else
            {
                _count--;
            }
            return true;
        }
        if (_senders.Take() is { } sender)
        {
            value = TakeFrom(sender);
            return true;
        }
        value = default!;
        ok = false;
        return _isClosed;
    }

    internal bool Receive(out T value)
    {
        if (TryReceive(out value, out bool ok))
        {
            return ok;
        }
        Sudog<T> sg = Enter(ref _receivers);
        Proc.GoPark(WaitReason.ChanReceive);
        value = sg.Value;
        bool success = sg.Success;
        Leave(sg);
        return success;
    }

    internal void Close()
    {
        if (_isClosed)
        {
            throw new GoPanicException("close of closed channel");
        }
        _isClosed = true;
        WakeAll(ref _receivers);
        WakeAll(ref _senders);
    }

    private static void WakeAll(ref WaitQueue queue)
    {
        while (queue.Take() is { } sg)
        {
            sg.Success = false;
            _ = Proc.GoReady(sg.Gp);
        }
    }

    private static T TakeFrom(Sudog waiting)
    {
        Sudog<T> sender = (Sudog<T>)waiting;
        sender.Success = true;
        _ = Proc.GoReady(sender.Gp);
        return sender.Value;
    }

    private int Next(int index) => index + 1 == _buffer.Length ? 0 : index + 1;

    // The calling goroutine's place on a wait queue.
    private Sudog<T> Enter(ref WaitQueue queue)
    {
        Sudog<T>? sg = (Sudog<T>?)_free;
        if (sg == null)
        {
            sg = new Sudog<T>();
        }
        else
        {
            _free = sg.Next;
        }
        sg.Gp = Proc.GetG();
        queue.Add(sg);
        return sg;
    }

    private void Leave(Sudog<T> sg)
    {
        sg.Value = default!;
        sg.Next = _free;
        _free = sg;
    }
}
