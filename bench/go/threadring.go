// The benchmarks game's thread-ring: a token counts down as it goes around 503 goroutines.
package main

const ringMembers = 503

func threadRing() {
	timed(func(n int) { check("winner", int64(runRing(n)), int64(n%ringMembers+1)) })
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
