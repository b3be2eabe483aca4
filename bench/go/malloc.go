// Allocation of small and large objects, all but the last few of them garbage.
package main

const ringSize = 256

type two struct{ a, b int64 }

type eight struct{ p [8]*eight }

// Where the objects are kept for a while, so that they must be made.
var (
	twos   [ringSize]*two
	eights [ringSize]*eight
	blocks [ringSize][]byte
)

func malloc16() {
	timed(func(n int) {
		for i := 0; i < n; i++ {
			twos[i%ringSize] = &two{a: int64(i)}
		}
		check("last", twos[(n-1)%ringSize].a, int64(n-1))
	})
}

func malloc64Ptr() {
	timed(func(n int) {
		for i := 0; i < n; i++ {
			eights[i%ringSize] = &eight{}
		}
		if last := eights[(n-1)%ringSize]; last == nil || *last != (eight{}) {
			fail("the last object is not there")
		}
	})
}

func mallocBytes(size int) {
	timed(func(n int) {
		for i := 0; i < n; i++ {
			block := make([]byte, size)
			block[0] = byte(i)
			blocks[i%ringSize] = block
		}
		check("last", int64(blocks[(n-1)%ringSize][0]), int64(byte(n-1)))
	})
}
