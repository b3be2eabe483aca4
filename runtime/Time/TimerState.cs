// When a timer is due: arithmetic only, the time is an argument.
//
// TS1  WhenNs is 0 when the timer does not run (stopped, or a one-shot one that has expired), else a positive multiple of
//      100 ns, so that it is exact as a TimeSpan; long.MaxValue is never.
// TS2  A ticker that is late skips what it missed and stays in step with its start.
// Context: the timer's lock held. Allocates nothing. Reference: when in Go's sleep.go, unlockAndRun in time.go.
using System;

namespace Unikernel.Runtime.Sched;

internal struct TimerState
{
    private const long NsPerTick = TimeSpan.NanosecondsPerTick;
    private const long MostTicks = long.MaxValue / NsPerTick;

    private long _whenNs;
    private long _periodNs;     // 0: once

    internal readonly long WhenNs => _whenNs;

    internal readonly bool IsRunning => _whenNs != 0;

    internal readonly bool IsDue(long nowNs) => _whenNs != 0 && _whenNs <= nowNs;

    /// <summary>Sets it running; whether it was.</summary>
    internal bool Set(long whenNs, long periodNs)
    {
        bool was = IsRunning;
        _whenNs = whenNs;
        _periodNs = periodNs;
        return was;
    }

    /// <summary>Ends it; whether it was running.</summary>
    internal bool Stop()
    {
        bool was = IsRunning;
        _whenNs = 0;
        return was;
    }

    /// <summary>If it is due: takes the time it was due, and goes on to its next one, if any.</summary>
    internal bool TryExpire(long nowNs, out long dueNs)
    {
        dueNs = _whenNs;
        if (!IsDue(nowNs))
        {
            return false;
        }
        if (_periodNs == 0)
        {
            _whenNs = 0;
            return true;
        }
        long last = dueNs + ((nowNs - dueNs) / _periodNs * _periodNs);
        _whenNs = last < long.MaxValue - _periodNs ? last + _periodNs : long.MaxValue;
        return true;
    }

    /// <summary>The time that lies <paramref name="duration"/> or up to 100 ns more after now; now for nothing or less.</summary>
    internal static long When(long nowNs, TimeSpan duration)
    {
        long ticks = nowNs / NsPerTick;
        if (duration <= TimeSpan.Zero)
        {
            return ticks > 0 ? ticks * NsPerTick : NsPerTick;
        }
        return duration.Ticks >= MostTicks - ticks - 1 ? long.MaxValue : (ticks + 1 + duration.Ticks) * NsPerTick;
    }

    /// <summary>A positive period in nanoseconds.</summary>
    internal static long Period(TimeSpan duration) =>
        duration.Ticks >= MostTicks ? MostTicks * NsPerTick : duration.Ticks * NsPerTick;
}
