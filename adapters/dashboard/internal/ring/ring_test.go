package ring_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheLastValuesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5).Draw(t, "size")
		r := ring.New[int](size)
		var model []int
		for i := range rapid.IntRange(0, 20).Draw(t, "values") {
			if rapid.Bool().Draw(t, "try") {
				r.TryAdd(i) // nobody else uses the ring
			} else {
				r.Add(i)
			}
			model = append(model, i)
			if diff := cmp.Diff(model[max(0, len(model)-size):], r.Values(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("after %d values (-want +got):\n%s", i+1, diff)
			}
			wanted := rapid.IntRange(0, i).Draw(t, "wanted")
			last, ok := r.Last(func(v int) bool { return v <= wanted })
			if wantOK := wanted > i-size; ok != wantOK || ok && last != wanted {
				t.Errorf("after %d values the last one up to %d is %d, %t; want %t", i+1, wanted, last, ok, wantOK)
			}
			if got, want := r.Forgotten(), uint64(max(0, len(model)-size)); got != want {
				t.Errorf("after %d values %d are forgotten, want %d", i+1, got, want)
			}
		}
	})
}
