package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

// TestMain lets the test program act as the process that measures once.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-alone" {
		main()
		return
	}
	os.Exit(m.Run())
}

// measured returns a measurement for each round.
func measured(perTask ...float64) (rounds []measurement) {
	for i, ns := range perTask {
		m := contest.Measure{Seconds: ns * 1000 / 1e9, Tasks: 1000, Allocs: 2000, Bytes: 64_000}
		rounds = append(rounds, measurement{Measure: m, Round: i})
	}
	return rounds
}

// The report has medians, medians of the ratios in each round, and the aims.
func TestReportOfWhatWasMeasured(t *testing.T) {
	r := results{Tables: []table{{
		Workload: "empty, 2 workers", About: "tasks that do nothing, 2 workers",
		Entries: []entry{
			{Contender: "scheduler.Pool", Service: contest.Runs, Ours: true, Rounds: measured(20, 30, 10)},
			{Contender: contest.Yardstick, Service: contest.Runs, Rounds: measured(40, 40, 40)},
			{Contender: "pond.Go", Service: contest.Runs, Rounds: measured(80, 50, 20)},
			{Contender: "ants.Pool", Service: contest.Runs, Rounds: measured(90, 80, 70)},
		},
	}}}
	report := r.report(nil)
	for _, want := range []string{
		"|**scheduler.Pool**|runs it|20|0.50|2.0|64|\n|buffered channel|runs it|40|1.00|2.0|64|\n|pond.Go|runs it|50|1.25|",
		"|empty, 2 workers|scheduler.Pool|time of pond.Go|≤ 0.6|0.50|yes|",
		"|empty, 2 workers|scheduler.Pool|time of ants.Pool|≤ 0.2|0.22|**no**|",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}
}

// An aim without a contender compares with the best pool with the same service.
func TestBestOfThePeers(t *testing.T) {
	alone := func(name string, ours bool, service contest.Service, mib uint64) entry {
		return entry{Contender: name, Ours: ours, Service: service, Rounds: []measurement{{Measure: contest.Measure{Seconds: 1, Tasks: 1, PeakBytes: mib << 20}}}}
	}
	r := results{Tables: []table{{Workload: "sleep, 1 × 1000000", Isolated: true, Entries: []entry{
		alone("scheduler.Pool", true, contest.Runs, 100), alone("big", false, contest.Runs, 400),
		alone("small", false, contest.Runs, 50), alone("other", false, contest.Answers, 10), alone("a goroutine each", false, contest.Runs, 20),
	}}}}
	if want := "|peak memory of small|≤ 1.35|2.00|**no**|"; !strings.Contains(r.verdict(), want) {
		t.Errorf("the verdict has no %q:\n%s", want, r.verdict())
	}
}

// A run measures in this process and in others, and writes all files.
func TestRunOfAFew(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	dir := t.TempDir()
	err := poolbench(t.Context(), []string{"-quick", "-workload", "^(1000 outstanding|latency|bursts)$", "-contender", "^(scheduler.Pool|pond.Go)$", "-out", dir})
	if err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### 1000 outstanding", "### latency", "### bursts", "|**scheduler.Pool**|", "|pond.Go|", "(charts/latency.svg)", "p99 of "} {
		if !bytes.Contains(report, []byte(want)) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}
	again := t.TempDir()
	if err := poolbench(t.Context(), []string{"-from", filepath.Join(dir, "charts", "raw.json"), "-out", again}); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(filepath.Join(again, "RESULTS.md")); err != nil || !bytes.Equal(second, report) {
		t.Errorf("the report from the raw data is another one, %v:\n%s", err, second)
	}
	picture, err := os.ReadFile(filepath.Join(dir, "charts", "latency.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A process that measures once reports what it cannot do.
func TestProcessesThatMeasureOnce(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := inProcess(t.Context(), self, "scheduler.Pool", "bursts")
	if err != nil || m.Seconds <= 0 || m.PeakGoroutines < 2 {
		t.Errorf("measured %+v, %v", m, err)
	}
	if _, err := inProcess(t.Context(), self, "nobody", "bursts"); err == nil {
		t.Error("an unknown contender is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inProcess(ctx, self, "scheduler.Pool", "bursts"); err == nil {
		t.Error("an interrupt is no error")
	}
}

// Without other contenders the report compares ours. A run without a contender that can
// do the work is an error.
func TestRunOfOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	dir := t.TempDir()
	if err := poolbench(t.Context(), []string{"-quick", "-workload", "^nested$", "-contender", "^scheduler.Pool$", "-out", dir}); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "×, of scheduler.Pool|"; !bytes.Contains(report, []byte(want)) {
		t.Errorf("the report has no %q:\n%s", want, report)
	}
	err = poolbench(t.Context(), []string{"-quick", "-workload", "^nested$", "-contender", "^errgroup$", "-out", dir})
	if err == nil || !strings.Contains(err.Error(), "can do") {
		t.Errorf("work that nobody can do: %v, want an error that says so", err)
	}
}

// Bad arguments are errors that say what is wrong.
func TestBadArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"no workload matches": {"-workload", "nothing of that kind"},
		"-workload:":          {"-workload", "("},
		"-contender:":         {"-contender", "("},
		"unexpected argument": {"what"},
		"-from:":              {"-from", "nowhere"},
		"there is no":         {"-alone", "nobody", "-alone-in", "bursts"},
	} {
		if err := poolbench(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}
