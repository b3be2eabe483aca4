package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

const warmUpShare = 20

// current is the row that runs.
var current string

// timed runs body once on a small share of n operations, then on n (divided by SCALE), and reports ns per operation.
func timed(n int, body func(n int)) {
	ops := scaled(n)
	body(atLeast1(ops / warmUpShare))
	start := time.Now()
	body(ops)
	report("-", "time", "ns", perOp(time.Since(start), ops))
}

func scaled(n int) int { return atLeast1(n / scale) }

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

// percentiles reports the given percentiles (100 is the greatest) of latenesses in nanoseconds, in microseconds.
func percentiles(prefix string, ns []int64, wanted ...int) {
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	for _, p := range wanted {
		name := "p" + strconv.Itoa(p)
		if p == 100 {
			name = "max"
		}
		value := 0.0
		if len(ns) > 0 {
			value = float64(ns[(len(ns)-1)*p/100]) / 1e3
		}
		report(prefix+name, "time", "us", value)
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
