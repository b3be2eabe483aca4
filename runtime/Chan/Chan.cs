// Channels.
//
// CH1  At least one of sendq and recvq is empty, except for a goroutine blocked on both sides of a select.
// CH2  Buffered: count > 0 implies recvq is empty; count < capacity implies sendq is empty.
// CH3  A value handed to a waiting goroutine goes into its Sudog, never onto its stack.
// CH4  One core, cooperative: between two parks no other goroutine sees the channel.
// Context: goroutine. Allocates: the channel and its buffer; a Sudog per blocked operation, from a free list.
// Reference: Go src/runtime/chan.go.
using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// Go's channel: a queue that goroutines send to and receive from, first in first out. The default value is Go's nil
/// channel, on which every operation blocks for ever. Two values are equal when they are the same channel.
/// </summary>
public readonly struct Chan<T> : IEquatable<Chan<T>>
{
    private readonly HChan<T>? _c;

    /// <summary>An unbuffered channel: a send completes when it is received.</summary>
    public Chan()
        : this(0)
    {
    }

    /// <summary>A channel that holds up to <paramref name="capacity"/> values; 0 is unbuffered.</summary>
    /// <exception cref="GoPanicException">"makechan: size out of range": negative, or more than an array can hold.</exception>
    public Chan(int capacity)
    {
        if (capacity < 0 || capacity > Array.MaxLength)
        {
            throw new GoPanicException("makechan: size out of range");
        }
        _c = new HChan<T>(capacity);
    }

    /// <summary>Values in the buffer; 0 for nil.</summary>
    public int Len => _c?.Count ?? 0;

    /// <summary>Size of the buffer; 0 for nil.</summary>
    public int Cap => _c?.Capacity ?? 0;

    /// <summary>Whether this is the nil channel.</summary>
    public bool IsNil => _c is null;

    /// <summary>Sends, blocking until a receiver or the buffer takes the value. For ever on the nil channel.</summary>
    /// <exception cref="GoPanicException">"send on closed channel", also when it is closed while this waits.</exception>
    public void Send(T value)
    {
        if (_c is null)
        {
            Forever(WaitReason.ChanSendNil);
        }
        _c.Send(value, true);
    }

    /// <summary>Sends if that needs no waiting; false otherwise (Go's select with default).</summary>
    /// <exception cref="GoPanicException">"send on closed channel".</exception>
    public bool TrySend(T value) => _c is not null && _c.Send(value, false);

    /// <summary>Receives, blocking until there is a value; the default value when the channel is closed and drained.</summary>
    public T Receive()
    {
        Receive(out T value);
        return value;
    }

    /// <summary>Receives; false (Go's ok) when the channel is closed and drained, with the default value.</summary>
    public bool Receive(out T value)
    {
        if (_c is null)
        {
            Forever(WaitReason.ChanReceiveNil);
        }
        _c.Receive(out value, out bool ok, true);
        return ok;
    }

    /// <summary>
    /// Receives if that needs no waiting. True with <paramref name="ok"/> false: closed and drained. False: nothing yet.
    /// </summary>
    public bool TryReceive(out T value, out bool ok)
    {
        if (_c is not null)
        {
            return _c.Receive(out value, out ok, false);
        }
        value = default!;
        ok = false;
        return false;
    }

    /// <summary>Closes: receivers drain the buffer and then get ok = false, senders panic.</summary>
    /// <exception cref="GoPanicException">"close of nil channel", "close of closed channel".</exception>
    public void Close()
    {
        if (_c is null)
        {
            throw new GoPanicException("close of nil channel");
        }
        _c.Close();
    }

    /// <summary>The sending side only (Go's <c>chan&lt;- T</c>).</summary>
    public SendChan<T> ToSendChan() => new(this);

    /// <summary>The receiving side only (Go's <c>&lt;-chan T</c>).</summary>
    public ReceiveChan<T> ToReceiveChan() => new(this);

    /// <summary>A channel can be used where only its sending side is asked for.</summary>
    public static implicit operator SendChan<T>(Chan<T> channel) => new(channel);

    /// <summary>A channel can be used where only its receiving side is asked for.</summary>
    public static implicit operator ReceiveChan<T>(Chan<T> channel) => new(channel);

    /// <summary>Receives until the channel is closed and drained (Go's range). Allocates nothing.</summary>
    public Enumerator GetEnumerator() => new(this);

    /// <inheritdoc/>
    public bool Equals(Chan<T> other) => ReferenceEquals(_c, other._c);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Chan<T> c && Equals(c);

    /// <inheritdoc/>
    public override int GetHashCode() => _c?.GetHashCode() ?? 0;

    /// <summary>Whether both are the same channel.</summary>
    public static bool operator ==(Chan<T> left, Chan<T> right) => left.Equals(right);

    /// <summary>Whether they are different channels.</summary>
    public static bool operator !=(Chan<T> left, Chan<T> right) => !left.Equals(right);

    [DoesNotReturn]
    private static void Forever(WaitReason reason)
    {
        Proc.GoPark(reason);
        Throw.Fatal("a goroutine on a nil channel was woken"u8);
    }

    /// <summary>Go's range over a channel.</summary>
    public struct Enumerator(Chan<T> channel)
    {
        private T _current = default!;

        /// <summary>The value received last.</summary>
        public readonly T Current => _current;

        /// <summary>Receives the next value; false when closed and drained.</summary>
        public bool MoveNext() => channel.Receive(out _current);
    }
}

