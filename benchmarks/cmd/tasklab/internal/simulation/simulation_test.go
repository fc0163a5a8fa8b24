package simulation

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, labtest.IgnoreBubbles()) }

func TestTable(t *testing.T) {
	r := Result{
		Queue: "fifo", Scaler: "demand", Min: 1, Max: 9, WorkerSeconds: 438.31, PeakWorkers: 9, Turns: 22, Jain: 0.5,
		Figures: Figures{
			Tasks: 12_345, Done: 12_345, Started: 12_345, Late: 3, WaitP50: 45.6e-6, WaitP95: 1.5e-3, WaitP99: 1.2345, SojournP99: 2, RunMean: 0.07004,
		},
		Keys: []Key{
			{"a", Figures{Tasks: 12_000, Done: 12_000, Started: 12_000, WaitMean: 1, WaitP50: 2, WaitP99: 3, WaitMax: 4, SojournP99: 5, SlowdownP50: 1, SlowdownP99: 12345.6}},
			{"b", Figures{Tasks: 345, Done: 345, Started: 345, Late: 3, WaitP50: 2e-9}},
		},
	}
	shedding := r
	shedding.Queue, shedding.Shed, shedding.Done, shedding.Unfinished, shedding.Partial = "codel", 45, 12_294, 6, true
	got := Simulation{
		Workload: "a load", Partial: true, Tasks: 12_345, Span: 100, Work: 864.7, IdleTimeout: 1, Seed: 1, Settings: []Result{r, shedding},
	}.Text()
	want := `
╭────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────╮
│ tasklab simulate (partial: interrupted): a load                                                                                                │
│ 12,345 tasks (seed 1) in 1m40s, which would keep 8.65 workers busy on average                                                                  │
│ idle timeout 1s; no limit; workers 1–9; scaler demand                                                                                          │
├─────────────────┬────────┬────────┬──────┬────────────┬──────┬──────────┬───────┬───────┬─────────────┬──────┬──────────┬──────┬───────┬───────┤
│ setting         │  tasks │   done │ shed │ unfinished │ late │ wait p50 │   p95 │   p99 │ sojourn p99 │  run │ worker-s │ peak │ turns │  jain │
├─────────────────┼────────┼────────┼──────┼────────────┼──────┼──────────┼───────┼───────┼─────────────┼──────┼──────────┼──────┼───────┼───────┤
│ fifo            │ 12,345 │        │      │            │    3 │   45.6µs │ 1.5ms │ 1.23s │          2s │ 70ms │    438.3 │    9 │    22 │ 0.500 │
│ codel (partial) │ 12,345 │ 12,294 │   45 │          6 │    3 │   45.6µs │ 1.5ms │ 1.23s │          2s │ 70ms │    438.3 │    9 │    22 │ 0.500 │
╰─────────────────┴────────┴────────┴──────┴────────────┴──────┴──────────┴───────┴───────┴─────────────┴──────┴──────────┴──────┴───────┴───────╯
╭───────────────────────────────────────────────────────────────────────────────────────────────────╮
│ by key                                                                                            │
├─────┬─────────┬────────┬──────┬───────────┬─────┬─────┬─────┬─────────────┬──────────────┬────────┤
│ key │ setting │  tasks │ late │ wait mean │ p50 │ p99 │ max │ sojourn p99 │ slowdown p50 │    p99 │
├─────┼─────────┼────────┼──────┼───────────┼─────┼─────┼─────┼─────────────┼──────────────┼────────┤
│ a   │ fifo    │ 12,000 │      │        1s │  2s │  3s │  4s │          5s │            1 │ 12,346 │
│     │ codel   │ 12,000 │      │        1s │  2s │  3s │  4s │          5s │            1 │ 12,346 │
├─────┼─────────┼────────┼──────┼───────────┼─────┼─────┼─────┼─────────────┼──────────────┼────────┤
│ b   │ fifo    │    345 │    3 │        0s │  0s │  0s │  0s │          0s │            0 │      0 │
│     │ codel   │    345 │    3 │        0s │  0s │  0s │  0s │          0s │            0 │      0 │
╰─────┴─────────┴────────┴──────┴───────────┴─────┴─────┴─────┴─────────────┴──────────────┴────────╯
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Error("table (-want +got):\n" + diff)
	}
}

// The table of the keys has the ten with the most tasks, and the sum of the others.
func TestManyKeys(t *testing.T) {
	var keys []Key
	for i := range 40 {
		keys = append(keys, Key{fmt.Sprintf("k%02d", i), Figures{Tasks: i, Done: i, Late: 1, Started: i, WaitMean: 1, WaitMax: float64(i)}})
	}
	table := Simulation{Settings: []Result{{Keys: keys}}}.Text()
	for _, want := range []string{"│ k39       │    39 │", "│ k30       │    30 │", "│ 30 others │   435 │   30 │        1s │", " 29s │"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in the table:\n%s", want, table)
		}
	}
	if strings.Contains(table, "k29") {
		t.Error(table)
	}
	if table := (Simulation{Settings: []Result{{Keys: keys[:11]}}}).Text(); !strings.Contains(table, "│ k00 ") || strings.Contains(table, "others") {
		t.Error(table)
	}
}

func TestLabels(t *testing.T) {
	setting := func(queue, scaler string, most int) Result { return Result{Queue: queue, Scaler: scaler, Max: most} }
	for _, tt := range []struct {
		settings []Result
		want     []string
		common   string
	}{
		{[]Result{setting("lifo", "step", 2)}, []string{"step"}, "; workers 0–2; queue lifo; scaler step"},
		{[]Result{setting("lifo", "step", 2), setting("lifo", "fixed", 2)}, []string{"step", "fixed"}, "; workers 0–2; queue lifo"},
		{[]Result{setting("lifo", "step", 2), setting("fifo", "step", 2)}, []string{"lifo", "fifo"}, "; workers 0–2; scaler step"},
		{[]Result{setting("lifo", "step", 2), setting("fifo", "step", 3)}, []string{"lifo, 0–2", "fifo, 0–3"}, "; scaler step"},
		{nil, []string{}, "no limit"},
	} {
		s := Simulation{Settings: tt.settings}
		if diff := cmp.Diff(tt.want, s.Labels()); diff != "" || !strings.HasSuffix(s.common(), tt.common) {
			t.Errorf("%q, want the end %q; labels (-want +got):\n%s", s.common(), tt.common, diff)
		}
	}
}

// The half width is t·s/√n, with t from a table of Student's distribution.
func TestDiffer(t *testing.T) {
	run := func(wait, cost float64) Result { return Result{Figures: Figures{WaitMean: wait}, WorkerSeconds: cost} }
	got := Differ([][]Result{
		{run(1, 10), run(2, 10), run(3, 10)},
		{run(2, 7), run(4, 7), run(6, 7)},
	})
	const t95 = 4.30265 // for two degrees of freedom
	for i, want := range []FigureDifference{{"wait_mean_s", 4, 2, t95 * 1 / math.Sqrt(3)}, {"worker_seconds", 7, -3, 0}} {
		index := []int{0, 4}[i]
		if diff := cmp.Diff(want, got[1].Of[index], cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-4 })); diff != "" {
			t.Error("difference (-want +got):\n" + diff)
		}
	}
	if d := got[0].Of[0]; d.Mean != 2 || d.Difference != 0 || d.HalfWidth != 0 {
		t.Errorf("the first setting differs from itself: %+v", d)
	}
	if len(Differ(nil)) != 0 || len(Differ([][]Result{{run(1, 1)}})) != 0 {
		t.Error("there are differences without runs")
	}
}
