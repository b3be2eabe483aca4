// The comparison programs: each row of bench/workloads (C#, on our kernel) once more in Go, on Go's runtime.
//
// Usage: workloads ROW [PROCS [SCALE]], or workloads list. Prints "@ready", then lines "@row NAME METRIC KIND UNIT VALUE",
// "@skip NAME reason" or "@fail NAME reason"; see report.go. Exit code: 0, 1 for a wrong answer, 64 for wrong usage.
// Files and functions have the names of the C# program's; a change of algorithm or count is made in both.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

type row struct {
	name string
	run  func()
}

var rows = []row{
	{"boot", func() {}}, // the runner takes the time until @ready
	{"spawn_exit", spawnExit},
	{"spawn_exit_par", spawnExitPar},
	{"burst_1e6", burst},
	{"gosched_2", gosched2},
	{"gosched_10k", gosched10k},
	{"pingpong", pingPong},
	{"chan_buf0", func() { chanBuf(0) }},
	{"chan_buf10", func() { chanBuf(10) }},
	{"chan_buf100", func() { chanBuf(100) }},
	{"chan_uncontended", chanUncontended},
	{"chan_contended", chanContended},
	{"chan_nonblock", chanNonblock},
	{"select_uncontended", selectUncontended},
	{"select_sync_contended", selectSyncContended},
	{"mutex", mutex},
	{"mutex_contended", mutexContended},
	{"waitgroup", waitGroup},
	{"malloc_16", malloc16},
	{"malloc_64ptr", malloc64Ptr},
	{"malloc_1k", func() { mallocBytes(1024, 1_000_000) }},
	{"malloc_64k", func() { mallocBytes(65536, 20_000) }},
	{"binarytrees_16", func() { binaryTrees(16) }},
	{"binarytrees_18", func() { binaryTrees(18) }},
	{"binarytrees_20", func() { binaryTrees(20) }},
	{"gc_live_64m", func() { gcLive(64) }},
	{"gc_live_256m", func() { gcLive(256) }},
	{"parked_1e5", parked},
	{"timers_1e6", timers},
	{"sleep_100us", func() { sleeps(100) }},
	{"sleep_1ms", func() { sleeps(1000) }},
	{"sleep_1ms_hogs", func() { besideHogs(2, sleepCount) }},
	{"preempt_tight", func() { besideHogs(procs, preemptCount) }},
	{"threadring", threadRing},
	{"sieve_1000", sieve},
	{"chameneos", chameneos},
	{"fannkuch_10", fannkuch},
	{"nbody", nBody},
	{"spectralnorm", spectralNorm},
	{"mandelbrot", mandelbrot},
	{"echo_1", func() { skip("no network yet") }},
	{"echo_64", func() { skip("no network yet") }},
	{"http_64", func() { skip("no network yet") }},
}

var (
	procs = 1
	scale = 1
)

func main() {
	fmt.Println("@ready")
	args := os.Args[1:]
	if len(args) == 1 && args[0] == "list" {
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return
	}
	if len(args) == 0 || len(args) > 3 || !number(args, 1, &procs) || !number(args, 2, &scale) {
		fmt.Fprintln(os.Stderr, "usage: workloads ROW [PROCS [SCALE]], or workloads list")
		os.Exit(64)
	}
	for _, r := range rows {
		if r.name == args[0] {
			runtime.GOMAXPROCS(procs)
			current = r.name
			r.run()
			return
		}
	}
	fmt.Fprintf(os.Stderr, "workloads: no row %s; there are:\n", args[0])
	for _, r := range rows {
		fmt.Fprintln(os.Stderr, r.name)
	}
	os.Exit(64)
}

// number reads the argument at an index, if it is there, as a number from 1.
func number(args []string, index int, value *int) bool {
	if index >= len(args) {
		return true
	}
	n, err := strconv.Atoi(args[index])
	*value = n
	return err == nil && n >= 1
}
