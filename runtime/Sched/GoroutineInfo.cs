// A goroutine, a core and the scheduler as programs see them: plain values, taken at one moment.
using System;
using System.Collections.Generic;
using System.Text;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>What <see cref="Go.ForEach"/> and <see cref="Go.Snapshot"/> tell about a goroutine.</summary>
/// <param name="Id">Its number, as in traces; 1 is the main goroutine, numbers are never reused.</param>
/// <param name="State"><c>running</c>, <c>runnable</c>, or Go's words for what it waits for.</param>
/// <param name="IsWaiting">Whether it waits.</param>
/// <param name="Age">For how long it has been in that state, to a few milliseconds.</param>
/// <param name="Core">The core that runs it or on whose queue it is; -1 for one that waits.</param>
/// <param name="Function">The method it is in, past the runtime's own; empty for one that has not run yet, and in <see cref="Go.ForEach"/>.</param>
/// <param name="Location">Its file and line there, or where it was made if it has not run yet; may be empty.</param>
/// <param name="StackLimit">Room of its stack in bytes.</param>
public readonly record struct GoroutineInfo(
    long Id, string State, bool IsWaiting, TimeSpan Age, int Core, string Function, string Location, long StackLimit)
{
    internal static unsafe GoroutineInfo Of(G* gp)
    {
        GStatus status = gp->Status;
        bool isWaiting = status == GStatus.Waiting;
        long ageNs = Math.Max(0, Machine.NanoTime() - gp->SinceNs);
        return new GoroutineInfo(
            gp->Id, Words(status, gp->WaitReason), isWaiting, TimeSpan.FromTicks(ageNs / TimeSpan.NanosecondsPerTick),
            isWaiting ? -1 : gp->LastP, "", "", gp->StackHi - gp->StackLo);
    }

    internal static string Words(GStatus status, WaitReason reason) => status switch
    {
        GStatus.Waiting => Encoding.UTF8.GetString(WaitReasons.Text(reason)),
        GStatus.Runnable => "runnable",
        _ => "running",
    };
}

/// <summary>What a core does.</summary>
public enum CoreActivity
{
    /// <summary>It runs a goroutine.</summary>
    Running,

    /// <summary>It is choosing the next goroutine.</summary>
    Scheduling,

    /// <summary>It has none and looks for one to steal.</summary>
    Spinning,

    /// <summary>It has none and is halted.</summary>
    Idle,

    /// <summary>GOMAXPROCS is less than its number: it runs none.</summary>
    Retired,
}

/// <summary>A core with its P.</summary>
/// <param name="Id">Its number, from 0; M and P have the same.</param>
/// <param name="Activity">What it does.</param>
/// <param name="Goroutine">The goroutine it runs, 0 when none.</param>
/// <param name="Function">The method that goroutine is in, past the runtime's own, or empty.</param>
/// <param name="Location">Its file and line there, or empty.</param>
/// <param name="Age">For how long it has run that goroutine, to a few milliseconds.</param>
/// <param name="RunNext">The goroutine that is next, 0 when none.</param>
/// <param name="QueueLength">Goroutines in its P's ring behind that one, and those locked to the core.</param>
/// <param name="Timers">Timers of its P.</param>
/// <param name="Switches">Turns of its scheduler since boot, modulo 2^32: goroutines it has switched to, and looks that found none.</param>
public readonly record struct CoreInfo(
    int Id, CoreActivity Activity, long Goroutine, string Function, string Location, TimeSpan Age, long RunNext, int QueueLength, int Timers, uint Switches);

/// <summary>The scheduler at one moment. Go: what <c>GODEBUG=schedtrace</c> prints.</summary>
public sealed class SchedulerInfo
{
    internal SchedulerInfo(IReadOnlyList<CoreInfo> cores, IReadOnlyList<GoroutineInfo> goroutines)
    {
        Cores = cores;
        Goroutines = goroutines;
    }

    /// <summary>Every core that was started.</summary>
    public IReadOnlyList<CoreInfo> Cores { get; }

    /// <summary>Goroutines, class library threads included, by number; at most as many as were asked for.</summary>
    public IReadOnlyList<GoroutineInfo> Goroutines { get; }

    /// <summary>Goroutines that exist, class library threads included, the runtime's own not.</summary>
    public int GoroutineCount { get; internal init; }

    /// <summary>Of these, runnable ones.</summary>
    public int RunnableCount { get; internal init; }

    /// <summary>How many wait for what, in Go's words; the most frequent first.</summary>
    public IReadOnlyList<(string Reason, int Count)> Waiting { get; internal init; } = [];

    /// <summary>Goroutines on the global queue.</summary>
    public int GlobalQueueLength { get; internal init; }

    /// <summary>Until the first timer is due; null when there is none.</summary>
    public TimeSpan? NextTimer { get; internal init; }

    /// <summary>Cores that run goroutines.</summary>
    public int GoMaxProcs { get; internal init; }

    /// <summary>Since boot.</summary>
    public TimeSpan Time { get; internal init; }
}
