package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// far and near are the transfer times of two states.
var (
	far     = yardstick.Transfer{Nanoseconds: 240, State: yardstick.Far}
	near    = yardstick.Transfer{Nanoseconds: 80, State: yardstick.Near}
	unknown = yardstick.Transfer{State: yardstick.Unknown}
)

// in sets the state of each measurement. In a state given as nil, the state changed.
func in(rounds []measurement, states ...*yardstick.Transfer) []measurement {
	for i, s := range states {
		if s == nil {
			rounds[i].Before, rounds[i].After = far, near
		} else {
			rounds[i].Before, rounds[i].After = *s, *s
		}
	}
	return rounds
}

// contains checks that a text has all these parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}

// submits has SubmitFunc at 0.5 of ants while far, and at 0.3 while near.
func submits(states ...*yardstick.Transfer) table {
	var ours, theirs []float64
	for _, s := range states {
		switch s {
		case &far:
			ours, theirs = append(ours, 400), append(theirs, 800)
		case &near:
			ours, theirs = append(ours, 150), append(theirs, 500)
		default:
			ours, theirs = append(ours, 9999), append(theirs, 1)
		}
	}
	return table{Workload: "empty, 2 workers", About: "tasks that do nothing", Entries: []entry{
		{Contender: "TaskManager.SubmitFunc", Service: contest.Names, Ours: true, Rounds: in(measured(ours...), states...)},
		{Contender: "ants.Pool", Service: contest.Runs, Rounds: in(measured(theirs...), states...)},
	}}
}

// Each state has its own figures and aims. A measurement during which the state changed counts
// in neither.
func TestEachStateHasItsFigures(t *testing.T) {
	mixed := submits(&far, &near, &far, nil, &near, &far, &far, &near, &far, &near, &near, &far)
	report := results{Tables: []table{mixed}}.report(nil)
	contains(t, report,
		"State: far, transfer time 240 ns (middle half 240 to 240), 6 rounds; near, transfer time 80 ns (middle half 80 to 80), 5 rounds. Left out: 8 % of",
		"|ns a task, far|×, of ants.Pool, far|ns a task, near|×, of ants.Pool, near|",
		"|**TaskManager.SubmitFunc**|knows it by name|400 ± 0 %|0.50|150|0.30|",
		"|≤ 0.6|0.50|yes|far|", "|≤ 0.4|0.30|yes|near|")
}

// With one state there are no further columns.
func TestOneState(t *testing.T) {
	report := submits(&near, &near, &near).report()
	contains(t, report, "State: near, transfer time 80 ns", "||service|ns a task|×, of ants.Pool|allocs|bytes|\n",
		"|**TaskManager.SubmitFunc**|knows it by name|150|0.30|")
	if strings.Contains(report, "Left out") {
		t.Errorf("something was left out:\n%s", report)
	}
}

// If no state has enough measurements, the table says so. Ratios still compare only
// measurements in the same state.
func TestNoStateHasEnough(t *testing.T) {
	single := func(name string, ns float64, s *yardstick.Transfer) entry {
		return entry{Contender: name, Service: contest.Runs, Rounds: in(measured(ns), s)}
	}
	varied := table{Workload: "cpu", About: "tasks", Entries: []entry{
		single(contest.Yardstick, 100, &far), single("same", 50, &far), single("other", 50, &near), single("changed", 50, nil), single("changed too", 50, nil),
	}}
	report := varied.report()
	contains(t, report, "Rounds: 1. **The state varied:** far in 40 % of the measurements, near in 20 %, unknown or changing in 40 %.",
		"|same|runs it|50|0.50|2.0|64|far|", "|other|runs it|50|–|2.0|64|near|", "|changed|runs it|50|–|2.0|64|unknown|")
	if got := submits(&far, &near, nil).Entries[0].stateList(); got != "far 1, near 1, unknown 1" {
		t.Errorf("the states are %q", got)
	}
}

// An aim that depends on the state is not decided if the state is unknown.
func TestAimsOfAnUnknownState(t *testing.T) {
	r := results{Tables: []table{submits(&unknown, &unknown, &unknown)}}
	contains(t, r.report(nil), "Rounds: 3. The transfer time is unknown.", "|time of ants.Pool|depends on the state|9999.00|–|unknown|")
	r = results{Tables: []table{submits(&far, &near, nil)}}
	contains(t, r.verdict(), "|depends on the state|0.50|–|varied|")
}

