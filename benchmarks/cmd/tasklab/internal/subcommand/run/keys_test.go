package run

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

func TestNearestRank(t *testing.T) {
	var values []time.Duration
	for n, want := range map[int][]time.Duration{
		0: {0, 0}, 1: {1, 1}, 2: {1, 2}, 3: {2, 3}, 100: {50, 99}, 101: {51, 100}, 200: {100, 198}, 201: {101, 199},
	} {
		values = values[:0]
		for i := range n {
			values = append(values, time.Duration(i+1))
		}
		if diff := cmp.Diff(want, []time.Duration{nearestRank(values, 50), nearestRank(values, 99)}); diff != "" {
			t.Errorf("%d values (-want +got):\n%s", n, diff)
		}
	}
}

func TestLargest(t *testing.T) {
	const ms = time.Millisecond
	r := Report{
		Tally: measure.Tally{Bytes: 100},
		Keys: keyReports(map[string]*keyResult{
			"b": {measure.Tally{Found: 3, Read: 3, Bytes: 60}, []time.Duration{3 * ms, 1 * ms, 2 * ms}},
			"a": {measure.Tally{Found: 3, Read: 2, Shed: 1, Bytes: 20}, []time.Duration{6 * ms, 5 * ms}},
			"d": {measure.Tally{Found: 9, Dropped: 9}, nil},
			"c": {measure.Tally{Found: 1, Read: 1, Late: 1, Bytes: 20}, []time.Duration{500 * ms}},
		}, 100),
	}
	var names []string
	for _, k := range r.Keys {
		names = append(names, k.Key)
	}
	first, others := r.largest(2)
	for _, k := range first {
		names = append(names, k.Key)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "d", "a"}, names); diff != "" {
		t.Error("names of the keys, and of the largest (-want +got):\n" + diff)
	}
	want := KeyReport{
		Tally: measure.Tally{Found: 4, Read: 4, Late: 1, Bytes: 80}, BytesShare: 0.8, QueueWaitP50: 2, QueueWaitP99: 500,
		waits: []time.Duration{1 * ms, 2 * ms, 3 * ms, 500 * ms},
	}
	if diff := cmp.Diff(want, others, cmp.AllowUnexported(KeyReport{})); diff != "" {
		t.Error("others (-want +got):\n" + diff)
	}
	if first, others := r.largest(9); len(first) != 4 || others.Found != 0 {
		t.Errorf("of fewer than asked for: %v, others %v", first, others)
	}
}
