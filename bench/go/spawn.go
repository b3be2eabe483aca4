// Goroutines: starting, ending, yielding, parking.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	spawnBatch  = 64
	burstSize   = 1_000_000
	yielders    = 10_000
	parkedCount = 100_000
)

var spawned int64

func leaf() { atomic.AddInt64(&spawned, 1) }

// One at a time: started, given way to, gone.
func spawnExit() {
	timed(func(n int) {
		atomic.StoreInt64(&spawned, 0)
		for i := 0; i < n; i++ {
			go leaf()
			runtime.Gosched()
		}
		for atomic.LoadInt64(&spawned) < int64(n) {
			runtime.Gosched()
		}
		check("count", atomic.LoadInt64(&spawned), int64(n))
	})
}

// A spawner's own state, on cache lines of its own.
type spawner struct {
	_     [64]byte
	count int64
	batch sync.WaitGroup
	_     [64]byte
}

func (s *spawner) leaf() {
	atomic.AddInt64(&s.count, 1)
	s.batch.Done()
}

func (s *spawner) spawn(n int, done *sync.WaitGroup) {
	leaf := s.leaf
	for n > 0 {
		size := n
		if size > spawnBatch {
			size = spawnBatch
		}
		s.batch.Add(size)
		for i := 0; i < size; i++ {
			go leaf()
		}
		s.batch.Wait()
		n -= size
	}
	done.Done()
}

// PROCS spawners, each waiting for batches of its own.
func spawnExitPar() {
	timed(func(n int) {
		each := atLeast1(n / procs)
		var done sync.WaitGroup
		done.Add(procs)
		spawners := make([]*spawner, procs)
		for i := range spawners {
			s := new(spawner)
			spawners[i] = s
			go func() { s.spawn(each, &done) }()
		}
		done.Wait()
		total := int64(0)
		for _, s := range spawners {
			total += s.count
		}
		check("count", total, int64(each)*int64(procs))
	})
}

// All of them runnable at once.
func burst() {
	s := new(spawner)
	leaf := s.leaf
	s.batch.Add(burstSize)
	start := time.Now()
	for i := 0; i < burstSize; i++ {
		go leaf()
	}
	s.batch.Wait()
	report("-", "time", "ns", perOp(time.Since(start), burstSize))
	check("count", s.count, burstSize)
}

func yielder(n int, done *sync.WaitGroup) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
	done.Done()
}

func yieldAll(goroutines, each int) {
	var done sync.WaitGroup
	done.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() { yielder(each, &done) }()
	}
	done.Wait()
}

func gosched2() {
	timedRounds(2, func(n int) { yieldAll(2, n) })
}

// Ten thousand that yield until a time has passed. They are all there before it begins.
func gosched10k() {
	var started, begun, ended, total int64
	var done sync.WaitGroup
	done.Add(yielders)
	yielder := func() {
		atomic.AddInt64(&started, 1)
		for atomic.LoadInt64(&begun) == 0 {
			runtime.Gosched()
		}
		count := int64(0)
		for atomic.LoadInt64(&ended) == 0 {
			runtime.Gosched()
			count++
		}
		atomic.AddInt64(&total, count)
		done.Done()
	}
	for i := 0; i < yielders; i++ {
		go yielder()
	}
	for atomic.LoadInt64(&started) < yielders {
		runtime.Gosched()
	}
	goal := time.Duration(leastMs) * time.Millisecond
	start := time.Now()
	atomic.StoreInt64(&begun, 1)
	for time.Since(start) < goal {
		runtime.Gosched()
	}
	took := time.Since(start)
	atomic.StoreInt64(&ended, 1)
	done.Wait()
	report("-", "time", "ns", perOp(took, int(total)))
}

// Memory of the process: what is really there, else what Go has asked for.
func memoryInUse() int64 {
	if kib := processKiB("VmRSS"); kib > 0 {
		return kib * 1024
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// Many goroutines waiting on one channel: what one costs in memory after a collection, and to be woken.
func parked() {
	gate := make(chan int)
	var started, woken int64
	var done sync.WaitGroup
	done.Add(parkedCount)
	wait := func() {
		atomic.AddInt64(&started, 1)
		<-gate
		atomic.AddInt64(&woken, 1)
		done.Done()
	}
	runtime.GC()
	before := memoryInUse()
	for i := 0; i < parkedCount; i++ {
		go wait()
	}
	for atomic.LoadInt64(&started) < parkedCount {
		runtime.Gosched()
	}
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
	report("memory", "bytes", "B", float64(memoryInUse()-before)/parkedCount)
	start := time.Now()
	close(gate)
	done.Wait()
	report("wake", "time", "ns", perOp(time.Since(start), parkedCount))
	check("woken", woken, parkedCount)
}
