// The benchmarks game's spectral-norm: the power method on a matrix that is a formula.
package main

import (
	"fmt"
	"math"
	"time"
)

const (
	spectralSize   = 500
	spectralRounds = 10
	spectralResult = "1.274224116"
)

func spectralNorm() {
	start := time.Now()
	u, v, t := make([]float64, spectralSize), make([]float64, spectralSize), make([]float64, spectralSize)
	for i := range u {
		u[i] = 1
	}
	for i := 0; i < spectralRounds; i++ {
		timesTransposeTimes(u, v, t)
		timesTransposeTimes(v, u, t)
	}
	uv, vv := 0.0, 0.0
	for i := range u {
		uv += u[i] * v[i]
		vv += v[i] * v[i]
	}
	report("-", "time", "ms", milliseconds(time.Since(start)))
	checkText("norm", fmt.Sprintf("%.9f", math.Sqrt(uv/vv)), spectralResult)
}

func element(i, j int) float64 { return 1 / float64((i+j)*(i+j+1)/2+i+1) }

// timesTransposeTimes sets result to (A transposed)(A)v.
func timesTransposeTimes(v, result, t []float64) {
	for i := range t {
		sum := 0.0
		for j := range v {
			sum += element(i, j) * v[j]
		}
		t[i] = sum
	}
	for i := range result {
		sum := 0.0
		for j := range t {
			sum += element(j, i) * t[j]
		}
		result[i] = sum
	}
}