/// <summary>The sending side of a channel.</summary>
public readonly record struct SendChan<T>(Chan<T> Channel)
{
    /// <inheritdoc cref="Chan{T}.Send"/>
    public void Send(T value) => Channel.Send(value);

    /// <inheritdoc cref="Chan{T}.TrySend"/>
    public bool TrySend(T value) => Channel.TrySend(value);

    /// <inheritdoc cref="Chan{T}.Close"/>
    public void Close() => Channel.Close();
}

/// <summary>The receiving side of a channel.</summary>
public readonly record struct ReceiveChan<T>(Chan<T> Channel)
{
    /// <inheritdoc cref="Chan{T}.Receive()"/>
    public T Receive() => Channel.Receive();

    /// <inheritdoc cref="Chan{T}.Receive(out T)"/>
    public bool Receive(out T value) => Channel.Receive(out value);

    /// <inheritdoc cref="Chan{T}.TryReceive"/>
    public bool TryReceive(out T value, out bool ok) => Channel.TryReceive(out value, out ok);

    /// <inheritdoc cref="Chan{T}.GetEnumerator"/>
    public Chan<T>.Enumerator GetEnumerator() => Channel.GetEnumerator();
}

/// <summary>A goroutine blocked on a channel, with the value it sends or is given.</summary>
internal sealed unsafe class Sudog<T>
{
    internal G* Waiter;
    internal Sudog<T>? Next;
    internal T Value = default!;
    internal bool Success;          // false: woken by Close
}

internal struct WaitQ<T>
{
    private Sudog<T>? _first;
    private Sudog<T>? _last;

    internal void Enqueue(Sudog<T> s)
    {
        s.Next = null;
        if (_last is null)
        {
            _first = s;
        }
        else
        {
            _last.Next = s;
        }
        _last = s;
    }

    internal Sudog<T>? Dequeue()
    {
        Sudog<T>? s = _first;
        if (s is not null)
        {
            _first = s.Next;
            if (_first is null)
            {
                _last = null;
            }
            s.Next = null;
        }
        return s;
    }
}

internal sealed unsafe class HChan<T>(int capacity)
{
    private readonly T[] _buffer = capacity == 0 ? [] : new T[capacity];
    private int _receiveAt;
    private bool _isClosed;
    private WaitQ<T> _senders;
    private WaitQ<T> _receivers;
    private Sudog<T>? _free;

    internal int Count { get; private set; }

    internal int Capacity => _buffer.Length;

    internal bool Send(T value, bool block)
    {
        if (_isClosed)
        {
            throw new GoPanicException("send on closed channel");
        }
        Sudog<T>? receiver = _receivers.Dequeue();
        if (receiver is not null)
        {
            receiver.Value = value;                 // CH3
            receiver.Success = true;
            Proc.GoReady(receiver.Waiter);
            return true;
        }
        if (Count < _buffer.Length)
        {
            int at = _receiveAt + Count;
            _buffer[at >= _buffer.Length ? at - _buffer.Length : at] = value;
            Count++;
            return true;
        }
        if (!block)
        {
            return false;
        }
        Sudog<T> s = Acquire();
        s.Value = value;
        _senders.Enqueue(s);
        Proc.GoPark(WaitReason.ChanSend);
        bool sent = s.Success;
        Release(s);
        return sent ? true : throw new GoPanicException("send on closed channel");
    }

    /// <summary>False only when it would block and may not.</summary>
    internal bool Receive(out T value, out bool ok, bool block)
    {
        if (Count > 0)
        {
            value = _buffer[_receiveAt];
            _buffer[_receiveAt] = default!;
            _receiveAt = _receiveAt + 1 == _buffer.Length ? 0 : _receiveAt + 1;
            Count--;
            Sudog<T>? sender = _senders.Dequeue();
            if (sender is not null)
            {
                int at = _receiveAt + Count;        // its value takes the freed place, at the tail
                _buffer[at >= _buffer.Length ? at - _buffer.Length : at] = sender.Value;
                Count++;
                Wake(sender);
            }
            ok = true;
            return true;
        }
        Sudog<T>? unbuffered = _senders.Dequeue();
        if (unbuffered is not null)
        {
            value = unbuffered.Value;
            Wake(unbuffered);
            ok = true;
            return true;
        }
        if (_isClosed || !block)
        {
            value = default!;
            ok = false;
            return _isClosed;
        }
        Sudog<T> s = Acquire();
        _receivers.Enqueue(s);
        Proc.GoPark(WaitReason.ChanReceive);
        value = s.Value;
        ok = s.Success;
        Release(s);
        return true;
    }

    internal void Close()
    {
        if (_isClosed)
        {
            throw new GoPanicException("close of closed channel");
        }
        _isClosed = true;
        Sudog<T>? s;
        while ((s = _receivers.Dequeue()) is not null)
        {
            Proc.GoReady(s.Waiter);                 // Success is false, Value the default
        }
        while ((s = _senders.Dequeue()) is not null)
        {
            Proc.GoReady(s.Waiter);
        }
    }

    private static void Wake(Sudog<T> sender)
    {
        sender.Success = true;
        Proc.GoReady(sender.Waiter);
    }

    private Sudog<T> Acquire()
    {
        Sudog<T> s = _free ?? new Sudog<T>();
        _free = s.Next;
        s.Next = null;
        s.Waiter = Proc.GetG();
        s.Success = false;
        return s;
    }

    private void Release(Sudog<T> s)
    {
        s.Value = default!;
        s.Next = _free;
        _free = s;
    }
}
