using System;
using System.Diagnostics.CodeAnalysis;

namespace Unikernel;

/// <summary>A channel that can only be sent to. Go: <c>chan&lt;- T</c>. Equal when they refer to the same channel.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public readonly struct SendChan<T> : IEquatable<SendChan<T>>
{
    private readonly Chan<T> _channel;

    internal SendChan(Chan<T> channel) => _channel = channel;

    /// <inheritdoc cref="Chan{T}.IsNil"/>
    public bool IsNil => _channel.IsNil;

    /// <inheritdoc cref="Chan{T}.Len"/>
    public int Len => _channel.Len;

    /// <inheritdoc cref="Chan{T}.Cap"/>
    public int Cap => _channel.Cap;

    /// <inheritdoc cref="Chan{T}.Send(T)"/>
    public void Send(T value) => _channel.Send(value);

    /// <inheritdoc cref="Chan{T}.TrySend(T)"/>
    public bool TrySend(T value) => _channel.TrySend(value);

    /// <inheritdoc cref="Chan{T}.Close"/>
    public void Close() => _channel.Close();

    /// <inheritdoc/>
    public bool Equals(SendChan<T> other) => _channel == other._channel;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is SendChan<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _channel.GetHashCode();

    /// <summary>Whether both are the same channel.</summary>
    public static bool operator ==(SendChan<T> left, SendChan<T> right) => left.Equals(right);

    /// <summary>Whether they are different channels.</summary>
    public static bool operator !=(SendChan<T> left, SendChan<T> right) => !left.Equals(right);

    /// <summary>The sending half of a channel; there is no way back.</summary>
    public static implicit operator SendChan<T>(Chan<T> channel) => channel.ToSendChan();
}

/// <summary>A channel that can only be received from. Go: <c>&lt;-chan T</c>. Equal when they refer to the same channel.</summary>
/// <typeparam name="T">Type of the values.</typeparam>
public readonly struct ReceiveChan<T> : IEquatable<ReceiveChan<T>>
{
    private readonly Chan<T> _channel;

    internal ReceiveChan(Chan<T> channel) => _channel = channel;

    /// <inheritdoc cref="Chan{T}.IsNil"/>
    public bool IsNil => _channel.IsNil;

    /// <inheritdoc cref="Chan{T}.Len"/>
    public int Len => _channel.Len;

    /// <inheritdoc cref="Chan{T}.Cap"/>
    public int Cap => _channel.Cap;

    /// <inheritdoc cref="Chan{T}.Receive()"/>
    public T Receive() => _channel.Receive();

    /// <inheritdoc cref="Chan{T}.Receive(out T)"/>
    public bool Receive(out T value) => _channel.Receive(out value);

    /// <inheritdoc cref="Chan{T}.TryReceive(out T, out bool)"/>
    public bool TryReceive(out T value, out bool ok) => _channel.TryReceive(out value, out ok);

    /// <inheritdoc cref="Chan{T}.GetEnumerator"/>
    public ChanEnumerator<T> GetEnumerator() => _channel.GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(ReceiveChan<T> other) => _channel == other._channel;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is ReceiveChan<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _channel.GetHashCode();

    /// <summary>Whether both are the same channel.</summary>
    public static bool operator ==(ReceiveChan<T> left, ReceiveChan<T> right) => left.Equals(right);

    /// <summary>Whether they are different channels.</summary>
    public static bool operator !=(ReceiveChan<T> left, ReceiveChan<T> right) => !left.Equals(right);

    /// <summary>The receiving half of a channel; there is no way back.</summary>
    public static implicit operator ReceiveChan<T>(Chan<T> channel) => channel.ToReceiveChan();
}
