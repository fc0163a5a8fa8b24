package simulate

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDistribution compares distributions with sorted lists: up to mostExact values the percentiles
// are exact, and beyond they are within 0.1 %.
func TestDistribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, 99, 100, mostExact, mostExact + 1, 3 * mostExact}).Draw(t, "n")
		largest := rapid.SampledFrom([]int64{0, 1, perOctave, 1e6, 1e9, 1e15, math.MaxInt64}).Draw(t, "largest")
		seeds := rapid.SliceOfN(rapid.Int64Range(0, largest), min(n, 1), 50).Draw(t, "values")
		var d distribution
		values := make([]int64, n)
		total := new(big.Int)
		for i := range values {
			values[i] = seeds[i%len(seeds)]
			if i >= len(seeds) {
				values[i] /= int64(i + 1)
			}
			d.add(values[i])
			total.Add(total, big.NewInt(values[i]))
		}
		slices.Sort(values)
		d.sort()
		got := Distribution{d}
		if got.Count() != n {
			t.Fatalf("Count() = %d, want %d", got.Count(), n)
		}
		if n == 0 {
			if got.Mean() != 0 || got.Percentile(50) != 0 || got.Max() != 0 {
				t.Fatalf("an empty distribution has mean %v, median %v and maximum %v, want 0", got.Mean(), got.Percentile(50), got.Max())
			}
			return
		}
		mean, _ := new(big.Rat).SetFrac(total, big.NewInt(int64(n))).Float64()
		if !near(float64(got.Mean()), mean, 1e-9) {
			t.Errorf("Mean() = %d, want %v", got.Mean(), mean)
		}
		if want := time.Duration(values[n-1]); got.Max() != want {
			t.Errorf("Max() = %d, want %d", got.Max(), want)
		}
		for _, p := range []float64{0, 0.1, 1, 50, 90, 95, 99, 99.9, 100} {
			want := values[max(0, int(math.Ceil(p*float64(n)/100-1e-9))-1)]
			precision := 0.001
			if n <= mostExact {
				precision = 0
			}
			if v := got.Percentile(p); !near(float64(v), float64(want), precision) {
				t.Errorf("Percentile(%v) of %d values = %d, want %d", p, n, v, want)
			}
		}
	})
}

// near reports whether two numbers are equal up to a relative precision and a half.
func near(got, want, precision float64) bool {
	return math.Abs(got-want) <= precision*want+0.5
}

// TestRatios: ratios have six decimal places.
func TestRatios(t *testing.T) {
	var d distribution
	for _, v := range []float64{1, 1.5, 3.000001} {
		d.addRatio(v)
	}
	d.sort()
	d.sort()
	r := Ratios{d}
	if got, want := r.Mean(), (1+1.5+3.000001)/3; math.Abs(got-want) > 1e-6 {
		t.Errorf("Mean() = %v, want %v", got, want)
	}
	if got, want := r.Percentile(50), 1.5; math.Abs(got-want) > 1e-9 {
		t.Errorf("Percentile(50) = %v, want %v", got, want)
	}
	if got, want := r.Max(), 3.000001; math.Abs(got-want) > 1e-9 || r.Count() != 3 {
		t.Errorf("Max() = %v of %d, want %v of 3", got, r.Count(), want)
	}
}
