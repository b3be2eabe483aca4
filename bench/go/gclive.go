// A live heap of a given size, made of lists, under mutation and allocation: how fast, and how long it stops the world.
package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	liveNodeBytes  = 64
	liveListLength = 16
	garbageBytes   = 256
	liveTimes      = 10 // MILLISECONDS, the least time it runs
	liveSleep      = time.Millisecond
	clockEvery     = 1024
)

type liveNode struct {
	next    *liveNode
	payload [7]int64
}

var garbage []byte

// gcLive does for a time, and until a collection is through: replace the first node of a list, exchange the rests of two lists, make a block of garbage.
// The number of live nodes stays what it is. The stops are per cycle, as Go's debug.GCStats has them; the rate counts
// 64 bytes a node and 256 a block, whatever they take here.
func gcLive(mebibytes int) {
	lists := make([]*liveNode, mebibytes<<20/liveNodeBytes/liveListLength)
	for i := range lists {
		for j := 0; j < liveListLength; j++ {
			lists[i] = &liveNode{next: lists[i]}
		}
	}
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	cpuBefore := gcCPU()

	var stop int32
	late := make(chan []int64)
	go func() { late <- sleeper(&stop) }()
	// One collection there is in any case, however slowly this machine allocates.
	var collected int32
	go func() {
		runtime.GC()
		atomic.StoreInt32(&collected, 1)
	}()

	rounds := 0
	random := uint64(88172645463325252)
	start := time.Now()
	liveTime := liveTimes * time.Duration(leastMs) * time.Millisecond
	for time.Since(start) < liveTime || atomic.LoadInt32(&collected) == 0 {
		for i := 0; i < clockEvery; i++ {
			random ^= random << 13
			random ^= random >> 7
			random ^= random << 17
			a := int(random>>32) & (len(lists) - 1)
			b := int(random) & (len(lists) - 1)
			lists[a] = &liveNode{next: lists[a].next}
			lists[a].next, lists[b].next = lists[b].next, lists[a].next
			garbage = make([]byte, garbageBytes)
		}
		rounds += clockEvery
	}
	elapsed := time.Since(start)
	atomic.StoreInt32(&stop, 1)
	lateness := <-late
	debug.ReadGCStats(&after)

	count := 0
	for _, node := range lists {
		for ; node != nil; node = node.next {
			count++
		}
	}
	check("live nodes", int64(count), int64(len(lists))*liveListLength)
	allocated := float64(rounds) * (liveNodeBytes + garbageBytes) / (1 << 20)
	report("alloc", "rate", "MiB/s", allocated/elapsed.Seconds())
	stops := []int64{}
	for i := int64(0); i < after.NumGC-before.NumGC && i < int64(len(after.Pause)); i++ {
		stops = append(stops, after.Pause[i].Nanoseconds())
	}
	percentiles("stw_", stops, 50, 100)
	if cpu := gcCPU() - cpuBefore; cpu > 0 && len(stops) > 0 {
		gibibytes := float64(mebibytes) / 1024
		report("cpu_per_gib", "time", "ms", cpu*1e3/float64(after.NumGC-before.NumGC)/gibibytes)
	}
	percentiles("sleeper_late_", lateness, 99)
}

// gcCPU is the processor time of all collections that ended, in seconds; 0 where Go does not tell it.
func gcCPU() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return sample[0].Value.Float64()
}

// sleeper sleeps 1 ms again and again and returns by how much it was late each time.
func sleeper(stop *int32) []int64 {
	lateness := []int64{}
	for atomic.LoadInt32(stop) == 0 {
		start := time.Now()
		time.Sleep(liveSleep)
		lateness = append(lateness, (time.Since(start) - liveSleep).Nanoseconds())
	}
	return lateness
}
