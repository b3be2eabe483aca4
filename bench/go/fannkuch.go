// The benchmarks game's fannkuch-redux: permutations in a given order, each reversed by its first element until that is 0.
package main

import "time"

const (
	fannkuchSize     = 10
	fannkuchChecksum = 73196
	fannkuchFlips    = 38
)

func fannkuch() {
	start := time.Now()
	checksum, maxFlips := fannkuchRun(fannkuchSize)
	report("-", "time", "ms", milliseconds(time.Since(start)))
	check("checksum", int64(checksum), fannkuchChecksum)
	check("flips", int64(maxFlips), fannkuchFlips)
}

func fannkuchRun(n int) (checksum, maxFlips int) {
	current, work, counts := make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range current {
		current[i] = int32(i)
	}
	even := true
	left := n
	for {
		for ; left != 1; left-- {
			counts[left-1] = int32(left)
		}
		if current[0] != 0 {
			copy(work, current)
			flips := flip(work)
			if flips > maxFlips {
				maxFlips = flips
			}
			if even {
				checksum += flips
			} else {
				checksum -= flips
			}
		}
		even = !even
		for {
			if left == n {
				return checksum, maxFlips
			}
			first := current[0]
			for i := 0; i < left; i++ {
				current[i] = current[i+1]
			}
			current[left] = first
			counts[left]--
			if counts[left] > 0 {
				break
			}
			left++
		}
	}
}

// flip reverses the first k+1 elements, k being the first, until that is 0, and returns how often.
func flip(p []int32) int {
	flips := 0
	for k := int(p[0]); k != 0; k = int(p[0]) {
		for i, j := 0, k; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
		flips++
	}
	return flips
}
