package check

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Property checks a property that uses a bubble, as [rapid.Check] does, and also with [Truncated].
func Property(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	rapid.Check(t, property)
	Truncated(t, property)
}

// Truncated checks that a property survives that its random data runs out at any draw. That happens
// when rapid replays a fail file that another version of the property has left: rapid then reports
// that the file is no longer valid, and goes on. A property that leaves goroutines in its bubble at
// such a moment, or draws in a deferred function, would fail, on correct code.
func Truncated(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	const words = 400
	for seed := range uint64(2) {
		data := make([]byte, 0, 8*words)
		source := rand.NewPCG(seed, seed)
		for range words {
			data = binary.LittleEndian.AppendUint64(data, source.Uint64())
		}
		for n := 0; n <= words; n += 1 + n/5 {
			t.Run(strconv.Itoa(n)+" draws", func(t *testing.T) {
				rapid.MakeFuzz(property)(t, data[:8*n]) // skips the subtest when the data has run out
			})
		}
	}
}
