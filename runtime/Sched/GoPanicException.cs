using System;

namespace Unikernel;

/// <summary>
/// A Go panic: misuse that Go reports with <c>panic</c>, with Go's text as the message, for example
/// <c>send on closed channel</c>. It can be caught, as a Go panic can be recovered; uncaught it ends the kernel with
/// <c>panic: </c> and the message, and exit code 2.
/// </summary>
public sealed class GoPanicException : Exception
{
    /// <summary>Makes a panic without a text.</summary>
    public GoPanicException()
    {
    }

    /// <summary>Makes a panic.</summary>
    /// <param name="message">Go's text.</param>
    public GoPanicException(string message)
        : base(message)
    {
    }

    /// <summary>Makes a panic that another exception led to.</summary>
    /// <param name="message">Go's text.</param>
    /// <param name="innerException">What led to it.</param>
    public GoPanicException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>Thrown by <see cref="Go.Goexit"/>, caught where the goroutine starts.</summary>
internal sealed class GoexitException : Exception;
