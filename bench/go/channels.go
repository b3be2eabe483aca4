// Channels without select.
package main

import "sync"

const (
	channelBuffer  = 100
	leastContended = 2
)

func pingPong() {
	timed(func(n int) {
		there, back := make(chan int), make(chan int)
		go answer(there, back)
		sum := 0
		for i := 0; i < n; i++ {
			there <- i
			sum += <-back
		}
		close(there)
		check("sum", int64(sum), sumTo(n)+int64(n))
	})
}

func answer(there, back chan int) {
	for i := range there {
		back <- i + 1
	}
}

// sumTo is 0 + 1 + … + n-1.
func sumTo(n int) int64 { return int64(n) * int64(n-1) / 2 }

// One producer, one consumer.
func chanBuf(capacity int) {
	timed(func(n int) {
		c := make(chan int, capacity)
		go produce(c, n)
		sum := 0
		for i := range c {
			sum += i
		}
		check("sum", int64(sum), sumTo(n))
	})
}

func produce(c chan int, n int) {
	for i := 0; i < n; i++ {
		c <- i
	}
	close(c)
}

// fillAndDrain sends a buffer's worth of items into the channel and receives as many, until n went through.
func fillAndDrain(c chan int, n int) int64 {
	sum := 0
	for n > 0 {
		size := n
		if size > channelBuffer {
			size = channelBuffer
		}
		for i := 0; i < size; i++ {
			c <- 1
		}
		for i := 0; i < size; i++ {
			sum += <-c
		}
		n -= size
	}
	return int64(sum)
}

func chanUncontended() {
	timed(func(n int) {
		check("sum", fillAndDrain(make(chan int, channelBuffer), n), int64(n))
	})
}

// The same by PROCS goroutines, at least 2, on one channel with room for all of them.
func chanContended() {
	goroutines := procs
	if goroutines < leastContended {
		goroutines = leastContended
	}
	timed(func(n int) {
		each := atLeast1(n / goroutines)
		c := make(chan int, channelBuffer*goroutines)
		sums := make([]int64, goroutines)
		var done sync.WaitGroup
		done.Add(goroutines)
		for i := range sums {
			i := i
			go func() {
				sums[i] = fillAndDrain(c, each)
				done.Done()
			}()
		}
		done.Wait()
		total := int64(0)
		for _, sum := range sums {
			total += sum
		}
		check("sum", total, int64(each)*int64(goroutines))
	})
}

// Receiving from an empty channel without waiting.
func chanNonblock() {
	timed(func(n int) {
		c := make(chan int, 1)
		received := 0
		for i := 0; i < n; i++ {
			select {
			case <-c:
				received++
			default:
			}
		}
		check("received", int64(received), 0)
	})
}
