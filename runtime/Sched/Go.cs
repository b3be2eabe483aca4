// The public face of the scheduler. Everything here is ordinary C# on top of Proc.
using System;
using System.Runtime.CompilerServices;
using System.Text;
using Unikernel.Kernel;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// Goroutines: Go's <c>go</c> statement and what package <c>runtime</c> offers about goroutines.
/// </summary>
/// <remarks>
/// Goroutines run on all cores and are preempted: one that only computes keeps its core for 10 ms while others wait.
/// </remarks>
public static unsafe class Go
{
    private const long MaxStackBytes = (1L << 30) - 4096;
    private const int FirstTraceBytes = 16 * 1024;
    private const int MaxTraceBytes = 16 * 1024 * 1024;

    /// <summary>Runs <paramref name="action"/> in a new goroutine. Go: <c>go action()</c>.</summary>
    /// <remarks>
    /// The goroutine's stack has 64 MiB of room while fewer than 1024 goroutines exist, 128 KiB beyond that; memory is
    /// used only where the stack has been touched. An exception that leaves <paramref name="action"/> ends the kernel
    /// with Go's report and exit code 2. Allocates nothing for a recycled goroutine, else a page or two outside the heap.
    /// </remarks>
    /// <param name="action">What to run. Null is the fatal error "go of nil func value", as in Go.</param>
    /// <exception cref="InsufficientMemoryException">There is no memory for another goroutine.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run(Action action)
    {
        nuint callerPc = Switch.CallerPc();
        CheckNotNull(action);
        GoStart.Start(&GoStart.RunAction, action, 0, callerPc);
    }

    /// <summary>Runs <paramref name="action"/> in a new goroutine whose stack has room for a given number of bytes.</summary>
    /// <param name="action">What to run. Null is the fatal error "go of nil func value", as in Go.</param>
    /// <param name="stackSizeBytes">
    /// Least room of the stack in bytes, from 1 to 1 GiB less 4096. The room is the smallest of 128 KiB, 4 MiB, 64 MiB and
    /// 1 GiB (each less a guard page) that suffices, but no more than a quarter of the machine's memory.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stackSizeBytes"/> is outside that range.</exception>
    /// <exception cref="InsufficientMemoryException">There is no memory for another goroutine.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run(Action action, long stackSizeBytes)
    {
        nuint callerPc = Switch.CallerPc();
        CheckNotNull(action);
        GoStart.Start(&GoStart.RunAction, action, CheckStackSize(stackSizeBytes), callerPc);
    }

    /// <summary>Runs <paramref name="action"/>(<paramref name="argument"/>) in a new goroutine. Go: <c>go action(argument)</c>.</summary>
    /// <remarks>Allocates a small object for the pair; see <see cref="Run(Action)"/> for the rest.</remarks>
    /// <typeparam name="T">Type of the argument.</typeparam>
    /// <param name="action">What to run. Null is the fatal error "go of nil func value", as in Go.</param>
    /// <param name="argument">Evaluated now, by the caller, as in Go.</param>
    /// <exception cref="InsufficientMemoryException">There is no memory for another goroutine.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run<T>(Action<T> action, T argument)
    {
        nuint callerPc = Switch.CallerPc();
        CheckNotNull(action);
        GoStart.Start(&GoStart.RunCall, new GoCall<T>(action, argument), 0, callerPc);
    }

    /// <summary>Runs <paramref name="action"/>(<paramref name="argument"/>) in a new goroutine whose stack has room for a given number of bytes.</summary>
    /// <typeparam name="T">Type of the argument.</typeparam>
    /// <param name="action">What to run. Null is the fatal error "go of nil func value", as in Go.</param>
    /// <param name="argument">Evaluated now, by the caller.</param>
    /// <param name="stackSizeBytes">Least room of the stack in bytes, as for <see cref="Run(Action, long)"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stackSizeBytes"/> is out of range.</exception>
    /// <exception cref="InsufficientMemoryException">There is no memory for another goroutine.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run<T>(Action<T> action, T argument, long stackSizeBytes)
    {
        nuint callerPc = Switch.CallerPc();
        CheckNotNull(action);
        GoStart.Start(&GoStart.RunCall, new GoCall<T>(action, argument), CheckStackSize(stackSizeBytes), callerPc);
    }

    private static void CheckNotNull(object? action)
    {
        if (action == null)
        {
            Throw.FatalUser("go of nil func value"u8);
        }
    }

