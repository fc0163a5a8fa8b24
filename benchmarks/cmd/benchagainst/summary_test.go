package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/duel"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// The ratio is the median of the ratios in each round, not the ratio of the medians.
func TestSummaryPairsTheRounds(t *testing.T) {
	// The machine becomes slower by and by; new always takes half of old, except once.
	f := duel.Figure{
		Old:     []float64{2, 4, 8, 16, 32, 64, 128},
		New:     []float64{1, 2, 4, 80, 16, 32, 64},
		Channel: []float64{1, 1, 1, 1, 1, 1, 1},
	}
	want := summary{
		Old: 16, New: 16, Ratio: 0.5, Low: 0.5, High: 5, Q1: 0.5, Q3: 0.5,
		Channel: 1, OldToChannel: 16, NewToChannel: 16,
	}
	if diff := cmp.Diff(want, summarise(f)); diff != "" {
		t.Error(diff)
	}
}

// With an even number of rounds, the median is between two of them. Five rounds are too few
// for a confidence interval.
func TestSummaryOfFewRounds(t *testing.T) {
	want := summary{Old: 1, New: 1.5, Ratio: 1.5, Low: 1, High: 2, Few: true, Q1: 1, Q3: 2}
	if diff := cmp.Diff(want, summarise(duel.Figure{Old: []float64{1, 1}, New: []float64{1, 2}})); diff != "" {
		t.Error(diff)
	}
	for rounds, few := range map[int]bool{5: true, 6: false} {
		values := make([]float64, rounds)
		if got := summarise(duel.Figure{Old: values, New: values}).Few; got != few {
			t.Errorf("%d rounds are too few: %v, want %v", rounds, got, few)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		s    summary
		want string
	}{
		{summary{Old: 4, New: 3, Ratio: 0.75, Low: 0.7, High: 0.8}, "25.0 % less"},
		{summary{Old: 4, New: 5, Ratio: 1.25, Low: 1.1, High: 1.5}, "25.0 % more"},
		{summary{Old: 4, New: 5, Ratio: 1.25, Low: 1, High: 1.5}, "~"},
		{summary{Old: 4, New: 5, Ratio: 1.25, Low: 1.1, High: 1.5, Few: true}, "~"},
		{summary{Old: 0.002, New: 0.004, Ratio: 2, Low: 1.5, High: 3}, "~"}, // nothing to speak of
		{summary{Old: 178, New: 178, Ratio: 0.9999, Low: 0.9998, High: 0.99995}, "~"},
		{summary{Old: 0, New: 1, Ratio: 1e6, Low: 1e6, High: 1e6}, "99999900.0 % more"},
	} {
		if got := c.s.verdict(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}

func TestState(t *testing.T) {
	near := yardstick.Transfer{Nanoseconds: 60, State: yardstick.Near}
	far := yardstick.Transfer{Nanoseconds: 240, State: yardstick.Far}
	for _, c := range []struct {
		before, after yardstick.Transfer
		want          string
	}{
		{near, yardstick.Transfer{Nanoseconds: 55, State: yardstick.Near}, "near, 55 to 60 ns"},
		{near, far, "near, 60 ns; then far, 240 ns"},
		{far, yardstick.Transfer{}, "far, 240 ns; then unknown"},
		{yardstick.Transfer{}, yardstick.Transfer{State: yardstick.Unknown}, "unknown"},
	} {
		if got := state(c.before, c.after); got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.before, c.after, got, c.want)
		}
	}
}

// sampleReport has a figure of each kind.
var sampleReport = report{
	Old: "0123456789 before", New: "the working tree",
	Results: []duel.Result{
		{Workload: "submits", Figures: []duel.Figure{
			{Name: "time, ns/task", Old: []float64{2, 2, 2, 2, 2, 2}, New: []float64{1, 1, 1, 1, 1, 1}},
			{Name: "allocations/task", Old: []float64{0}, New: []float64{0.001}},
			{Name: "memory, MiB", Old: []float64{1000, 1000}, New: []float64{1000, 2000}},
		}},
		{Workload: "latency", Figures: []duel.Figure{{Name: "p50, µs", Old: []float64{3}, New: []float64{3}, Channel: []float64{2}}}},
	},
}

func TestTable(t *testing.T) {
	var out strings.Builder
	sampleReport.write(&out)
	for _, want := range []string{
		"old: 0123456789 before\nnew: the working tree\n",
		"│ submits │ time, ns/task    │ 2.00 │ 1.00 │   0.500 │   0.500 – 0.500 │ 50.0 % less │ unknown    │",
		"│         │ allocations/task │ 0.00 │ 0.00 │         │                 │           ~ │            │",
		"│         │ memory, MiB      │ 1000 │ 1500 │   1.500 │ (1.000 – 2.000) │           ~ │            │",
		"│ latency              │ p50, µs │    2.00 │ 3.00 │ 3.00 │        1.50 │        1.50 │   1.000 │ (1.000 – 1.000) │         ~ │ unknown    │",
		"from 150 ns on they are far",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nis missing", want)
		}
	}
	t.Log(out.String())
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := sampleReport.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Old     string
		Results []struct {
			Workload string
			Figures  []struct {
				Name    string
				New     []float64
				Summary summary
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	memory := got.Results[0].Figures[2]
	if got.Old != sampleReport.Old || memory.Name != "memory, MiB" || memory.New[1] != 2000 || memory.Summary.Ratio != 1.5 {
		t.Errorf("the JSON is\n%s", out.String())
	}
}
