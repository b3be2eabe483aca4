// Timers: how late a sleeper wakes, what a timer costs, and whether a loop can keep a sleeper from running.
package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	timerCount   = 1_000_000
	timerSpread  = time.Second
	sleepCount   = 200
	preemptCount = 20
	preemptSleep = time.Millisecond
)

// A million timers spread over a second, every other one stopped.
func timers() {
	var fired int64
	fire := func() { atomic.AddInt64(&fired, 1) }
	all := make([]*time.Timer, timerCount)
	start := time.Now()
	for i := range all {
		all[i] = time.AfterFunc(timerSpread*time.Duration(i)/timerCount, fire)
	}
	created := time.Now()
	stopped := int64(0)
	for i := 0; i < timerCount; i += 2 {
		if all[i].Stop() {
			stopped++
		}
	}
	ended := time.Now()
	for deadline := time.Now().Add(10 * timerSpread); atomic.LoadInt64(&fired)+stopped < timerCount; {
		if time.Now().After(deadline) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	report("create", "time", "ns", perOp(created.Sub(start), timerCount))
	report("stop", "time", "ns", perOp(ended.Sub(created), timerCount/2))
	report("all", "time", "ns", perOp(time.Since(start), timerCount))
	check("fired and stopped", atomic.LoadInt64(&fired)+stopped, timerCount)
}

func sleeps(microseconds int) {
	duration := time.Duration(microseconds) * time.Microsecond
	lateness(sleepCount/10, duration)
	percentiles("", lateness(sleepCount, duration), 50, 99)
}

func lateness(count int, duration time.Duration) []int64 {
	late := make([]int64, count)
	for i := range late {
		start := time.Now()
		time.Sleep(duration)
		late[i] = (time.Since(start) - duration).Nanoseconds()
		if late[i] < 0 {
			fail("woken too early")
		}
	}
	return late
}

// Loops without calls, on every processor or two of them, and a sleeper.
func besideHogs(hogs, sleeps int) {
	var stop, started int32
	for i := 0; i < hogs; i++ {
		go func() {
			atomic.AddInt32(&started, 1)
			for atomic.LoadInt32(&stop) == 0 {
			}
		}()
	}
	for atomic.LoadInt32(&started) < int32(hogs) {
		runtime.Gosched()
	}
	late := lateness(sleeps, preemptSleep)
	atomic.StoreInt32(&stop, 1)
	percentiles("", late, 50, 99)
}
