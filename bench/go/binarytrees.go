// The benchmarks game's binary-trees, in one goroutine: a tree that lives long beside many that do not.
package main

import (
	"runtime"
	"time"
)

const leastDepth = 4

type tree struct{ left, right *tree }

func bottomUp(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{bottomUp(depth - 1), bottomUp(depth - 1)}
}

func (t *tree) count() int64 {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

// nodes is how many nodes a tree of a depth has.
func nodes(depth int) int64 { return 1<<(depth+1) - 1 }

func binaryTrees(depth int) {
	start := time.Now()
	check("stretch tree", bottomUp(depth+1).count(), nodes(depth+1))
	long := bottomUp(depth)
	peak := peakMemory()
	for d := leastDepth; d <= depth; d += 2 {
		iterations := atLeast1((1 << (depth - d + leastDepth)) / share)
		sum := int64(0)
		for i := 0; i < iterations; i++ {
			sum += bottomUp(d).count()
		}
		check("trees", sum, int64(iterations)*nodes(d))
		if now := peakMemory(); now > peak {
			peak = now
		}
	}
	check("long lived tree", long.count(), nodes(depth))
	report("wall", "time", "ms", milliseconds(time.Since(start)))
	report("peak", "bytes", "B", float64(peak))
}

// peakMemory is the process's greatest size so far, else what Go has asked for.
func peakMemory() int64 {
	if kib := processKiB("VmHWM"); kib > 0 {
		return kib * 1024
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
