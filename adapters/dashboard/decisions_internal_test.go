package dashboard

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// Decisions may come out of order, and twice. The log has the last ones in order.
func TestTheLogOfDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.SampledFrom([]int{0, 1, 10, decisionLimit, decisionLimit + 300}).Draw(t, "count")
		numbers := make([]uint64, count)
		for i := range numbers {
			numbers[i] = uint64(i + 1)
		}
		for range rapid.IntRange(0, count).Draw(t, "swaps") {
			i := rapid.IntRange(0, count-1).Draw(t, "at")
			j := min(i+rapid.IntRange(0, 8).Draw(t, "distance"), count-1)
			numbers[i], numbers[j] = numbers[j], numbers[i]
		}
		var l decisionLog
		for _, n := range numbers {
			l.add(decision{number: n})
			if rapid.Bool().Draw(t, "twice") {
				l.add(decision{number: n})
			}
		}
		slices.Sort(numbers)
		want := numbers[max(0, count-decisionLimit):]
		seen := uint64(rapid.IntRange(0, count).Draw(t, "seen"))
		want = want[min(max(0, int(seen)-(count-len(want))), len(want)):]
		list, forgotten := l.after(seen)
		var got []uint64
		for _, d := range list {
			got = append(got, d.number)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("decisions after %d (-want +got):\n%s", seen, diff)
		}
		if want := uint64(max(0, count-decisionLimit)); forgotten != want {
			t.Errorf("%d are forgotten, want %d", forgotten, want)
		}
	})
}
