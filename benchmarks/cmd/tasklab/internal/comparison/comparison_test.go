package comparison

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComparisonTable(t *testing.T) {
	m := Measurement{
		Queue: "fifo", Scaler: "demand", Done: 12_345, Late: 3, Elapsed: 30.123, WaitP50: 0.0456, WaitP95: 1.5, WaitP99: 1234.5, RunP50: 70.04,
		MeanWorkers: 14.55, PeakWorkers: 31, WorkerSeconds: 438.31, Turns: 22, Lag: 2.5,
	}
	shedding := m
	shedding.Queue, shedding.Shed, shedding.Unfinished = "codel", 45, 6
	got := Comparison{
		Title: "a load", Queues: 2, Scalers: 1, WorkersMin: 1, WorkersMax: 100, IdleTimeout: 1, Limit: 10_000, Overflow: "block",
		Interrupted: true, Settings: []Measurement{m, shedding},
	}.Text()
	want := `
╭────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────╮
│ tasklab compare: a load (interrupted)                                                                                                  │
│ 1 to 100 workers, idle timeout 1s; limit 10,000, overflow block; scaler demand                                                         │
├─────────┬────────┬──────┬────────────┬──────┬─────────┬──────────┬───────┬───────┬─────────┬─────────┬──────┬──────────┬───────┬───────┤
│ setting │   done │ shed │ unfinished │ late │ elapsed │ wait p50 │   p95 │   p99 │ run p50 │ workers │ peak │ worker-s │ turns │   lag │
├─────────┼────────┼──────┼────────────┼──────┼─────────┼──────────┼───────┼───────┼─────────┼─────────┼──────┼──────────┼───────┼───────┤
│ fifo    │ 12,345 │      │            │    3 │   30.1s │   45.6µs │ 1.5ms │ 1.23s │    70ms │    14.6 │   31 │    438.3 │    22 │ 2.5ms │
│ codel   │ 12,345 │   45 │          6 │    3 │   30.1s │   45.6µs │ 1.5ms │ 1.23s │    70ms │    14.6 │   31 │    438.3 │    22 │ 2.5ms │
╰─────────┴────────┴──────┴────────────┴──────┴─────────┴──────────┴───────┴───────┴─────────┴─────────┴──────┴──────────┴───────┴───────╯
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Error("table (-want +got):\n" + diff)
	}
}

func TestLabels(t *testing.T) {
	settings := []Measurement{{Queue: "lifo", Scaler: "step"}}
	for _, tt := range []struct {
		queues, scalers int
		label, rest     string
	}{
		{1, 1, "step", "; queue lifo"},
		{1, 2, "step", "; queue lifo"},
		{2, 1, "lifo", "; scaler step"},
		{2, 2, "lifo, step", ""},
	} {
		c := Comparison{Queues: tt.queues, Scalers: tt.scalers, Settings: settings, Overflow: "block"}
		if got := c.Label("lifo", "step"); got != tt.label {
			t.Errorf("%d queues, %d scalers: label %q, want %q", tt.queues, tt.scalers, got, tt.label)
		}
		if got := c.common(); !strings.HasSuffix(got, "overflow block"+tt.rest) {
			t.Errorf("%d queues, %d scalers: %q, want %q at the end", tt.queues, tt.scalers, got, tt.rest)
		}
	}
}
