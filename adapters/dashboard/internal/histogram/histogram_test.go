package histogram_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// durations draws durations of all magnitudes, up to three weeks.
func durations(least int) *rapid.Generator[[]time.Duration] {
	one := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<rapid.IntRange(0, 50).Draw(t, "bits")).Draw(t, "duration"))
	})
	return rapid.SliceOfN(one, least, 300)
}

func counted(list []time.Duration) (c histogram.Counts) {
	for _, d := range list {
		c.Add(d)
	}
	return c
}

// unit is the width of the smallest bucket.
const unit = 128 * time.Nanosecond

func TestPercentilesAreThoseOfTheSortedSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := durations(1).Draw(t, "durations")
		c := counted(list)
		got := c.Percentiles()
		slices.Sort(list)
		for i, share := range []float64{0.50, 0.95, 0.99} {
			exact := list[int(math.Ceil(share*float64(len(list))))-1].Seconds()
			if allowed := exact*histogram.MaxError + unit.Seconds(); math.Abs(got[i]-exact) > allowed {
				t.Errorf("share %v of %v: got %v s, want %v s with an error of at most %v s", share, list, got[i], exact, allowed)
			}
		}
	})
}

func TestDifferencesAndSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := durations(0).Draw(t, "first"), durations(0).Draw(t, "second")
		both := counted(slices.Concat(first, second))
		before, after := counted(first), counted(second)
		if diff := cmp.Diff(after, both.Since(&before)); diff != "" {
			t.Errorf("what came after the first durations (-want +got):\n%s", diff)
		}
		before.Plus(&after)
		if diff := cmp.Diff(both, before); diff != "" {
			t.Errorf("the sum (-want +got):\n%s", diff)
		}
		if got, want := both.Total(), uint64(len(first)+len(second)); got != want {
			t.Errorf("total %d, want %d", got, want)
		}
	})
}

func TestExtremes(t *testing.T) {
	var none histogram.Counts
	if diff := cmp.Diff(histogram.None, none.Percentiles()); diff != "" {
		t.Errorf("percentiles of nothing (-want +got):\n%s", diff)
	}
	extremes := counted([]time.Duration{math.MinInt64, math.MaxInt64})
	p := extremes.Percentiles()
	if p[0] > unit.Seconds() || p[2] < (20*24*time.Hour).Seconds() {
		t.Errorf("the percentiles of the shortest and the longest duration are %v s", p)
	}
}
