package simulate

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Distribution is a distribution of durations. The mean and the maximum are exact. Percentiles
// are exact for up to 4096 values, and within 0.1 % for more. A Distribution does not change, and
// its methods are safe for concurrent use.
type Distribution struct{ d distribution }

// Count returns the number of values.
func (d Distribution) Count() int { return d.d.n }

// Mean returns the mean, or 0 if there are no values.
func (d Distribution) Mean() time.Duration {
	mean := math.Round(d.d.mean())
	if mean >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(mean)
}

// StdDev returns the standard deviation, or 0 if there are no values. For more than 4096 values it is
// within 0.1 %.
func (d Distribution) StdDev() time.Duration { return time.Duration(math.Sqrt(d.d.variance())) }

// Percentile returns the least value that at least p percent of the values do not exceed, or 0
// if there are no values.
func (d Distribution) Percentile(p float64) time.Duration { return time.Duration(d.d.percentile(p)) }

// Max returns the largest value, or 0 if there are no values.
func (d Distribution) Max() time.Duration { return time.Duration(d.d.max) }

// Ratios is a distribution of ratios, to six decimal places. Otherwise it is like [Distribution].
type Ratios struct{ d distribution }

// ratioUnit is the ratio that a distribution counts as 1.
const ratioUnit = 1e-6

// Count returns the number of values.
func (r Ratios) Count() int { return r.d.n }

// Mean returns the mean, or 0 if there are no values.
func (r Ratios) Mean() float64 { return r.d.mean() * ratioUnit }

// Percentile returns the least value that at least p percent of the values do not exceed, or 0
// if there are no values.
func (r Ratios) Percentile(p float64) float64 { return float64(r.d.percentile(p)) * ratioUnit }

// Max returns the largest value, or 0 if there are no values.
func (r Ratios) Max() float64 { return float64(r.d.max) * ratioUnit }

const (
	// mostExact is the number of values up to which a distribution keeps them.
	mostExact = 4096

	// A larger distribution counts values in buckets. Each power of two has 512 of them, so the
	// middle of a bucket is within 0.1 % of the values in it.
	bucketBits = 9
	perOctave  = 1 << bucketBits
)

// distribution is a distribution of integers that are not negative. The order in which they are
// added does not matter. It takes memory for at most 4096 values, or for the powers of two in
// which values lie: usually some 20 kB. A replay has four distributions for each key, and a
// histogram of package hdrhistogram takes 200 kB for the same precision.
type distribution struct {
	n         int
	high, low uint64 // the sum, of 128 bits
	max       int64
	values    []int64                              // of a small distribution
	octaves   *[64 - bucketBits]*[perOctave]uint64 // of a large one
}

// add adds a value. A negative one counts as 0.
func (d *distribution) add(v int64) {
	v = max(v, 0)
	var carry uint64
	d.low, carry = bits.Add64(d.low, uint64(v), 0)
	d.high += carry
	d.max = max(d.max, v)
	d.n++
	switch {
	case d.octaves != nil:
		d.count(v)
	case len(d.values) < mostExact:
		d.values = append(d.values, v)
	default:
		d.enlarge()
		d.count(v)
	}
}

// merge adds the values of another distribution.
func (d *distribution) merge(o *distribution) {
	if o.octaves == nil {
		for _, v := range o.values {
			d.add(v)
		}
		return
	}
	d.enlarge()
	d.n += o.n
	var carry uint64
	d.low, carry = bits.Add64(d.low, o.low, 0)
	d.high += o.high + carry
	d.max = max(d.max, o.max)
	for octave, buckets := range o.octaves {
		if buckets == nil {
			continue
		}
		if d.octaves[octave] == nil {
			d.octaves[octave] = new([perOctave]uint64)
		}
		for i, n := range buckets {
			d.octaves[octave][i] += n
		}
	}
}

// enlarge makes a small distribution a large one.
func (d *distribution) enlarge() {
	if d.octaves != nil {
		return
	}
	d.octaves = new([64 - bucketBits]*[perOctave]uint64)
	for _, v := range d.values {
		d.count(v)
	}
	d.values = nil
}

// addRatio adds a ratio in units of ratioUnit.
func (d *distribution) addRatio(r float64) {
	d.add(int64(min(math.Round(r/ratioUnit), math.MaxInt64/2)))
}

// count counts a value in its bucket: octave 0 has the values below perOctave, one in each bucket,
// and octave i those with i bits more.
func (d *distribution) count(v int64) {
	octave := max(0, bits.Len64(uint64(v))-bucketBits)
	buckets := d.octaves[octave]
	if buckets == nil {
		buckets = new([perOctave]uint64)
		d.octaves[octave] = buckets
	}
	buckets[(v>>max(0, octave-1))%perOctave]++
}

// mean returns the mean, or 0 if there are no values.
func (d *distribution) mean() float64 {
	if d.n == 0 {
		return 0
	}
	return (float64(d.high)*(1<<64) + float64(d.low)) / float64(d.n)
}

// variance returns the variance, or 0 if there are no values.
func (d *distribution) variance() (v float64) {
	mean := d.mean()
	for _, value := range d.values {
		v += (float64(value) - mean) * (float64(value) - mean) / float64(d.n)
	}
	if d.octaves == nil {
		return v
	}
	for octave, buckets := range d.octaves {
		if buckets == nil {
			continue
		}
		for i, n := range buckets {
			deviation := float64(middle(octave, i)) - mean
			v += deviation * deviation * float64(n) / float64(d.n)
		}
	}
	return v
}

// sort prepares the distribution for percentile. Equal sets of values then are equal distributions.
func (d *distribution) sort() { slices.Sort(d.values) }

// percentile returns the nearest rank of p percent, or 0 if there are no values. No value must have
// been added since sort.
func (d *distribution) percentile(p float64) int64 {
	rank := min(max(int(math.Ceil(p/100*float64(d.n)*(1-1e-12))), 1), d.n) // 99 % of 100 is 99, despite the rounding
	if d.octaves == nil {
		if d.n == 0 {
			return 0
		}
		return d.values[rank-1]
	}
	for octave, buckets := range d.octaves {
		if buckets == nil {
			continue
		}
		for i, n := range buckets {
			if rank -= int(n); rank <= 0 {
				return min(middle(octave, i), d.max)
			}
		}
	}
	return d.max
}

// middle returns the middle of a bucket.
func middle(octave, bucket int) int64 {
	if octave == 0 {
		return int64(bucket)
	}
	width := int64(1) << (octave - 1)
	low := int64(perOctave+bucket) << (octave - 1)
	return low + width/2
}
