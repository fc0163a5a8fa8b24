package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestComparisonTable(t *testing.T) {
	m := measurement{
		Queue: "fifo", Scaler: "demand", Done: 12_345, Late: 3, Elapsed: 30.123, WaitP50: 0.0456, WaitP95: 1.5, WaitP99: 1234.5, RunP50: 70.04,
		MeanWorkers: 14.55, PeakWorkers: 31, WorkerSeconds: 438.31, Turns: 22, Lag: 2.5,
	}
	shedding := m
	shedding.Queue, shedding.Shed, shedding.Unfinished = "codel", 45, 6
	got := comparison{
		title: "a load", queues: 2, scalers: 1, WorkersMin: 1, WorkersMax: 100, IdleTimeout: 1, Limit: 10_000, Overflow: "block",
		Interrupted: true, Settings: []measurement{m, shedding},
	}.table().Render()
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
	if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" {
		t.Error("table (-want +got):\n" + diff)
	}
}

func TestLabels(t *testing.T) {
	settings := []measurement{{Queue: "lifo", Scaler: "step"}}
	for _, tt := range []struct {
		queues, scalers int
		label, rest     string
	}{
		{1, 1, "step", "; queue lifo"},
		{1, 2, "step", "; queue lifo"},
		{2, 1, "lifo", "; scaler step"},
		{2, 2, "lifo, step", ""},
	} {
		c := comparison{queues: tt.queues, scalers: tt.scalers, Settings: settings, Overflow: "block"}
		if got := c.label("lifo", "step"); got != tt.label {
			t.Errorf("%d queues, %d scalers: label %q, want %q", tt.queues, tt.scalers, got, tt.label)
		}
		if got := c.same(); !strings.HasSuffix(got, "overflow block"+tt.rest) {
			t.Errorf("%d queues, %d scalers: %q, want %q at the end", tt.queues, tt.scalers, got, tt.rest)
		}
	}
}

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
		var samples []sample
		for _, n := range tt.workers {
			samples = append(samples, sample{Workers: n})
		}
		if got := turns(samples); got != tt.want {
			t.Errorf("%v: %d turns, want %d", tt.workers, got, tt.want)
		}
	}
}

func TestCompareCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chart.svg")
	status, stdout, stderr := command(t, "compare", "-queue", "fifo,lifo", "-scaler", "fixed,demand",
		"-rate", "500", "-service", "1ms", "-shape", "poisson", "-duration", "100ms", "-seed", "7", "-json", "-chart", file)
	if status != exitOK {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	var got comparison
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	tasks := len(makeUp(atRandom, 500, 1*ms, 100*ms, 7).arrivals)
	want := comparison{
		Shape: "poisson", Rate: 500, Service: 1, Duration: 0.1, Seed: 7, Tasks: tasks,
		WorkersMin: 1, WorkersMax: 100, IdleTimeout: 1, Limit: 10_000, Overflow: "block", SampleInterval: 1,
	}
	for _, queue := range []string{"fifo", "lifo"} {
		for _, scaler := range []string{"fixed", "demand"} {
			want.Settings = append(want.Settings, measurement{Queue: queue, Scaler: scaler, Tasks: tasks, Done: tasks})
		}
	}
	reproducible := cmp.Options{
		cmpopts.IgnoreUnexported(comparison{}),
		cmpopts.IgnoreFields(measurement{}, "Late", "Elapsed", "WaitP50", "WaitP95", "WaitP99", "RunP50",
			"MeanWorkers", "PeakWorkers", "WorkerSeconds", "Turns", "Lag", "Samples"),
	}
	if diff := cmp.Diff(want, got, reproducible); diff != "" {
		t.Error("comparison (-want +got):\n" + diff)
	}
	drawn, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	texts := strings.Join(written(t, drawn), "\n")
	for _, m := range got.Settings {
		if len(m.Samples) == 0 || m.PeakWorkers < 1 || m.WorkerSeconds <= 0 {
			t.Errorf("%s, %s: %d samples, %+v", m.Queue, m.Scaler, len(m.Samples), m)
		}
		if !strings.Contains(texts, m.Queue+", "+m.Scaler) {
			t.Errorf("the chart does not name %s, %s", m.Queue, m.Scaler)
		}
	}
}

func TestCompareCommandOnFiles(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1", "b/c": "2", "b/d": "3"})
	status, stdout, stderr := command(t, "compare", "-dir", dir, "-queue", "fifo,priority,fair", "-scaler", "demand", "-max", "2")
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	for _, want := range []string{"tasklab compare: the files below " + dir, "scaler demand", "│ fifo ", "│ priority ", "│ fair "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in the table:\n%s", want, stdout)
		}
	}
	status, stdout, stderr = command(t, "compare", "-dir", t.TempDir())
	if status != exitFailed || stdout != "" || !strings.Contains(stderr, "there are no files in it") {
		t.Errorf("of an empty directory: status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}
