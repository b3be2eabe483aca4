// The public face of the collector: Go's runtime/debug and MemStats.
// Context: goroutine.
using System;
using Unikernel.Kernel;
using Unikernel.Runtime.Gc;
using Unikernel.Runtime.Mem;
using Unikernel.Runtime.Sched;

namespace Unikernel;

/// <summary>What the memory allocator and the collector have done so far. Go: <c>runtime.MemStats</c>; sizes are bytes.</summary>
public readonly struct MemStats
{
    /// <summary>Objects that live, and dead ones not found yet. Go: <c>HeapAlloc</c>.</summary>
    public long HeapAlloc { get; init; }

    /// <summary>All that was ever allocated, sizes rounded up as the allocator does. Go: <c>TotalAlloc</c>.</summary>
    public long TotalAlloc { get; init; }

    /// <summary>Got from the machine for objects. Go: <c>HeapSys</c>.</summary>
    public long HeapSys { get; init; }

    /// <summary>Of <see cref="HeapSys"/>, in spans that hold objects. Go: <c>HeapInuse</c>.</summary>
    public long HeapInuse { get; init; }

    /// <summary>Of <see cref="HeapSys"/>, in no span. Go: <c>HeapIdle</c>.</summary>
    public long HeapIdle => HeapSys - HeapInuse;

    /// <summary>Objects that were alive at the end of the last collection.</summary>
    public long LiveObjects { get; init; }

    /// <summary>Memory of the machine in use for anything. Go: <c>Sys</c>.</summary>
    public long Sys { get; init; }

    /// <summary>Parked goroutines whose stacks were put into smaller buffers and their pages given back.</summary>
    public int StacksStashed { get; init; }

    /// <summary>What these buffers take.</summary>
    public long StashBytes { get; init; }

    /// <summary>How large the heap may be when the next collection ends; <see cref="long.MaxValue"/> = any. Go: <c>NextGC</c>.</summary>
    public long NextGC { get; init; }

    /// <summary>Collections that have ended. Go: <c>NumGC</c>.</summary>
    public long NumGC { get; init; }

    /// <summary>Of them, those the program asked for. Go: <c>NumForcedGC</c>.</summary>
    public long NumForcedGC { get; init; }

    /// <summary>When the last collection ended, as <see cref="GoTime.Now"/> gives it; zero = there was none. Go: <c>LastGC</c>.</summary>
    public TimeSpan LastGC { get; init; }

    /// <summary>For how long the world was stopped in all. Go: <c>PauseTotalNs</c>.</summary>
    public long PauseTotalNs { get; init; }

    /// <summary>How often it was stopped: twice a collection or more.</summary>
    public long NumPauses { get; init; }

    /// <summary>The pause that half of all pauses do not exceed, an eighth off at most; nanoseconds.</summary>
    public long PauseP50Ns { get; init; }

    /// <summary>The pause that 99 % of all pauses do not exceed, an eighth off at most; nanoseconds.</summary>
    public long PauseP99Ns { get; init; }

    /// <summary>The longest pause; nanoseconds.</summary>
    public long PauseMaxNs { get; init; }

    /// <summary>CPU time spent marking; nanoseconds.</summary>
    public long MarkCpuNs { get; init; }

    /// <summary>Objects whose finalizers have not been called yet although they are due.</summary>
    public long FinalizersQueued { get; init; }

    /// <summary>The last pauses, the latest first. Go: <c>PauseNs</c>, without its ring.</summary>
    /// <param name="to">Where they go, in nanoseconds; at most 256 are kept.</param>
    /// <returns>How many were written.</returns>
    public static int ReadPauses(Span<long> to)
    {
        int n = 0;
        while (n < to.Length && n < GcStats.Kept && n < GcStats.Pauses)
        {
            to[n] = GcStats.PauseAt(n);
            n++;
        }
        return n;
    }
}

/// <summary>Settings of the collector, and what it knows. Go: parts of <c>runtime</c> and <c>runtime/debug</c>.</summary>
public static class GoMemory
{
    /// <summary>
    /// Sets how much the heap may grow over what lived after the last collection before the next one, in per cent.
    /// Go: <c>debug.SetGCPercent</c>; the kernel argument <c>GOGC</c>.
    /// </summary>
    /// <param name="percent">Negative turns collections off, but for those a memory limit or the program asks for.</param>
    /// <returns>The percentage before.</returns>
    public static int SetGCPercent(int percent) => Mgc.SetGcPercent(percent);

    /// <summary>
    /// Sets a soft limit of the memory in use for everything: collections come oftener near it, down to half of the CPU.
    /// Go: <c>debug.SetMemoryLimit</c>; the kernel argument <c>GOMEMLIMIT</c>.
    /// </summary>
    /// <param name="bytes">The limit; <see cref="long.MaxValue"/> = none; negative changes nothing.</param>
    /// <returns>The limit before.</returns>
    public static long SetMemoryLimit(long bytes) => Mgc.SetMemoryLimit(bytes);

