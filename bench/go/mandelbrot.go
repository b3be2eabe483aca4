// The benchmarks game's mandelbrot: a bitmap of the set, a bit per point.
package main

import (
	"fmt"
	"time"
)

const (
	mandelbrotSize       = 1000
	mandelbrotIterations = 50
	mandelbrotChecksum   = "4b6965eff28b4aac"
	fnvOffset            = uint64(14695981039346656037)
	fnvPrime             = uint64(1099511628211)
)

func mandelbrot() {
	start := time.Now()
	bitmap := make([]byte, mandelbrotSize*mandelbrotSize/8)
	for y := 0; y < mandelbrotSize; y++ {
		mandelbrotRow(y, bitmap[y*mandelbrotSize/8:(y+1)*mandelbrotSize/8])
	}
	report("-", "time", "ms", milliseconds(time.Since(start)))
	hash := fnvOffset
	for _, b := range bitmap {
		hash = (hash ^ uint64(b)) * fnvPrime
	}
	checkText("checksum", fmt.Sprintf("%016x", hash), mandelbrotChecksum)
}

func mandelbrotRow(y int, row []byte) {
	ci := 2*float64(y)/mandelbrotSize - 1
	for at := range row {
		bits := 0
		for bit := 0; bit < 8; bit++ {
			cr := 2*float64(at*8+bit)/mandelbrotSize - 1.5
			bits <<= 1
			if isInside(cr, ci) {
				bits |= 1
			}
		}
		row[at] = byte(bits)
	}
}

func isInside(cr, ci float64) bool {
	zr, zi, rr, ii := 0.0, 0.0, 0.0, 0.0
	for i := 0; i < mandelbrotIterations; i++ {
		zi = 2*zr*zi + ci
		zr = rr - ii + cr
		rr = zr * zr
		ii = zi * zi
		if rr+ii > 4 {
			return false
		}
	}
	return true
}
