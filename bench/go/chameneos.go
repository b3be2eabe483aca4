// The benchmarks game's chameneos-redux, its larger population: creatures meet in pairs and change colour.
// The meeting place is a goroutine; a creature sends itself there and waits for whom it met.
package main

const (
	blue = iota
	red
	yellow
	colours
)

var population = []int{blue, red, yellow, red, yellow, blue, red, yellow, red, blue}

type creature struct {
	id, colour int
	met        chan encounter
}

type encounter struct {
	id, colour int
	over       bool
}

type tally struct{ met, self int }

func chameneos() {
	timed(func(n int) {
		total := runChameneos(n)
		check("meetings", int64(total.met), int64(2*n))
		check("meetings with itself", int64(total.self), 0)
	})
}

func runChameneos(n int) tally {
	place := make(chan creature)
	tallies := make(chan tally)
	for id, colour := range population {
		go live(creature{id, colour, make(chan encounter)}, place, tallies)
	}
	for i := 0; i < n; i++ {
		a := <-place
		b := <-place
		a.met <- encounter{b.id, b.colour, false}
		b.met <- encounter{a.id, a.colour, false}
	}
	for range population {
		c := <-place
		c.met <- encounter{over: true}
	}
	total := tally{}
	for range population {
		t := <-tallies
		total.met += t.met
		total.self += t.self
	}
	return total
}

func live(c creature, place chan creature, tallies chan tally) {
	t := tally{}
	for {
		place <- c
		other := <-c.met
		if other.over {
			break
		}
		t.met++
		if other.id == c.id {
			t.self++
		}
		c.colour = complement(c.colour, other.colour)
	}
	tallies <- t
}

// complement is the colour after meeting another: the same for the same, else the third.
func complement(a, b int) int {
	if a == b {
		return a
	}
	return colours - a - b
}