    /// <summary>Collects, and waits until what is free has been swept. Go: <c>debug.FreeOSMemory</c>, <c>runtime.GC</c>.</summary>
    public static void Collect() => Mgc.Collect();

    /// <summary>What allocator and collector have done. Go: <c>runtime.ReadMemStats</c>, but nothing is stopped for it.</summary>
    /// <param name="stats">Counters that were read one after the other while others go on.</param>
    public static void ReadMemStats(out MemStats stats) => stats = new MemStats
    {
        HeapAlloc = Mgc.HeapLive,
        TotalAlloc = Mgc.TotalAllocated(),
        HeapSys = MHeap.HeldBytes,
        HeapInuse = MHeap.InUseBytes,
        LiveObjects = Sweeper.LiveObjects,
        Sys = (long)(Machine.TotalMemory - Machine.FreeMemory),
        StacksStashed = Stash.Count,
        StashBytes = Stash.Bytes,
        NextGC = Mgc.GoalBytes,
        NumGC = GcStats.Cycles,
        NumForcedGC = GcStats.Forced,
        LastGC = GoTime.FromNs(GcStats.LastEndNs),
        PauseTotalNs = GcStats.PauseTotalNs,
        NumPauses = GcStats.Pauses,
        PauseP50Ns = GcStats.Quantile(500),
        PauseP99Ns = GcStats.Quantile(990),
        PauseMaxNs = GcStats.PauseMaxNs,
        MarkCpuNs = GcStats.DriverNs + GcStats.IdleNs + GcStats.AssistNs,
        FinalizersQueued = Finalizers.Queued,
    };

    /// <summary>
    /// Arranges that <paramref name="cleanup"/>(<paramref name="argument"/>) runs in a goroutine of its own some time after
    /// nobody refers to <paramref name="target"/> any more, and its finalizer, if it has one, has not saved it. Go: <c>runtime.AddCleanup</c>. Allocates two objects and a handle.
    /// </summary>
    /// <param name="target">What is watched; several clean-ups may be.</param>
    /// <param name="cleanup">What to run. It must not refer to <paramref name="target"/>, or that lives for ever.</param>
    /// <param name="argument">What it gets.</param>
    /// <exception cref="GoPanicException"><paramref name="argument"/> is <paramref name="target"/>: it would never run.</exception>
    public static Cleanup AddCleanup<T, TArgument>(T target, Action<TArgument> cleanup, TArgument argument)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(cleanup);
        if (ReferenceEquals(argument, target))
        {
            throw new GoPanicException("runtime.AddCleanup: ptr is equal to arg, cleanup will never run");
        }
        var watcher = new Cleanup.Watcher(() => cleanup(argument), Cleanup.HasFinalizer(target) ? target : null);
        Cleanup.Attach(target, watcher);
        return new Cleanup(watcher);
    }
}

/// <summary>A clean-up that <see cref="GoMemory.AddCleanup"/> arranged. Go: <c>runtime.Cleanup</c>.</summary>
public readonly struct Cleanup
{
    // One list of watchers for each target, which lives as long as the target: when it dies, so do they, and their
    // finalizers run.
    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<object, System.Collections.Generic.List<Watcher>> s_watchers = [];

    private readonly WeakReference<Watcher>? _watcher;

    internal Cleanup(Watcher watcher) => _watcher = new WeakReference<Watcher>(watcher);

    internal static unsafe bool HasFinalizer(object target)
    {
        nint bits = System.Runtime.CompilerServices.Unsafe.As<object, nint>(ref target);
        return (*(Runtime.Abi.MethodTable**)bits)->HasFinalizer;
    }

    internal static void Attach(object target, Watcher watcher)
    {
        System.Collections.Generic.List<Watcher> list = s_watchers.GetOrCreateValue(target);
        lock (list)
        {
            list.Add(watcher);
        }
    }

    /// <summary>Cancels it, if it has not begun. Go: <c>c.Stop()</c>.</summary>
    public void Stop()
    {
        if (_watcher is not null && _watcher.TryGetTarget(out Watcher? watcher))
        {
            watcher.Cancel();
        }
    }

    internal sealed class Watcher
    {
        private readonly System.Runtime.InteropServices.GCHandle _finalizable;     // the target, if it has a finalizer
        private Action? _run;

        internal Watcher(Action run, object? finalizable)
        {
            _run = run;
            if (finalizable is not null)
            {
                _finalizable = System.Runtime.InteropServices.GCHandle.Alloc(finalizable, System.Runtime.InteropServices.GCHandleType.WeakTrackResurrection);
            }
        }

        ~Watcher()
        {
            if (_finalizable.IsAllocated)
            {
                if (_finalizable.Target is not null)
                {
                    GC.ReRegisterForFinalize(this);         // its finalizer has still to run, or has saved it
                    return;
                }
                _finalizable.Free();
            }
            Action? run = System.Threading.Interlocked.Exchange(ref _run, null);
            if (run is not null)
            {
                Go.Run(run);
            }
        }

        internal void Cancel() => System.Threading.Volatile.Write(ref _run, null);
    }
}
