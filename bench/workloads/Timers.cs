// Timers: how late a sleeper wakes. Its Go twin has the workloads that are skipped here.
using System;
using System.Diagnostics;

namespace Unikernel.Bench;

internal static class Timers
{
    private const int SleepCount = 200;

    internal static void AfterFunc() => Report.Skip("no AfterFunc yet");

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

    internal static void PreemptTight() => Report.Skip("no preemption yet");
}
