package tuning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/tuning"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, labtest.IgnoreBubbles()) }

// jobs returns n jobs at random times, of 100 ms on average, that keep some workers busy.
func jobs(t testing.TB, n int, busy float64) []simulate.Job {
	t.Helper()
	all, more, err := tuning.Load(t.Context(), load.Load{
		Arrivals: load.Poisson{Rate: 10 * busy}, Service: load.Exponential{Mean: 100 * time.Millisecond}, Jobs: n, Seed: 1,
	}.Workload(), n)
	if err != nil || more {
		t.Fatal(more, err)
	}
	return all
}

// problem returns the problem of meeting objectives on the two halves of a workload.
func problem(t testing.TB, jobs []simulate.Job, objectives ...string) tuning.Problem {
	t.Helper()
	parts, err := tuning.Split(jobs, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	p := tuning.Problem{
		Minimise: objective.Quantity{Measure: "worker-seconds"},
		Parts:    parts,
		Limits: policy.Limits{
			Queues:  settings.Disciplines.Select("fifo").Chosen,
			Scalers: settings.Scalers.Select("demand,fixed,step,targetwait,utilisation,probe").Chosen,
			Min:     1, Max: 40, Load: parts[0].Offered(), Common: settings.NewCommon(),
		},
		Settings: 60,
		Seed:     1,
	}
	for _, text := range objectives {
		o, err := objective.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Objectives = append(p.Objectives, o)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func tune(t testing.TB, p tuning.Problem) tuning.Result {
	t.Helper()
	r, err := tuning.New(p).Tune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contains checks that a text has the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("there is no %q in\n%s", p, text)
		}
	}
}

func TestTune(t *testing.T) {
	p := problem(t, jobs(t, 4000, 4), "p95 wait <= 100ms", "peak workers <= 30")
	r := tune(t, p)
	if !r.Met() || !r.MetSecond() {
		t.Error(r.Text())
	}
	if len(r.Trials) != p.Settings {
		t.Errorf("%d settings were tried, planned were %d", len(r.Trials), p.Settings)
	}
	contains(t, r.Text(), "p95 wait <= 100ms", "shed <= 0 (implied: no objective allows it)", "60 settings", "The choice meets all objectives on both parts.",
		"m, err := taskmanager.Start(\n\ttaskmanager.WithWorkers(")
	for _, one := range r.Trials {
		if one.Front && one.Second == nil {
			t.Errorf("%s is on the front, and was not evaluated on the second part", one.Policy)
		}
		if one.Chosen && one.Outcome.Violation > 0 {
			t.Errorf("the choice, %s, violates an objective by %v", one.Policy, one.Outcome.Violation)
		}
	}
	// The default policy meets the objectives too, but costs more.
	for _, one := range r.Trials {
		if o := one.Outcome; o.Jobs == r.Reports[0].Total.Jobs && o.Violation == 0 && o.Cost < r.Reports[0].WorkerTime {
			t.Errorf("%s costs %v, and the choice %v", one.Policy, o.Cost, r.Reports[0].WorkerTime)
		}
	}
}

// With a margin, the choice has a reserve on the first part.
func TestMargin(t *testing.T) {
	p := problem(t, jobs(t, 2000, 4), "p95 wait <= 100ms")
	p.Margin = 0.5
	r := tune(t, p)
	for _, one := range r.Trials {
		if one.Chosen && one.Outcome.Quantity > 50e6 {
			t.Errorf("the p95 wait of the choice is %v", time.Duration(one.Outcome.Quantity))
		}
	}
	contains(t, r.Text(), "margin       settings are chosen by bounds that are 50% stricter\n")
}

// The result is the same whatever the number of processors.
func TestDeterminism(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	p := problem(t, jobs(t, 2000, 4), "p95 wait <= 100ms")
	var want []byte
	for _, processors := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(processors)
		r := tune(t, p)
		got, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Text()...)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%d processors (-one +these):\n%s", processors, diff)
		}
	}
}

func TestNeverMet(t *testing.T) {
	r := tune(t, problem(t, jobs(t, 2000, 4), "p95 wait <= 100ms", "worker-seconds <= 10"))
	if r.Met() || r.MetSecond() {
		t.Error("an impossible objective is met")
	}
	contains(t, r.Text(), "NO SETTING MEETS THE OBJECTIVES. Of 60 settings that were tried, the nearest is", "instead of <= ")
}

// The load of the second half is three times that of the first.
func TestChoiceThatDoesNotHold(t *testing.T) {
	all := jobs(t, 1000, 3)
	half := all[len(all)-1].At
	for _, j := range jobs(t, 3000, 9) {
		j.At += half
		all = append(all, j)
	}
	r := tune(t, problem(t, all, "p95 wait <= 50ms", "peak workers <= 8"))
	if !r.Met() || r.MetSecond() {
		t.Errorf("met %v, on the second part %v", r.Met(), r.MetSecond())
	}
	contains(t, r.Text(), "THE CHOICE DOES NOT HOLD ON THE SECOND PART: peak workers is ", " instead of <= 8.")
}

