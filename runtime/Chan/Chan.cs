using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Unikernel.Runtime.Chan;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// A channel: goroutines send values into it and receive them from it, first in, first out. Go: <c>chan T</c>.
/// </summary>
/// <remarks>
/// A value of this type is a reference to a channel, as in Go; two are equal when they refer to the same one.
/// <c>default</c> is Go's nil channel: sending and receiving block for ever, closing panics, its length and capacity are 0.
/// The k-th receive of a channel with capacity C happens before the (k+C)-th send completes; a send happens before its
/// receive completes; closing happens before a receive that returns because of it.
/// </remarks>
/// <typeparam name="T">Type of the values.</typeparam>
public readonly struct Chan<T> : IEquatable<Chan<T>>
{
    private readonly Hchan<T>? _channel;

    /// <summary>Makes an unbuffered channel: a send waits for its receiver. Go: <c>make(chan T)</c>.</summary>
    public Chan() => _channel = new Hchan<T>(0);

    /// <summary>Makes a channel with a buffer. Go: <c>make(chan T, capacity)</c>. Allocates the buffer.</summary>
    /// <param name="capacity">Values the buffer holds; 0 makes an unbuffered channel.</param>
    /// <exception cref="GoPanicException">"makechan: size out of range": negative, or more than an array can hold.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory for the buffer.</exception>
    public Chan(int capacity) => _channel = new Hchan<T>(capacity);

    internal Chan(Hchan<T>? channel) => _channel = channel;

    internal Hchan<T>? Channel => _channel;

    /// <summary>Whether this is the nil channel.</summary>
    public bool IsNil => _channel == null;

    /// <summary>Number of values in the buffer. Go: <c>len(c)</c>.</summary>
    public int Len => _channel == null ? 0 : _channel.Count;

    /// <summary>Number of values the buffer can hold. Go: <c>cap(c)</c>.</summary>
    public int Cap => _channel == null ? 0 : _channel.Capacity;

    /// <summary>Sends a value; waits while no receiver waits and the buffer is full. Go: <c>c &lt;- value</c>.</summary>
    /// <param name="value">The value.</param>
    /// <exception cref="GoPanicException">"send on closed channel", also when it is closed while this waits.</exception>
    public void Send(T value)
    {
        if (_channel == null)
        {
            BlockForEver(WaitReason.ChanSendNilChan);
        }
        _channel.Send(value);
    }

    /// <summary>Receives a value; waits while there is none. Go: <c>&lt;-c</c>.</summary>
    /// <returns>The value, or <c>default</c> once the channel is closed and drained.</returns>
    public T Receive()
    {
        _ = Receive(out T value);
        return value;
    }

    /// <summary>Receives a value; waits while there is none. Go: <c>value, ok := &lt;-c</c>.</summary>
    /// <param name="value">The value, or <c>default</c> once the channel is closed and drained.</param>
    /// <returns>Whether a value was sent; false once the channel is closed and drained.</returns>
    public bool Receive(out T value)
    {
        if (_channel == null)
        {
            BlockForEver(WaitReason.ChanReceiveNilChan);
        }
        return _channel.Receive(out value);
    }

    /// <summary>Sends a value if that needs no waiting. Go: <c>select</c> with this send and <c>default</c>.</summary>
    /// <param name="value">The value.</param>
    /// <returns>Whether it was sent; always false for the nil channel.</returns>
    /// <exception cref="GoPanicException">"send on closed channel".</exception>
    public bool TrySend(T value) => _channel != null && _channel.TrySend(value);

    /// <summary>Receives if that needs no waiting. Go: <c>select</c> with <c>value, ok := &lt;-c</c> and <c>default</c>.</summary>
    /// <param name="value">The value, or <c>default</c>.</param>
    /// <param name="ok">Whether a value was sent; false when the channel is closed and drained.</param>
    /// <returns>Whether the receive took place; a closed channel is always ready, the nil channel never.</returns>
    public bool TryReceive(out T value, out bool ok)
    {
        if (_channel == null)
        {
            value = default!;
            ok = false;
            return false;
        }
        return _channel.TryReceive(out value, out ok);
    }

    /// <summary>Closes the channel: waiting receivers get <c>default</c>, waiting senders panic. Go: <c>close(c)</c>.</summary>
    /// <exception cref="GoPanicException">"close of closed channel", or "close of nil channel".</exception>
    public void Close()
    {
        if (_channel == null)
        {
            throw new GoPanicException("close of nil channel");
        }
        _channel.Close();
    }

    /// <summary>Receives until the channel is closed and drained: <c>foreach</c>. Go: <c>for v := range c</c>.</summary>
    public ChanEnumerator<T> GetEnumerator() => new(this);

    /// <summary>The sending half.</summary>
    public SendChan<T> ToSendChan() => new(this);

    /// <summary>The receiving half.</summary>
    public ReceiveChan<T> ToReceiveChan() => new(this);

    /// <summary>Whether both are the same channel.</summary>
    public bool Equals(Chan<T> other) => ReferenceEquals(_channel, other._channel);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Chan<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(_channel);

    /// <summary>Whether both are the same channel.</summary>
    public static bool operator ==(Chan<T> left, Chan<T> right) => left.Equals(right);

    /// <summary>Whether they are different channels.</summary>
    public static bool operator !=(Chan<T> left, Chan<T> right) => !left.Equals(right);

    [DoesNotReturn]
    private static void BlockForEver(WaitReason reason)
    {
        while (true)
        {
            Proc.GoPark(reason);
        }
    }
}

/// <summary>What <c>foreach</c> over a channel uses.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public struct ChanEnumerator<T>
{
    private readonly Chan<T> _channel;
    private T _current;

    internal ChanEnumerator(Chan<T> channel)
    {
        _channel = channel;
        _current = default!;
    }

    /// <summary>The value received last.</summary>
    public readonly T Current => _current;

    /// <summary>Receives the next value.</summary>
    /// <returns>False once the channel is closed and drained.</returns>
    public bool MoveNext() => _channel.Receive(out _current);
}
