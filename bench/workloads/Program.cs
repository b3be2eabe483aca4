// The benchmark workloads, each with its twin in bench/go: same algorithm, same counts, same names.
//
// Usage: workloads ROW [PROCS [SCALE]], or workloads list. Prints "@ready", then lines "@row NAME METRIC KIND UNIT VALUE",
// "@skip NAME reason" or "@fail NAME reason"; see Report.cs. Exit code: 0, 1 for a wrong answer, 64 for wrong usage.
using System;
using System.Globalization;

namespace Unikernel.Bench;

internal static class Program
{
    private static readonly (string Name, Action Run)[] s_rows =
    [
        ("boot", static () => { }),     // the runner takes the time until @ready
        ("spawn_exit", Spawn.SpawnExit),
        ("spawn_exit_par", Spawn.SpawnExitPar),
        ("burst_1e6", Spawn.Burst),
        ("gosched_2", Spawn.Gosched2),
        ("gosched_10k", Spawn.Gosched10k),
        ("pingpong", Channels.PingPong),
        ("chan_buf0", static () => Channels.ChanBuf(0)),
        ("chan_buf10", static () => Channels.ChanBuf(10)),
        ("chan_buf100", static () => Channels.ChanBuf(100)),
        ("chan_uncontended", Channels.ChanUncontended),
        ("chan_contended", Channels.ChanContended),
        ("chan_nonblock", Channels.ChanNonblock),
        ("select_uncontended", Selects.SelectUncontended),
        ("select_sync_contended", Selects.SelectSyncContended),
        ("mutex", Locks.Mutex),
        ("mutex_contended", Locks.MutexContended),
        ("waitgroup", Locks.WaitGroup),
        ("malloc_16", Malloc.Malloc16),
        ("malloc_64ptr", Malloc.Malloc64Ptr),
        ("malloc_1k", static () => Malloc.MallocBytes(1024, 1_000_000)),
        ("malloc_64k", static () => Malloc.MallocBytes(65536, 20_000)),
        ("binarytrees_16", static () => BinaryTrees.Run(16)),
        ("binarytrees_18", static () => BinaryTrees.Run(18)),
        ("binarytrees_20", static () => BinaryTrees.Run(20)),
        ("gc_live_64m", GcLive.Run),
        ("gc_live_256m", GcLive.Run),
        ("parked_1e5", Spawn.Parked),
        ("timers_1e6", Timers.AfterFunc),
        ("sleep_100us", static () => Timers.Sleeps(100)),
        ("sleep_1ms", static () => Timers.Sleeps(1000)),
        ("sleep_1ms_hogs", Timers.SleepBesideTwoHogs),
        ("preempt_tight", Timers.PreemptTight),
        ("threadring", ThreadRing.Run),
        ("sieve_1000", Sieve.Run),
        ("chameneos", Chameneos.Run),
        ("fannkuch_10", Fannkuch.Run),
        ("nbody", NBody.Run),
        ("spectralnorm", SpectralNorm.Run),
        ("mandelbrot", Mandelbrot.Run),
        ("echo_1", static () => Report.Skip("no network yet")),
        ("echo_64", static () => Report.Skip("no network yet")),
        ("http_64", static () => Report.Skip("no network yet")),
    ];

    /// <summary>PROCS: how many cores run goroutines.</summary>
    internal static int Procs { get; private set; } = 1;

    /// <summary>SCALE: by how much the counts of the rows per operation are divided.</summary>
    internal static int Scale { get; private set; } = 1;

    private static int Main(string[] args)
    {
        Console.WriteLine("@ready");
        if (args is ["list"])
        {
            foreach ((string name, _) in s_rows)
            {
                Console.WriteLine(name);
            }
            return 0;
        }
        if (args.Length is 0 or > 3 || Number(args, 1) is not int procs || Number(args, 2) is not int scale)
        {
            Console.Error.WriteLine("usage: workloads ROW [PROCS [SCALE]], or workloads list");
            return 64;
        }
        Procs = procs;
        Scale = scale;
        foreach ((string name, Action run) in s_rows)
        {
            if (name == args[0])
            {
                return Run(name, run);
            }
        }
        Console.Error.WriteLine($"workloads: no row {args[0]}; there are:");
        foreach ((string name, _) in s_rows)
        {
            Console.Error.WriteLine(name);
        }
        return 64;
    }

    private static int Run(string name, Action run)
    {
        Report.Current = name;
        if (Procs > Go.GoMaxProcs)
        {
            Report.Skip($"no {Procs} cores: goroutines run on {Go.GoMaxProcs} here");
            return 0;
        }
        Report.PrepareOutOfMemory();
        try
        {
            run();
            return 0;
        }
        catch (WrongAnswerException e)
        {
            return Report.Fail(e.Message);
        }
        catch (OutOfMemoryException)        // InsufficientMemoryException, no memory for a goroutine, is one too
        {
            return Report.FailOutOfMemory();
        }
    }

    // The argument at an index as a number from 1; 1 when it is not there, null when it is wrong.
    private static int? Number(string[] args, int index) =>
        index >= args.Length ? 1
        : int.TryParse(args[index], NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= 1 ? n
        : null;
}
