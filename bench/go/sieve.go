// The prime sieve of Go's documentation: a goroutine per prime, each a filter on the channel of the one before.
package main

import "time"

const (
	sievePrimes = 1000
	sieveResult = 7919
)

func sieve() {
	start := time.Now()
	source := make(chan int)
	go generate(source)
	prime := <-source
	for found := 1; found < sievePrimes; found++ {
		output := make(chan int)
		go filter(source, output, prime)
		source = output
		prime = <-source
	}
	report("-", "time", "ms", milliseconds(time.Since(start)))
	check("prime", int64(prime), sieveResult)
}

func generate(output chan int) {
	for i := 2; ; i++ {
		output <- i
	}
}

func filter(input, output chan int, prime int) {
	for {
		if i := <-input; i%prime != 0 {
			output <- i
		}
	}
}
