// The rows of the benchmark: one table, in the order of the report.
using System;
using System.Collections.Generic;
using System.Linq;

namespace Unikernel.Bench.Runner;

internal static class Rows
{
    /// <summary>Measured from outside: from starting QEMU to the program's first line.</summary>
    public const string Boot = "boot";

    public static readonly IReadOnlyList<string> All =
    [
        // goroutines
        "spawn_exit", "spawn_exit_par", "burst_1e6", "gosched_2", "gosched_10k", "pingpong",
        // channels and select
        "chan_buf0", "chan_buf10", "chan_buf100", "chan_uncontended", "chan_contended", "chan_nonblock",
        "select_uncontended", "select_sync_contended",
        // locks
        "mutex", "mutex_contended", "waitgroup",
        // memory
        "malloc_16", "malloc_64ptr", "malloc_1k", "malloc_64k", "binarytrees_16", "binarytrees_18", "binarytrees_20",
        "gc_live_64m", "gc_live_256m", "parked_1e5",
        // time
        "timers_1e6", "sleep_100us", "sleep_1ms", "sleep_1ms_hogs", "preempt_tight",
        // whole programs
        "threadring", "sieve_1000", "chameneos", "fannkuch_10", "nbody", "spectralnorm", "mandelbrot",
        // the machine
        Boot, "echo_1", "echo_64", "http_64",
    ];

    /// <summary>The chosen rows in the order of the table, each once.</summary>
    public static IReadOnlyList<string> Choose(IReadOnlyCollection<string> names) =>
        names.Count == 0 ? All : [.. All.Where(names.Contains)];

    public static IReadOnlyList<string> Unknown(IEnumerable<string> names) =>
        [.. names.Where(n => !All.Contains(n, StringComparer.Ordinal))];
}
