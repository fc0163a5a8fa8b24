// Package histogram counts durations in buckets of logarithmic width.
//
// Counts only grow, so the difference of two copies tells exactly which durations came between
// them. Percentiles of any interval are computed from such a difference, never from other
// percentiles.
package histogram

import (
	"math"
	"math/bits"
	"time"
)

// A duration is counted in units of 2^unitBits nanoseconds. Durations below 2^(unitBits+4) have
// buckets of one unit. Above, each power of two is divided into eight buckets, so half the width of a
// bucket is at most a sixteenth of its lower bound.
const (
	unitBits = 7
	small    = 16 // buckets of one unit
	perPower = 8
	powers   = 40 // the last one ends at 2^(unitBits+4+powers) ns, which is 26 days

	// Buckets is the number of buckets. The last one also has all durations that are longer.
	Buckets = small + powers*perPower
)

// MaxError is the largest relative error of a percentile of durations above a microsecond.
const MaxError = 1.0 / 16

// Counts are the numbers of durations in each bucket. They are not safe for concurrent use.
type Counts [Buckets]uint64

// bucket returns the index of the bucket of d. A negative duration counts as 0.
func bucket(d time.Duration) int {
	units := uint64(max(d, 0)) >> unitBits
	shift := bits.Len64(units) - 4
	if shift <= 0 {
		return int(units) //nolint:gosec // below 16
	}
	return min(small+(shift-1)*perPower+int(units>>shift)-perPower, Buckets-1) //nolint:gosec // below 16
}

// middle returns the duration in the middle of a bucket.
func middle(bucket int) time.Duration {
	if bucket < small {
		return time.Duration(bucket)<<unitBits + 1<<(unitBits-1)
	}
	shift, within := (bucket-small)/perPower+1, (bucket-small)%perPower
	return time.Duration(2*(within+perPower)+1) << (shift + unitBits - 1)
}

// Add counts a duration.
func (c *Counts) Add(d time.Duration) { c[bucket(d)]++ }

// Plus adds other counts.
func (c *Counts) Plus(other *Counts) {
	for i, n := range other {
		c[i] += n
	}
}

// Since returns what was added to c after the copy before was made.
func (c *Counts) Since(before *Counts) Counts {
	var d Counts
	for i := range c {
		d[i] = c[i] - before[i]
	}
	return d
}

// Total returns the number of durations.
func (c *Counts) Total() (n uint64) {
	for _, in := range c {
		n += in
	}
	return n
}

// Percentiles are the 50th, the 95th and the 99th percentile, in seconds.
type Percentiles [3]float64

// None are the percentiles of no durations.
var None = Percentiles{-1, -1, -1}

var shares = [len(Percentiles{})]float64{0.50, 0.95, 0.99}

// Percentiles returns the percentiles of the durations, or None if there are none. The p-th
// percentile of n durations is the one whose rank is p·n/100, rounded up.
func (c *Counts) Percentiles() Percentiles {
	total := c.Total()
	if total == 0 {
		return None
	}
	var p Percentiles
	next, seen := 0, uint64(0)
	for i, n := range c {
		seen += n
		for next < len(p) && seen >= rank(shares[next], total) {
			p[next] = middle(i).Seconds()
			next++
		}
	}
	return p
}

// rank returns the rank, from 1, of the percentile among n durations.
func rank(share float64, n uint64) uint64 {
	return min(max(uint64(math.Ceil(share*float64(n))), 1), n)
}
