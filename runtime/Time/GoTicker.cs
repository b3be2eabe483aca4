using System;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>Sends the time on a channel again and again, at equal intervals. Go: <c>time.Ticker</c>.</summary>
/// <remarks>
/// Ticks that nobody receives in time are dropped: a slow receiver gets one for all it missed, and then the next, which
/// stays in step with the first. As for <see cref="GoTimer"/>, no tick is early, none of the time before comes after
/// <see cref="Stop"/> or <see cref="Reset"/> has returned, and a ticker that nobody refers to can be collected.
/// </remarks>
public sealed class GoTicker
{
    private readonly GoTimer _timer;

    /// <summary>Makes a ticker; its first tick comes after one period. Go: <c>time.NewTicker(period)</c>. Allocates ticker and channel.</summary>
    /// <param name="period">The interval, more than zero.</param>
    /// <exception cref="GoPanicException">"non-positive interval for NewTicker".</exception>
    public GoTicker(TimeSpan period)
    {
        if (period <= TimeSpan.Zero)
        {
            throw new GoPanicException("non-positive interval for NewTicker");
        }
        _timer = new GoTimer(period, TimerState.Period(period));
    }

    /// <summary>Where the ticks come: each is the time it was due, as <see cref="GoTime.Now"/> gives it. Go: <c>t.C</c>.</summary>
    /// <remarks>It behaves as an unbuffered channel: length and capacity are 0. It is never closed.</remarks>
    public ReceiveChan<TimeSpan> C => _timer.C;

    /// <summary>Ends the ticks; it does not close the channel. Go: <c>t.Stop()</c>. Allocates nothing.</summary>
    public void Stop() => _ = _timer.Stop();

    /// <summary>Sets another period; the next tick comes after one. Go: <c>t.Reset(period)</c>. Allocates nothing.</summary>
    /// <param name="period">The interval, more than zero.</param>
    /// <exception cref="GoPanicException">"non-positive interval for Ticker.Reset".</exception>
    public void Reset(TimeSpan period)
    {
        if (period <= TimeSpan.Zero)
        {
            throw new GoPanicException("non-positive interval for Ticker.Reset");
        }
        _ = _timer.Set(period, TimerState.Period(period));
    }
}
