// The benchmarks game's thread-ring: a token counts down as it goes around 503 goroutines.
package main

import "time"

const (
	ringMembers = 503
	hops        = 2_000_000
)

func threadRing() {
	n := scaled(hops)
	runRing(atLeast1(n / warmUpShare))
	start := time.Now()
	winner := runRing(n)
	report("-", "time", "ns", perOp(time.Since(start), n))
	check("winner", int64(winner), int64(n%ringMembers+1))
}

// runRing returns the number, from 1, of the member that gets the token when it says 0.
func runRing(token int) int {
	first := make(chan int)
	result := make(chan int)
	in := first
	for id := 1; id <= ringMembers; id++ {
		out := first
		if id < ringMembers {
			out = make(chan int)
		}
		go ringMember(id, in, out, result)
		in = out
	}
	first <- token
	winner := <-result
	close(first)
	return winner
}

func ringMember(id int, in, out, result chan int) {
	for token := range in {
		if token == 0 {
			result <- id
		} else {
			out <- token - 1
		}
	}
	if id < ringMembers {
		close(out)
	}
}
