package simulate_test

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// named is a value of a menu.
type named[T any] struct {
	name string
	make func() T
}

var disciplines = []named[taskmanager.Discipline]{
	{"FIFO", taskmanager.FIFO},
	{"LIFO", taskmanager.LIFO},
	{"Priority", func() taskmanager.Discipline { return taskmanager.Priority(10) }},
	{"Deadline", func() taskmanager.Discipline { return taskmanager.Deadline(time.Second) }},
	{"Fair", func() taskmanager.Discipline { return taskmanager.Fair(nil) }},
	{"LimitByKey", func() taskmanager.Discipline { return taskmanager.LimitByKey(2, taskmanager.FIFO()) }},
	{"CoDel", func() taskmanager.Discipline {
		return taskmanager.CoDel(taskmanager.CoDelConfig{Target: 300 * time.Millisecond, Interval: time.Second})
	}},
}

var scalers = []named[scale.Scaler[scale.Snapshot]]{
	{"Demand", func() scale.Scaler[scale.Snapshot] { return scale.Demand(1) }},
	{"Fixed", func() scale.Scaler[scale.Snapshot] { return scale.Fixed(0) }},
	{"Step", func() scale.Scaler[scale.Snapshot] { return scale.Step(0) }},
	{"TargetWait", func() scale.Scaler[scale.Snapshot] { return scale.TargetWait(scale.TargetWaitConfig{}) }},
	{"Utilisation", func() scale.Scaler[scale.Snapshot] { return scale.Utilisation(scale.UtilisationConfig{}) }},
	{"Probe", func() scale.Scaler[scale.Snapshot] { return scale.Probe(0) }},
	{"Stabilise", func() scale.Scaler[scale.Snapshot] { return scale.Stabilise(5*time.Second, scale.Demand(1)) }},
	{"Tolerance", func() scale.Scaler[scale.Snapshot] {
		return scale.Tolerance(0.1, scale.Utilisation(scale.UtilisationConfig{}))
	}},
	{"RateLimit", func() scale.Scaler[scale.Snapshot] { return scale.RateLimit(2, scale.Demand(1)) }},
}

var overflows = []named[taskmanager.Option]{
	{"no limit", func() taskmanager.Option { return taskmanager.WithoutTelemetry() }},
	{"Block", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.Block) }},
	{"Reject", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.Reject) }},
	{"DropNewest", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.DropNewest) }},
	{"DropOldest", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.DropOldest) }},
	{"DropWorst", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.DropWorst) }},
	{"CallerRuns", func() taskmanager.Option { return taskmanager.WithLimit(3, taskmanager.CallerRuns) }},
}

var restarts = []named[restart.Policy]{
	{"Exponential", restart.Default},
	{"Constant", func() restart.Policy { return restart.Constant(time.Second) }},
	{"Decorrelated", func() restart.Policy { return restart.Decorrelated(0, 0) }},
	{"Never", restart.Never},
	{"Intensity", func() restart.Policy { return restart.Intensity(1, 5*time.Second, nil) }},
	{"Budget", func() restart.Policy { return restart.Budget(0.1, 3, nil) }},
}

// mixed is a workload with all attributes, whose load exceeds the workers now and then. Its times are
// multiples of a unit of at most a second. With units of a second, or a tenth, many events are due at one
// instant, and so are timers of the manager.
func mixed(jobs int, seed uint64, unit time.Duration) simulate.Workload {
	round := func(seconds float64) time.Duration { return time.Duration(seconds * 1e9).Round(unit) }
	return func(yield func(simulate.Job, error) bool) {
		r := rand.New(rand.NewPCG(seed, 2))
		at := 0.0
		for i := range jobs {
			rate := 6.0
			if i/20%2 == 0 {
				rate = 2
			}
			at += r.ExpFloat64() / rate
			j := simulate.Job{
				At: round(at), Service: round(r.ExpFloat64()),
				Key: string("aaaabbcd"[r.IntN(8)]), Kind: string("xy"[r.IntN(2)]),
				Priority: r.IntN(4), Cost: 1 + r.Int64N(5), Deadline: round(10 * r.Float64()),
				Fails: max(0, r.IntN(10)-7),
			}
			if !yield(j, nil) {
				return
			}
		}
	}
}

// combination is a choice of strategies.
type combination struct {
	name  string
	start simulate.Start
}

// TestSameReportOnAnyNumberOfProcessors: the report is the same to the byte on 1, 2 and 8 processors,
// for each combination of a discipline, a scaler, an overflow policy and a restart policy, with times to
// the nanosecond and with times that tie. Without the flag -lab the test covers a fiftieth of the
// combinations.
func TestSameReportOnAnyNumberOfProcessors(t *testing.T) {
	all := combinations(t)
	if !*lab {
		all = every(50, all)
	}
	for _, unit := range []time.Duration{1, 100 * time.Millisecond, time.Second} {
		for i, c := range all {
			sameReport(t, c, uint64(i), unit)
		}
	}
	t.Logf("%d combinations", len(all))
}

// sameReport replays a workload on a combination, on 1, 2 and 8 processors.
func sameReport(t *testing.T, c combination, seed uint64, unit time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const jobs = 60
	var want simulate.Report
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		got := simulate.Test(t, mixed(jobs, seed, unit), c.start, simulate.WithSeed(7))
		if procs == 1 {
			want = got
			if got.Total.Jobs != jobs || got.Total.Unfinished != 0 {
				t.Errorf("%s: %d of %d jobs, %d unfinished", c.name, got.Total.Jobs, jobs, got.Total.Unfinished)
			}
			continue
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s, multiples of %v: on %d processors the report differs from that on 1 (-1 +%d):\n%s", c.name, unit, procs, procs,
				cmp.Diff(want, got, cmp.AllowUnexported(simulate.Distribution{}, simulate.Ratios{}, simulate.DistributionOf{})))
		}
	}
}

// every returns every nth element.
func every[T any](n int, all []T) (some []T) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// combinations returns the valid combinations of strategies.
func combinations(t *testing.T) (all []combination) {
	for _, d := range disciplines {
		for _, o := range overflows {
			probe, err := taskmanager.Start(taskmanager.WithQueue(d.make()), o.make())
			if err != nil {
				continue // the manager refuses the combination
			}
			if err := probe.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, s := range scalers {
				for _, r := range restarts {
					all = append(all, combination{
						d.name + ", " + s.name + ", " + o.name + ", " + r.name,
						func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
							return taskmanager.Start(slices.Concat(with, []taskmanager.Option{
								taskmanager.WithWorkers(1, 4), taskmanager.WithQueue(d.make()), taskmanager.WithScaler(s.make()),
								taskmanager.WithRestart(r.make()), o.make(), taskmanager.WithIdleTimeout(time.Second),
							})...)
						},
					})
				}
			}
		}
	}
	return all
}
