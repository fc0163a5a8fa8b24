package policy_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/policy"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/search"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limits returns limits with lists of queues and scalers.
func limits(queues, scalers string, least, most int) policy.Limits {
	return policy.Limits{
		Queues:  settings.Disciplines.Select(queues).Chosen,
		Scalers: settings.Scalers.Select(scalers).Chosen,
		Min:     least,
		Max:     most,
		Common:  settings.NewCommon(),
	}
}

// space returns the space within limits.
func space(t testing.TB, l policy.Limits) search.Space[policy.Policy] {
	t.Helper()
	s, err := policy.NewSpace(l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const everyQueue, everyScaler = "fifo,lifo,priority,deadline,fair,codel,limitbykey,fair+limitbykey",
	"demand,fixed,step,targetwait,utilisation,probe,demand+stabilise,targetwait+tolerance,utilisation+ratelimit"

func TestDefaults(t *testing.T) {
	var got []string
	for _, p := range space(t, limits("fifo,priority", "demand,fixed,targetwait:50ms", 2, 40)).Defaults {
		got = append(got, p.String())
	}
	if diff := cmp.Diff([]string{
		"fifo, demand, 2 to 40 workers, idle timeout 10s",
		"fifo, fixed, 40 to 40 workers, idle timeout 10s",
		"fifo, targetwait:50ms, 2 to 40 workers, idle timeout 10s",
		"priority, demand, 2 to 40 workers, idle timeout 10s",
		"priority, fixed, 40 to 40 workers, idle timeout 10s",
		"priority, targetwait:50ms, 2 to 40 workers, idle timeout 10s",
	}, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

// Every policy of a space is within its limits, has the parameters that the user gave, and starts.
func TestPoliciesAreValid(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.IntRange(0, 5).Draw(t, "min")
		l := limits(everyQueue, everyScaler+",targetwait:50ms,step:1s+stabilise:3s", least, rapid.IntRange(max(least, 1), 300).Draw(t, "max"))
		l.Load = rapid.Float64Range(0, 400).Draw(t, "load")
		space := space(outer, l)
		p := space.Draw(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		for range 5 {
			check(t, l, p)
			near := space.Near(p, rapid.SampledFrom([]float64{0.25, 0.02}).Draw(t, "step"))
			for _, p := range near {
				if p.Min < l.Min || p.Max > l.Max || p.Min > p.Max {
					t.Fatalf("%v exceeds the limits %+v", p, l)
				}
			}
			p = rapid.SampledFrom(near).Draw(t, "next")
		}
	})
}

func check(t *rapid.T, l policy.Limits, p policy.Policy) {
	t.Helper()
	if p.Min < l.Min || p.Max > l.Max || p.Min > p.Max || p.Common.IdleTimeout <= 0 || p.Max < min(int(l.Load), l.Max) {
		t.Fatalf("%v exceeds the limits %+v", p, l)
	}
	name, _, _ := strings.Cut(p.Scaler.Name, ":")
	if name == "targetwait" && strings.HasPrefix(p.Scaler.Name, "targetwait:50ms:") != strings.HasPrefix(p.Scaler.Name, "targetwait:50ms") &&
		p.Scaler.Name != "targetwait:50ms" {
		t.Fatalf("%v changes what the user gave", p)
	}
	m, err := taskmanager.Start(p.Options()...)
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// With a fixed number of workers, the number is the maximum, and not another parameter.
func TestFixed(t *testing.T) {
	space := space(t, limits("fifo", "fixed", 1, 100))
	random := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		if p := space.Draw(random); p.Scaler.Name != "fixed" || p.Min != p.Max {
			t.Error(p)
		}
	}
}

// Parameters that the user gave are kept.
func TestGivenParameters(t *testing.T) {
	space := space(t, limits("priority:7", "step:1s+stabilise:3s,targetwait:50ms", 1, 10))
	random := rand.New(rand.NewPCG(1, 1))
	others := 0
	for range 200 {
		p := space.Draw(random)
		if p.Queue.Name != "priority:7" || p.Scaler.Name != "step:1s+stabilise:3s" && !strings.HasPrefix(p.Scaler.Name, "targetwait:50ms:") {
			t.Fatal(p)
		}
		if p.Scaler.Name != "step:1s+stabilise:3s" {
			others++
		}
	}
	if others == 0 || others == 200 {
		t.Errorf("%d of 200 policies have the second scaler", others)
	}
}

// A policy differs from those near it in one respect, in both directions.
func TestNear(t *testing.T) {
	space := space(t, limits("fifo", "step", 1, 100))
	var got []string
	for _, p := range space.Near(space.Defaults[0], 0.25) {
		got = append(got, p.String())
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{
		"fifo, step, 1 to 100 workers, idle timeout 10s", // there is no larger maximum
		"fifo, step, 1 to 100 workers, idle timeout 10s", // and no smaller minimum
		"fifo, step, 1 to 100 workers, idle timeout 2s",
		"fifo, step, 1 to 100 workers, idle timeout 49s",
		"fifo, step, 1 to 32 workers, idle timeout 10s",
		"fifo, step, 3 to 100 workers, idle timeout 10s",
		"fifo, step:2.8s, 1 to 100 workers, idle timeout 10s",
		"fifo, step:89ms, 1 to 100 workers, idle timeout 10s",
	}, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

// A smaller maximum takes the minimum along.
func TestMaximumBelowMinimum(t *testing.T) {
	space := space(t, limits("fifo", "demand", 1, 100))
	random := rand.New(rand.NewPCG(1, 1))
	p := space.Draw(random)
	for p.Min < 10 || p.Max > 2*p.Min {
		p = space.Draw(random)
	}
	lower := func(q policy.Policy) bool { return q.Max < p.Min && q.Min == q.Max }
	if near := space.Near(p, 0.25); !slices.ContainsFunc(near, lower) {
		t.Errorf("near %v are only %v", p, near)
	}
}

// Small steps change the numbers of workers by one, even where the ratio is smaller.
func TestSmallSteps(t *testing.T) {
	space := space(t, limits("fifo", "fixed", 1, 100))
	at := space.Defaults[0]
	for range 99 {
		at = space.Near(at, 1e-6)[0]
	}
	if at.Max != 1 {
		t.Errorf("99 steps below 100: %v", at)
	}
}

// An idle timeout that the user gave is kept.
func TestGivenIdleTimeout(t *testing.T) {
	l := limits("fifo", "demand", 1, 10)
	l.Common.IdleTimeout, l.KeepIdle = 3*time.Second, true
	space := space(t, l)
	for _, p := range append(space.Near(space.Defaults[0], 0.25), space.Defaults[0], space.Draw(rand.New(rand.NewPCG(1, 1)))) {
		if p.Common.IdleTimeout != 3*time.Second {
			t.Error(p)
		}
	}
}

// Parameters that exclude each other are an error if the user gave them, and not tried otherwise.
func TestRefusedParameters(t *testing.T) {
	_, err := policy.NewSpace(limits("fifo,codel:240ms:41ms", "demand", 1, 10))
	if err == nil || !strings.HasPrefix(err.Error(), "-queue codel:240ms:41ms, -scaler demand: taskmanager: WithQueue: ") {
		t.Errorf("err = %v", err)
	}
}

func TestCode(t *testing.T) {
	p := space(t, limits("fifo", "step", 2, 40)).Defaults[0]
	full := limits("fifo", "step", 2, 40)
	full.Common.Limit, full.Common.Retries = 100, 2
	if diff := cmp.Diff([]string{"taskmanager.WithLimit(100, taskmanager.Block)", "taskmanager.WithRestart(restart.MaxAttempts(3, restart.Exponential(10*time.Millisecond, 10*time.Second)))"},
		space(t, full).Defaults[0].Code(true)[4:]); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	if diff := cmp.Diff(`m, err := taskmanager.Start(
	taskmanager.WithWorkers(2, 40),
	taskmanager.WithIdleTimeout(10*time.Second),
	taskmanager.WithQueue(taskmanager.FIFO()),
	taskmanager.WithScaler(scale.Step(500*time.Millisecond)),
)
`, policy.Start(p.Code(false))); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

// The code of every policy compiles.
func TestCodeCompiles(t *testing.T) {
	var program strings.Builder
	program.WriteString(`package main

import (
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var (
	_ = time.Second
	_ = scale.Demand
	_ = restart.Never
)

func main() {
`)
	random := rand.New(rand.NewPCG(1, 2))
	space := space(t, limits(everyQueue+",fair:a=3", everyScaler, 0, 100))
	for i := range 100 {
		program.WriteString("{\n" + policy.Start(space.Draw(random).Code(i%2 == 0)) + "_, _ = m, err\n}\n")
	}
	program.WriteString("}\n")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
