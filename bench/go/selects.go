// Select, as Go's own benchmarks of it.
package main

import "sync"

// PROCS goroutines, each with two channels of its own of which one is always ready.
func selectUncontended() {
	timed(func(n int) {
		each := atLeast1(n / procs)
		counts := make([]int, procs)
		var done sync.WaitGroup
		done.Add(procs)
		for i := range counts {
			i := i
			go func() {
				counts[i] = selectTwo(each)
				done.Done()
			}()
		}
		done.Wait()
		checkSelects(counts, each)
	})
}

func selectTwo(n int) int {
	c1, c2 := make(chan int, 1), make(chan int, 1)
	c1 <- 0
	count := 0
	for i := 0; i < n; i++ {
		select {
		case <-c1:
			c2 <- 0
			count++
		case <-c2:
			c1 <- 0
			count++
		}
	}
	return count
}

// PROCS receivers and as many senders, all selecting among the same three unbuffered channels.
func selectSyncContended() {
	timed(func(n int) {
		each := atLeast1(n / procs)
		c1, c2, c3, stop := make(chan int), make(chan int), make(chan int), make(chan int)
		counts := make([]int, procs)
		var done, gone sync.WaitGroup
		done.Add(procs)
		gone.Add(procs)
		for i := range counts {
			i := i
			go func() {
				sendToAny(c1, c2, c3, stop)
				gone.Done()
			}()
			go func() {
				counts[i] = receiveFromAny(c1, c2, c3, each)
				done.Done()
			}()
		}
		done.Wait()
		close(stop)
		gone.Wait()
		checkSelects(counts, each)
	})
}

func sendToAny(c1, c2, c3, stop chan int) {
	for {
		select {
		case c1 <- 1:
		case c2 <- 1:
		case c3 <- 1:
		case <-stop:
			return
		}
	}
}

func receiveFromAny(c1, c2, c3 chan int, n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		select {
		case v := <-c1:
			sum += v
		case v := <-c2:
			sum += v
		case v := <-c3:
			sum += v
		}
	}
	return sum
}

func checkSelects(counts []int, each int) {
	total := 0
	for _, count := range counts {
		total += count
	}
	check("count", int64(total), int64(each)*int64(procs))
}
