// Mutual exclusion and waiting for a count.
package main

import "sync"

const lockers = 4

type counter struct {
	gate  sync.Mutex
	count int64
}

func (c *counter) increment(n int) {
	for i := 0; i < n; i++ {
		c.gate.Lock()
		c.count++
		c.gate.Unlock()
	}
}

func mutex() {
	timed(func(n int) {
		var c counter
		c.increment(n)
		check("count", c.count, int64(n))
	})
}

func mutexContended() {
	timed(func(n int) {
		each := atLeast1(n / lockers)
		c := new(counter)
		var done sync.WaitGroup
		done.Add(lockers)
		for i := 0; i < lockers; i++ {
			go func() {
				c.increment(each)
				done.Done()
			}()
		}
		done.Wait()
		check("count", c.count, int64(each)*lockers)
	})
}

func waitGroup() {
	timed(func(n int) {
		group := new(sync.WaitGroup)
		for i := 0; i < n; i++ {
			group.Add(1)
			group.Done()
		}
		group.Wait()
	})
}