// An aim that is missed in one state is missed.
func TestAimMissedInOneState(t *testing.T) {
	rounds := func(ratio float64) []measurement { return in(measured(ratio*100, ratio*100), &near, &near) }
	r := results{Tables: []table{{Workload: "empty, 2 workers", Entries: []entry{
		{Contender: "TaskManager.SubmitFunc", Ours: true, Rounds: rounds(0.5)}, {Contender: "ants.Pool", Rounds: rounds(1)},
		{Contender: "taskmanager.Async", Ours: true, Rounds: rounds(0.42)}, {Contender: "pond.ResultPool", Rounds: rounds(1)},
	}}}}
	contains(t, r.verdict(), "|time of ants.Pool|≤ 0.4|0.50|**no**|near|", "|time of pond.ResultPool|≤ 0.42|0.42|yes|near|",
		"- empty, 2 workers, time of TaskManager.SubmitFunc: ")
}

// The cost of many outstanding names is compared with that of few, in the same measurement.
func TestAimOfManyNames(t *testing.T) {
	rounds := in(measured(700, 700, 900), &far, &far, &near)
	for i := range rounds {
		rounds[i].Beside = 500e-6 // for 1000 tasks
	}
	r := results{Tables: []table{{Workload: "1000000 outstanding", About: "many", Beside: 1000, Entries: []entry{
		{Contender: "TaskManager.SubmitFunc", Service: contest.Names, Ours: true, Rounds: rounds},
	}}}}
	contains(t, r.report(nil), "|×, of 1000 outstanding|", "|700|1.00|1.40|",
		"|1000000 outstanding|TaskManager.SubmitFunc|time of 1000 outstanding|≤ 1.35|1.40|**no**|far|")
}

// The latency has percentiles up to 99.9, and aims for two of them.
func TestAimsOfLatency(t *testing.T) {
	rounds := func(p50, p99, p999 float64) []measurement {
		m := measurement{Measure: contest.Measure{Tasks: 1, Latencies: &drive.Latencies{P50: p50 / 1e6, P99: p99 / 1e6, P999: p999 / 1e6}}}
		return in([]measurement{m}, &far)
	}
	r := results{Tables: []table{{Workload: "latency", About: "one at a time", Latency: true, Entries: []entry{
		{Contender: "scheduler.Pool", Service: contest.Runs, Ours: true, Rounds: rounds(0.3, 0.5, 16)},
		{Contender: contest.Yardstick, Service: contest.Runs, Rounds: rounds(0.2, 0.5, 10)},
	}}}}
	contains(t, r.report(nil), "|p50 µs|×, of buffered channel|p99 µs|p99.9 µs|\n", "|**scheduler.Pool**|runs it|0.30|1.50|0.50|16.00|\n",
		"|p99 of buffered channel|≤ 1.2|1.00|yes|far|", "|p99.9 of buffered channel|≤ 1.5|1.60|**no**|far|")
}

// Rounds are repeated until each contender has enough measurements in known states, or the state
// is never known.
func TestEnoughRounds(t *testing.T) {
	for _, c := range []struct {
		states []*yardstick.Transfer
		want   bool
	}{
		{[]*yardstick.Transfer{&far, &near, &far}, true},
		{[]*yardstick.Transfer{&far, nil, &far}, false},
		{[]*yardstick.Transfer{&far, &unknown, &far}, false},
		{[]*yardstick.Transfer{&far, nil, &far, &far}, true},
		{[]*yardstick.Transfer{&unknown, &unknown, &unknown}, true},
	} {
		if got := enough(submits(c.states...).Entries, 3); got != c.want {
			t.Errorf("enough of %v is %v, want %v", fmt.Sprint(submits(c.states...).condition()), got, c.want)
		}
	}
}

// The share of other programs is between none and all of the processors, or unknown. The report
// has it if it is known.
func TestOtherPrograms(t *testing.T) {
	share := watchOthers()
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; { // some units of the clock of the system
	}
	if got := share(); got != -1 && (got < 0 || got > 1) {
		t.Errorf("others use %v of the processors", got)
	}
	some, unknown := 0.35, -1.0
	busy := submits(&far)
	busy.Others = &some
	contains(t, busy.report(), " 1 rounds. Other programs used 35 % of the processors.\n")
	busy.Others = &unknown
	if report := busy.report(); strings.Contains(report, "Other programs") {
		t.Errorf("the share is unknown:\n%s", report)
	}
}

// The raw data of a run give the same ratios as the run: each round is compared with itself.
func TestRoundsOfRawData(t *testing.T) {
	r := results{Tables: []table{{Workload: "w", About: "w", Entries: []entry{
		{Contender: contest.Yardstick, Rounds: measured(10, 1000, 100_000)}, {Contender: "other", Rounds: measured(20, 2000, 200_000)},
	}}}}
	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	again, err := read(filepath.Join(dir, "charts", "raw.json"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, again.report(nil), "|2000|2.00|")
}