// A discipline that gives up jobs is no way to meet a bound on waits, unless the user allows it.
func TestLosses(t *testing.T) {
	p := problem(t, jobs(t, 2000, 8), "p99 wait <= 40ms")
	p.Limits.Queues = settings.Disciplines.Select("fifo,codel").Chosen
	p.Limits.Max = 10
	shed := tune(t, p)
	p.Objectives = append(p.Objectives, problem(t, jobs(t, 10, 1), "shed <= 40%").Objectives...)
	allowed := tune(t, p)
	if n := shed.Reports[0].Total.Shed; n > 0 && shed.Met() {
		t.Errorf("the choice sheds %d jobs, which no objective allows", n)
	}
	if !allowed.Met() || allowed.Reports[0].Total.Shed == 0 {
		t.Errorf("the user allows to shed jobs, but\n%s", allowed.Text())
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := problem(t, jobs(t, 5000, 4), "p95 wait <= 100ms")
	r, err := tuning.New(p).Tune(ctx)
	if err != nil || !r.Interrupted || r.Met() || r.Any() {
		t.Error(r.Interrupted, err)
	}
	contains(t, r.Text(), "(interrupted)", "Interrupted before any setting was tried.")

	ctx, cancel = context.WithCancel(t.Context())
	tuner := tuning.New(p)
	go func() {
		for n := 0; n < 5; n, _ = tuner.Progress() {
			runtime.Gosched()
		}
		cancel()
	}()
	r, err = tuner.Tune(ctx)
	if err != nil || !r.Interrupted || r.Met() || !r.Any() {
		t.Error(r.Interrupted, r.Any(), err)
	}
	contains(t, r.Text(), "(interrupted)", "Interrupted: the settings were tried on the first 819 jobs only.")
	var decoded map[string]any
	if text, err := json.Marshal(&r); err != nil || json.Unmarshal(text, &decoded) != nil || decoded["interrupted"] != true {
		t.Error(decoded, err)
	}
}

func TestProblemCheck(t *testing.T) {
	all := jobs(t, 100, 1)
	for i := range all {
		all[i].Key = "everywhere"
	}
	all[0].Key, all[99].Key = "begin", "end"
	p := problem(t, all)
	for text, want := range map[string]string{
		"p99 wait of everywhere <= 1s": "",
		"p99 wait of begin <= 1s":      `tasklab: "p99 wait of begin <= 1s": the key "begin" does not occur in the second part of the workload`,
		"late of end <= 1":             `tasklab: "late of end <= 1": the key "end" does not occur in the first part of the workload`,
		"late of nobody <= 1":          `tasklab: "late of nobody <= 1": the key "nobody" does not occur in the workload`,
	} {
		o, err := objective.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Objectives, p.Minimise = []objective.Objective{o}, objective.Quantity{Measure: "turns"}
		if err := p.Check(); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		p.Objectives, p.Minimise = nil, o.Quantity
		if err := p.Check(); (err == nil) != (want == "") {
			t.Errorf("%s: %v", p.Minimise, err)
		}
	}
}

func TestLoad(t *testing.T) {
	w := load.Load{Arrivals: load.Steady{Rate: 10}, Service: load.Constant{Mean: time.Second}, Jobs: 10}.Workload()
	for most, want := range map[int]int{5: 5, 10: 10, 11: 10} {
		jobs, more, err := tuning.Load(t.Context(), w, most)
		if err != nil || len(jobs) != want || more != (want < 10) {
			t.Errorf("at most %d: %d jobs, more %v, %v", most, len(jobs), more, err)
		}
	}
	bad := errors.New("bad line")
	_, _, err := tuning.Load(t.Context(), func(yield func(simulate.Job, error) bool) { yield(simulate.Job{}, bad) }, 5)
	if !errors.Is(err, bad) {
		t.Errorf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := tuning.Load(ctx, w, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestSplit(t *testing.T) {
	at := func(seconds ...int) (jobs []simulate.Job) {
		for _, s := range seconds {
			jobs = append(jobs, simulate.Job{At: time.Duration(s) * time.Second, Service: time.Second})
		}
		return jobs
	}
	for _, tt := range []struct {
		seconds []int
		share   float64
		want    [2][]int
		err     string
	}{
		{[]int{10, 11, 12, 20}, 0.5, [2][]int{{0, 1, 2}, {5}}, ""},
		{[]int{10, 15, 20}, 0.5, [2][]int{{0}, {0, 5}}, ""},
		{[]int{10, 11, 12, 20}, 0.1, [2][]int{{0}, {0, 1, 9}}, ""},
		{nil, 0.5, [2][]int{}, "tasklab: the workload has no jobs"},
		{[]int{10, 10}, 0.5, [2][]int{}, "tasklab: -split 0.5 leaves no jobs for the first part: the 2 jobs arrive within 0s"},
		{[]int{3}, 0.5, [2][]int{}, "leaves no jobs for the first part: the 1 jobs arrive within 0s; give a longer workload or another -split"},
	} {
		parts, err := tuning.Split(at(tt.seconds...), tt.share)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want %s", tt.seconds, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range tt.want {
			if diff := cmp.Diff(at(want...), parts[i].Jobs); diff != "" {
				t.Errorf("%v, part %d (-want +got):\n%s", tt.seconds, i, diff)
			}
		}
	}
}

// A refused pair of parameters is an error, and not a search without end.
func TestRefusedParameters(t *testing.T) {
	p := problem(t, jobs(t, 100, 1), "p95 wait <= 100ms")
	p.Limits.Queues = settings.Disciplines.Select("codel:240ms:41ms").Chosen
	if _, err := tuning.New(p).Tune(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "tasklab: -queue codel:240ms:41ms") {
		t.Errorf("err = %v", err)
	}
}

// The fields are always present, and nothing is null but what was not evaluated.
func TestJSON(t *testing.T) {
	r := tune(t, problem(t, jobs(t, 400, 4), "p95 wait <= 100ms"))
	text, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("null")); n != bytes.Count(text, []byte(`"second":null`)) {
		t.Errorf("a field is null in\n%s", text)
	}
}

// 200 settings on 20,000 jobs should take at most 20 s on two processors.
func BenchmarkTune(b *testing.B) {
	p := problem(b, jobs(b, 40_000, 10), "p99 wait <= 100ms")
	p.Settings = 200
	for b.Loop() {
		tune(b, p)
	}
}
