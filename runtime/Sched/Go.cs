// The public face of the scheduler.
using System;
using System.Runtime.CompilerServices;
using Unikernel.Kernel;
using Unikernel.Runtime.Abi;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>
/// Goroutines. This release runs them on one core, cooperatively: a goroutine gives way when it blocks (channels,
/// sleeping, console input, locks, tasks) or calls <see cref="Gosched"/>.
/// </summary>
public static unsafe class Go
{
    private const long NsPerTick = 100;
    private const int StackTextBytes = 64 * 1024;

    /// <summary>Runs <paramref name="action"/> as a new goroutine (Go's <c>go f()</c>), with a 256 KiB stack.</summary>
    /// <param name="action">Null ends the program with Go's fatal error "go of nil func value".</param>
    /// <exception cref="InsufficientMemoryException">No memory for another goroutine.</exception>
    /// <remarks>An exception it does not catch ends the program with a panic report and exit code 2.</remarks>
    public static void Run(Action action) => Run(action, 0);

    /// <summary>As <see cref="Run(Action)"/> with a stack of at least <paramref name="stackSizeBytes"/> bytes.</summary>
    /// <param name="action">What to run.</param>
    /// <param name="stackSizeBytes">Rounded up to 256 KiB, 4 MiB, 64 MiB or 1 GiB, each less a guard page. Only pages that
    /// are used take memory.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stackSizeBytes"/> is negative or more than 1 GiB less a page.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run(Action action, long stackSizeBytes)
    {
        if (action is null)
        {
            Throw.Fatal("go of nil func value"u8);
        }
        ArgumentOutOfRangeException.ThrowIfNegative(stackSizeBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(stackSizeBytes, Stacks.MaxBytes);
        G* gp = Proc.NewProc(&Start, null, (nuint)stackSizeBytes, false);
        if (gp == null)
        {
            throw new InsufficientMemoryException("No memory for another goroutine.");
        }
        gp->Object = Unsafe.As<Action, nint>(ref action);
        UnwindContext c;
        Unwinder.CaptureContext(&c);
        gp->GoPc = Unwinder.Step(&c) ? c.Rip : 0;
    }

    /// <summary>Runs <paramref name="action"/> with <paramref name="argument"/>, which is evaluated by the caller.</summary>
    public static void Run<T>(Action<T> action, T argument) => Run(action, argument, 0);

    /// <summary>As <see cref="Run{T}(Action{T}, T)"/> with a stack of at least <paramref name="stackSizeBytes"/> bytes.</summary>
    public static void Run<T>(Action<T> action, T argument, long stackSizeBytes)
    {
        if (action is null)
        {
            Throw.Fatal("go of nil func value"u8);
        }
        Run(() => action(argument), stackSizeBytes);
    }

    private static void Start(void* unused)
    {
        G* gp = Proc.GetG();
        Action action = Unsafe.As<nint, Action>(ref gp->Object);
        gp->Object = 0;
        try
        {
            action();
        }
        catch (GoexitException)
        {
        }
    }

    /// <summary>Lets other goroutines run (Go's <c>runtime.Gosched</c>). Allocates nothing.</summary>
    public static void Gosched() => Proc.Gosched();

    /// <summary>
    /// Ends the calling goroutine after its finally blocks (Go's <c>runtime.Goexit</c>). Called by the main
    /// goroutine, the others go on.
    /// </summary>
    /// <remarks>It unwinds by an exception that <c>catch (Exception)</c> would stop.</remarks>
    public static void Goexit() => throw new GoexitException();

    /// <summary>How many goroutines there are, the caller included.</summary>
    public static int NumGoroutine => Proc.Count;

    /// <summary>How many goroutines may run at once; this release has one core.</summary>
    public static int GoMaxProcs => 1;

    /// <summary>Blocks for at least <paramref name="duration"/>; zero or less returns at once. Allocates nothing.</summary>
    public static void Sleep(TimeSpan duration)
    {
        if (duration <= TimeSpan.Zero)
        {
            return;
        }
        long now = Machine.NanoTime();
        long ns = duration.Ticks > (long.MaxValue - now) / NsPerTick ? long.MaxValue - now : duration.Ticks * NsPerTick;
        Proc.GoParkUntil(WaitReason.Sleep, now + ns);
    }

    /// <summary>The trace of the caller, or of <paramref name="all"/> goroutines, in Go's form (Go's runtime.Stack).</summary>
    /// <remarks>Cut after 64 KiB.</remarks>
    public static string Stack(bool all)
    {
        byte[] text = new byte[StackTextBytes];
        fixed (byte* p = text)
        {
            return System.Text.Encoding.UTF8.GetString(text, 0, Traceback.ToBuffer(p, text.Length, all)).TrimStart('\n');
        }
    }

    /// <summary>Calls <paramref name="visit"/> for each goroutine; it must not start or end one.</summary>
    public static void ForEach(Action<GoroutineInfo> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        long now = Machine.NanoTime();
        for (G* gp = Proc.AllGs; gp != null; gp = gp->AllLink)
        {
            if (gp->Status is GStatus.Dead or GStatus.Idle)
            {
                continue;
            }
            bool isWaiting = gp->Status == GStatus.Waiting;
            visit(new GoroutineInfo(
                gp->Id,
                isWaiting ? System.Text.Encoding.UTF8.GetString(WaitReasons.Text(gp->WaitReason)) : gp->Status.ToString().ToLowerInvariant(),
                isWaiting ? TimeSpan.FromTicks((now - gp->WaitSinceNs) / NsPerTick) : TimeSpan.Zero,
                (long)(gp->StackHi - gp->StackLo)));
        }
    }
}

/// <summary>What <see cref="Go.ForEach"/> tells of a goroutine.</summary>
/// <param name="Id">Go's goid; main is 1.</param>
/// <param name="State">"running", "runnable" or the wait reason in Go's words.</param>
/// <param name="Waiting">For how long it has waited.</param>
/// <param name="StackLimit">Most stack it may use, in bytes.</param>
public readonly record struct GoroutineInfo(long Id, string State, TimeSpan Waiting, long StackLimit);

/// <summary>A run-time panic of Go's, with Go's text.</summary>
public sealed class GoPanicException : Exception
{
    /// <summary>A panic without text.</summary>
    public GoPanicException()
    {
    }

    /// <summary>A panic with Go's text.</summary>
    public GoPanicException(string message)
        : base(message)
    {
    }

    /// <summary>A panic with Go's text and a cause.</summary>
    public GoPanicException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

#pragma warning disable CA1032, CA1064 // only Goexit makes one, only a goroutine's outermost frame catches it
internal sealed class GoexitException : Exception;
#pragma warning restore CA1032, CA1064
