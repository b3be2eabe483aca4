using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// Time and timers: what Go's package <c>time</c> offers around channels. <see cref="Go.Sleep"/> is its <c>Sleep</c>.
/// </summary>
/// <remarks>
/// Times are those of <see cref="Now"/>: they only go forward, which is what comparing them needs. For the time of day
/// there is <see cref="DateTime.UtcNow"/>.
/// </remarks>
public static class GoTime
{
    /// <summary>
    /// Time since boot, in steps of 100 ns; never goes back. The monotonic part of Go's <c>time.Now()</c>. Allocates nothing.
    /// </summary>
    public static TimeSpan Now => FromNs(Machine.NanoTime());

    /// <summary>
    /// A channel that gives one value, the time it was due, after a time. Go: <c>time.After(duration)</c>. Allocates timer
    /// and channel, which can be collected as soon as nobody refers to the channel.
    /// </summary>
    /// <param name="duration">When, from now; zero or less is at once, the largest value is never.</param>
    public static ReceiveChan<TimeSpan> After(TimeSpan duration) => new GoTimer(duration).C;

    /// <summary>
    /// Runs <paramref name="action"/> in a goroutine of its own after a time. Go: <c>time.AfterFunc(duration, f)</c>.
    /// Allocates the timer; when it comes, a goroutine.
    /// </summary>
    /// <param name="duration">When, from now; zero or less is at once, the largest value is never.</param>
    /// <param name="action">What to run. An exception that leaves it ends the kernel, as for <see cref="Go.Run(Action)"/>.</param>
    /// <returns>The timer, to stop or reset it; it may be ignored.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="action"/> is null.</exception>
    /// <exception cref="InsufficientMemoryException">It was to start at once and there is no memory for its goroutine.</exception>
    public static GoTimer AfterFunc(TimeSpan duration, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return new GoTimer(duration, action);
    }

    /// <summary>The channel of a new <see cref="GoTicker"/>; the nil channel unless the period is positive. Go: <c>time.Tick(period)</c>.</summary>
    /// <param name="period">The interval.</param>
    public static ReceiveChan<TimeSpan> Tick(TimeSpan period) => period <= TimeSpan.Zero ? default : new GoTicker(period).C;

    internal static TimeSpan FromNs(long ns) => new(ns / TimeSpan.NanosecondsPerTick);
}
