package main

import (
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	growthLimit = 100           // by how much a measurement is longer than the one before, at most
	countLimit  = 1_000_000_000 // of operations in one
)

// current is the row that runs.
var current string

// timed runs body with more and more operations until it takes MILLISECONDS, as Go's testing.B does, and reports ns per
// operation of that run alone: the ones before warm up. Each side of the comparison finds its own number, by time.
func timed(body func(n int)) { timedRounds(1, body) }

// timedRounds is timed for a body whose every round is so many operations.
func timedRounds(opsPerRound int, body func(rounds int)) {
	goal := time.Duration(leastMs) * time.Millisecond
	for n := 1; ; {
		start := time.Now()
		body(n)
		took := time.Since(start)
		if n > 1 && took >= goal || n >= countLimit/opsPerRound {
			report("-", "time", "ns", perOp(took, n)/float64(opsPerRound))
			return
		}
		// In floating point: what an instant predicts is beyond integers.
		next := math.Max(1.2*float64(n)*float64(goal)/float64(took+1), float64(n+1))
		n = int(math.Min(next, math.Min(float64(n)*growthLimit, float64(countLimit/opsPerRound))))
	}
}

func atLeast1(n int) int {
	if n < 1 {
		return 1
	}
	return n
}

func perOp(d time.Duration, ops int) float64 { return float64(d.Nanoseconds()) / float64(ops) }

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func report(metric, kind, unit string, value float64) {
	fmt.Printf("@row %s %s %s %s %s\n", current, metric, kind, unit, strconv.FormatFloat(value, 'f', 3, 64))
}

// percentiles reports the given percentiles (100 is the greatest) of latenesses in nanoseconds, in microseconds;
// of none it reports nothing.
func percentiles(prefix string, ns []int64, wanted ...int) {
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	for _, p := range wanted {
		name := "p" + strconv.Itoa(p)
		if p == 100 {
			name = "max"
		}
		if len(ns) > 0 {
			report(prefix+name, "time", "us", float64(ns[(len(ns)-1)*p/100])/1e3)
		}
	}
}

func skip(reason string) { fmt.Printf("@skip %s %s\n", current, reason) }

// check ends the program unless got is what was to come out. Called by the main goroutine.
func check(what string, got, want int64) {
	if got != want {
		fail(fmt.Sprintf("%s is %d, not %d", what, got, want))
	}
}

func checkText(what, got, want string) {
	if got != want {
		fail(fmt.Sprintf("%s is %s, not %s", what, got, want))
	}
}

func fail(reason string) {
	fmt.Printf("@fail %s %s\n", current, reason)
	os.Exit(1)
}

// processKiB is a figure of /proc/self/status, such as VmHWM; 0 where there is none.
func processKiB(field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == field+":" {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n
		}
	}
	return 0
}
