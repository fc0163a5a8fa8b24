package compare

import (
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
)

func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		workers []int
		want    int
	}{
		{nil, 0},
		{[]int{1, 1, 2, 5, 5, 7}, 0},
		{[]int{5, 5, 3, 3, 1}, 1},
		{[]int{1, 3, 3, 2, 2, 4, 1}, 3},
	} {
		var samples []comparison.Sample
		for _, n := range tt.workers {
			samples = append(samples, comparison.Sample{Workers: n})
		}
		if got := turns(samples); got != tt.want {
			t.Errorf("%v: %d turns, want %d", tt.workers, got, tt.want)
		}
	}
}
