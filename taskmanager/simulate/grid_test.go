package simulate_test

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
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
	{"Constant", func() restart.Policy { return restart.Constant(100 * time.Millisecond) }},
	{"Decorrelated", func() restart.Policy { return restart.Decorrelated(0, 0) }},
	{"Never", restart.Never},
	{"Intensity", func() restart.Policy { return restart.Intensity(1, 5*time.Second, nil) }},
	{"Budget", func() restart.Policy { return restart.Budget(0.1, 3, nil) }},
}

// mixed is a workload with all attributes, whose load exceeds the workers now and then. If coarse, all
// times are multiples of 100 ms, so that many events would happen at the same instant.
func mixed(jobs int, seed uint64, coarse bool) simulate.Workload {
	round := func(seconds float64) time.Duration {
		d := time.Duration(seconds * 1e9)
		if coarse {
			d = d.Round(100 * time.Millisecond)
		}
		return d
	}
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
// for each combination of a discipline, a scaler, an overflow policy and a restart policy. In every
// other workload of a combination without restarts, many events are due at the same instant. Without
// the flag -lab the test covers a fiftieth of the combinations.
func TestSameReportOnAnyNumberOfProcessors(t *testing.T) {
	all := combinations(t)
	if !*lab {
		all = every(50, all)
	}
	const jobs = 60
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	first := make([]simulate.Report, len(all))
	for round, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		for i, c := range all {
			coarse := i%2 == 0 && strings.HasSuffix(c.name, "Never")
			got := simulate.Test(t, mixed(jobs, uint64(i), coarse), c.start, simulate.WithSeed(7))
			if round == 0 {
				first[i] = got
				if got.Total.Jobs != jobs || got.Total.Unfinished != 0 {
					t.Errorf("%s: %d of %d jobs, %d unfinished", c.name, got.Total.Jobs, jobs, got.Total.Unfinished)
				}
				continue
			}
			if !reflect.DeepEqual(first[i], got) {
				t.Errorf("%s: on %d processors the report differs from that on 1 (-1 +%d):\n%s", c.name, procs, procs,
					cmp.Diff(first[i], got, cmp.AllowUnexported(simulate.Distribution{}, simulate.Ratios{}, simulate.DistributionOf{})))
			}
		}
	}
	t.Logf("%d combinations", len(all))
}

// every returns every nth element.
func every[T any](n int, all []T) (some []T) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// combinations returns the valid combinations of strategies. Their times are not multiples of those
// of a coarse workload: the order of two timers of the manager that end at the same instant is up to
// the scheduler of goroutines.
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
								taskmanager.WithRestart(r.make()), o.make(), taskmanager.WithIdleTimeout(1_030_107_001 * time.Nanosecond),
							})...)
						},
					})
				}
			}
		}
	}
	return all
}