    private static nuint CheckStackSize(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1, "stackSizeBytes");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, MaxStackBytes, "stackSizeBytes");
        return (nuint)bytes;
    }

    /// <summary>Lets other goroutines run; the caller stays runnable. Go: <c>runtime.Gosched</c>. Allocates nothing.</summary>
    public static void Gosched() => Proc.Gosched();

    /// <summary>
    /// Number of goroutines that exist, the caller included. Threads of the class library are not counted.
    /// Go: <c>runtime.NumGoroutine</c>.
    /// </summary>
    public static int NumGoroutine => Proc.Goroutines;

    /// <summary>
    /// Number of cores that run goroutines: all of the machine's, or fewer by the kernel argument <c>GOMAXPROCS</c>.
    /// Go: <c>runtime.GOMAXPROCS(0)</c>.
    /// </summary>
    public static int GoMaxProcs => Proc.MaxProcs;

    /// <summary>Sets how many cores run goroutines, at most those that were started at boot. Go: <c>runtime.GOMAXPROCS(n)</c>.</summary>
    /// <remarks>Stops all goroutines for a moment. Allocates nothing.</remarks>
    /// <param name="n">How many; less than 1 changes nothing.</param>
    /// <returns>How many it were before.</returns>
    public static int SetGoMaxProcs(int n) => Proc.SetMaxProcs(n);

    /// <summary>Number of cores of the machine. Go: <c>runtime.NumCPU</c>.</summary>
    public static int NumCpu => Machine.CoreCount;

    /// <summary>
    /// Ties the calling goroutine to the core it is on until as many calls of <see cref="UnlockOSThread"/>: it runs on
    /// that core only. Other goroutines may still run there. When the core is retired (<see cref="SetGoMaxProcs"/>), the
    /// goroutine moves to another and is tied to that one. Go: <c>runtime.LockOSThread</c>, where the thread is its own.
    /// </summary>
    public static void LockOSThread() => Proc.LockToCore();

    /// <summary>Undoes a call of <see cref="LockOSThread"/>; without one it does nothing. Go: <c>runtime.UnlockOSThread</c>.</summary>
    public static void UnlockOSThread() => Proc.UnlockFromCore();

    /// <summary>Pauses the calling goroutine. Go: <c>time.Sleep</c>. Allocates nothing.</summary>
    /// <param name="duration">How long, at least; zero or less returns at once, the largest value sleeps for ever.</param>
    public static void Sleep(TimeSpan duration)
    {
        if (duration <= TimeSpan.Zero)
        {
            return;
        }
        long whenNs = TimerState.When(Machine.NanoTime(), duration);
        ThisCore.Acquire();
        _ = Proc.GoParkUntil(null, WaitReason.Sleep, whenNs);
    }

    /// <summary>
    /// Ends the calling goroutine after running its <c>finally</c> blocks. Go: <c>runtime.Goexit</c>. In the main
    /// goroutine the others go on, and when the last one ends, the kernel ends with Go's deadlock report.
    /// </summary>
    /// <remarks>
    /// Implemented by an exception that is caught where the goroutine starts: a <c>catch</c> block for
    /// <see cref="Exception"/> between there and here stops it, which Go's <c>recover</c> cannot.
    /// </remarks>
    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    public static void Goexit() => throw new GoexitException();

    /// <summary>The calling goroutine's trace, or all goroutines', in Go's form. Go: <c>debug.Stack</c>, <c>runtime.Stack</c>.</summary>
    /// <param name="all">Whether to include the other goroutines.</param>
    public static string Stack(bool all = false)
    {
        for (int size = FirstTraceBytes; ; size *= 4)
        {
            byte[] buffer = new byte[size];
            fixed (byte* p = buffer)
            {
                TraceWriter w = new(p, (nuint)size);
                Traceback.Print(&w, all);
                if (w.Length <= (nuint)size || size >= MaxTraceBytes)
                {
                    return Encoding.UTF8.GetString(p, (int)Math.Min(w.Length, (nuint)size));
                }
            }
        }
    }

    /// <summary>Prints what <see cref="Stack"/> returns on the console. Go: <c>debug.PrintStack</c>. Allocates nothing.</summary>
    /// <param name="all">Whether to include the other goroutines.</param>
    public static void PrintStack(bool all = false)
    {
        TraceWriter w = default;
        Traceback.Print(&w, all);
    }

    /// <summary>
    /// The scheduler's state at one moment: cores, queues, and goroutines with the method each is in. The other cores stand
    /// still while it is taken, for some microseconds and about one more for each goroutine that is listed.
    /// </summary>
    /// <param name="maxGoroutines">How many goroutines to list at most, 0 or more; the counts are of all.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxGoroutines"/> is negative.</exception>
    public static SchedulerInfo Snapshot(int maxGoroutines = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxGoroutines);
        return Runtime.Sched.Snapshot.Take(maxGoroutines);
    }

    /// <summary>Calls <paramref name="action"/> for each goroutine that exists, class library threads included, the runtime's own not.</summary>
    /// <param name="action">Gets a description taken at that moment, without the method it is in; it may block.</param>
    public static void ForEach(Action<GoroutineInfo> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        for (G* gp = Proc.AllFirst; gp != null; gp = gp->AllLink)
        {
            if (gp->Status != GStatus.Dead && !gp->IsSystem)
            {
                action(GoroutineInfo.Of(gp));
            }
        }
    }
}
