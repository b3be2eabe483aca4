using System;
using CsCheck;
using Unikernel.Runtime.Sched;
using Xunit;

namespace Unikernel.Tests.Runtime;

public class TimerStateTests
{
    private static readonly Gen<long> s_now = Gen.OneOf(Gen.Long[0, 10_000], Gen.Long[0, long.MaxValue / 2]);
    private static readonly Gen<TimeSpan> s_duration =
        Gen.OneOf(Gen.Long[-5, 50], Gen.Long, Gen.Const(long.MaxValue), Gen.Const(long.MinValue)).Select(t => new TimeSpan(t));

    [Fact]
    public void When_is_never_early_nor_more_than_a_tick_late()
    {
        Gen.Select(s_now, s_duration).Sample((now, d) =>
        {
            long when = TimerState.When(now, d);
            if (d <= TimeSpan.Zero)
            {
                return when > 0 && when <= Math.Max(now, 100) && when > now - 100 && when % 100 == 0;
            }
            Int128 exact = now + ((Int128)d.Ticks * 100);
            return when == long.MaxValue ? exact > long.MaxValue - 200 : when >= exact && when <= exact + 100 && when % 100 == 0;
        });
    }

    [Fact]
    public void Period_is_exact_or_never()
    {
        Gen.Long[1, long.MaxValue].Sample(ticks =>
            TimerState.Period(new TimeSpan(ticks)) == (long)Int128.Min((Int128)ticks * 100, long.MaxValue / 100 * 100));
    }

    // A ticker's next time is the first after now that is a whole number of periods from its start.
    [Fact]
    public void Ticker_skips_what_it_missed()
    {
        Gen.Select(Gen.Long[1, 1_000_000], Gen.Long[1, 100_000], Gen.Long[0, 10_000_000]).Sample((start, period, late) =>
        {
            TimerState t = default;
            t.Set(start, period);
            return !t.TryExpire(start - 1, out _)
                && t.TryExpire(start + late, out long due) && due == start
                && t.WhenNs > start + late && t.WhenNs <= start + late + period && (t.WhenNs - start) % period == 0
                && !t.TryExpire(start + late, out _);
        });
    }

    [Fact]
    public void Ticker_does_not_overflow()
    {
        Gen.Select(Gen.Long[1, long.MaxValue], Gen.Long[1, long.MaxValue], Gen.Long[1, long.MaxValue]).Sample((start, period, now) =>
        {
            TimerState t = default;
            t.Set(start, period);
            bool isDue = t.TryExpire(now, out long due);
            return isDue == (start <= now) && due == start
                && (!isDue || t.WhenNs == (long)Int128.Min(start + (((now - start) / period) + (Int128)1) * period, long.MaxValue));
        });
    }

    // Numbers: 0 stop, 1 set once, 2 set periodic, else time goes on and the value is taken if there is one.
    [Fact]
    public void One_value_for_each_time_it_comes_due_and_none_after_stop()
    {
        Gen.Int[0, 9].Array[0, 100].Sample(operations =>
        {
            TimerState t = default;
            long now = 1000;
            long due = 0;           // the model: when the next value comes, 0 for never
            long period = 0;
            foreach (int operation in operations)
            {
                switch (operation)
                {
                    case 0:
                        if (t.Stop() != (due != 0))
                        {
                            return false;
                        }
                        due = 0;
                        break;
                    case 1 or 2:
                        if (t.Set(now + 300, operation == 1 ? 0 : 200) != (due != 0))
                        {
                            return false;
                        }
                        due = now + 300;
                        period = operation == 1 ? 0 : 200;
                        break;
                    default:
                        now += operation * 50;
                        bool expected = due != 0 && due <= now;
                        if (t.TryExpire(now, out long was) != expected || (expected && was != due))
                        {
                            return false;
                        }
                        if (expected)
                        {
                            due = period == 0 ? 0 : due + period;
                            while (due != 0 && due <= now)
                            {
                                due += period;
                            }
                        }
                        break;
                }
            }
            return true;
        });
    }
}
