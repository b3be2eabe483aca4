// Timers: how late a sleeper wakes, and what a timer costs.
using System;
using System.Diagnostics;
using System.Threading;

namespace Unikernel.Bench;

internal static class Timers
{
    private const int TimerCount = 1_000_000;
    private const int SleepCount = 200;
    private const int PreemptCount = 20;

    private static readonly TimeSpan s_timerSpread = TimeSpan.FromSeconds(1);

    // A million timers spread over a second, every other one stopped.
    internal static void AfterFunc()
    {
        long fired = 0;
        Action fire = () => Interlocked.Increment(ref fired);
        GoTimer[] all = new GoTimer[TimerCount];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < TimerCount; i++)
        {
            all[i] = GoTime.AfterFunc(new TimeSpan(s_timerSpread.Ticks * i / TimerCount), fire);
        }
        long created = Stopwatch.GetTimestamp();
        long stopped = 0;
        for (int i = 0; i < TimerCount; i += 2)
        {
            if (all[i].Stop())
            {
                stopped++;
            }
        }
        long ended = Stopwatch.GetTimestamp();
        while (Interlocked.Read(ref fired) + stopped < TimerCount && Stopwatch.GetElapsedTime(ended) < 10 * s_timerSpread)
        {
            Go.Sleep(TimeSpan.FromMilliseconds(1));
        }
        Report.Row("create", "time", "ns", Report.PerOp(Stopwatch.GetElapsedTime(start, created), TimerCount));
        Report.Row("stop", "time", "ns", Report.PerOp(Stopwatch.GetElapsedTime(created, ended), TimerCount / 2));
        Report.Row("all", "time", "ns", Report.PerOp(Stopwatch.GetElapsedTime(start), TimerCount));
        Report.Check("fired and stopped", Interlocked.Read(ref fired) + stopped, TimerCount);
    }

    internal static void Sleeps(int microseconds)
    {
        TimeSpan duration = TimeSpan.FromMicroseconds(microseconds);
        _ = Lateness(SleepCount / 10, duration);
        Report.Percentiles("", Lateness(SleepCount, duration), 50, 99);
    }

    private static double[] Lateness(int count, TimeSpan duration)
    {
        double[] late = new double[count];
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Go.Sleep(duration);
            late[i] = (Stopwatch.GetElapsedTime(start) - duration).TotalMicroseconds;
            if (late[i] < 0)
            {
                throw new WrongAnswerException("woken too early");
            }
        }
        return late;
    }

    /// <summary>A loop without calls on every core: how late a sleeper wakes beside them.</summary>
    internal static void PreemptTight() => BesideHogs(Program.Procs, PreemptCount);

    /// <summary>The same beside two, on one core or on two.</summary>
    internal static void SleepBesideTwoHogs() => BesideHogs(2, SleepCount);

    private static void BesideHogs(int hogs, int sleeps)
    {
        int started = 0;
        bool stop = false;
        for (int i = 0; i < hogs; i++)
        {
            Go.Run(() =>
            {
                Interlocked.Increment(ref started);
                while (!Volatile.Read(ref stop))
                {
                }
            });
        }
        while (Volatile.Read(ref started) < hogs)
        {
            Go.Gosched();
        }
        double[] late = Lateness(sleeps, TimeSpan.FromMilliseconds(1));
        Volatile.Write(ref stop, true);
        Report.Percentiles("", late, 50, 99);
    }
}
