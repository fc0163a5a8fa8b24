package simulate

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/simulation"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// size is what a first look at a workload finds out about it.
type size struct {
	tasks int
	span  time.Duration // from the start to the last arrival
	work  float64       // sum of the service times, in seconds
}

// measure reads the whole workload, so that a malformed line is reported before
// the first simulation, and the progress has a total.
func measure(ctx context.Context, w simulate.Workload) (n size, err error) {
	for j, err := range w {
		if err != nil {
			return n, err
		}
		if n.tasks%1024 == 0 && ctx.Err() != nil {
			break
		}
		n.tasks++
		n.span = j.At
		n.work += j.Service.Seconds()
	}
	return n, nil
}

// simulate replays the workload under each setting, in each run. If ctx ends, the
// result covers what was simulated until then.
func (c *command) simulate(ctx context.Context, d progress.Display) (simulation.Simulation, error) {
	s := c.describe()
	first, err := measure(ctx, c.source.Workload(ctx, c.source.Seed))
	if ctx.Err() != nil { // then err may be that of ctx
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Tasks, s.Span, s.Work = first.tasks, first.span.Seconds(), first.work
	candidates := c.grid.Candidates()
	watch := newWatch(len(candidates)*c.runs, first.tasks)
	hide := progress.Show(d, watch.view)
	results, err := c.replayAll(ctx, candidates, watch)
	hide()
	for _, runs := range results {
		if runs[0] != nil {
			s.Settings = append(s.Settings, *runs[0])
		}
	}
	s.Partial = ctx.Err() != nil
	if c.runs > 1 && err == nil && !s.Partial {
		s.Differences = simulation.Differ(complete(results))
	}
	return s, err
}

// describe returns a simulation without results.
func (c *command) describe() simulation.Simulation {
	return simulation.Simulation{
		Workload:    c.source.String(),
		RealTime:    c.real,
		IdleTimeout: c.grid.IdleTimeout.Seconds(),
		Limit:       c.grid.Limit,
		Overflow:    c.grid.Overflow.Name,
		Restart:     c.grid.Restart.Name,
		Retries:     c.grid.Retries,
		Cores:       c.cores,
		Seed:        c.source.Seed,
		Runs:        c.runs,
		Settings:    []simulation.Result{}, // never null in JSON
		Differences: []simulation.Difference{},
	}
}

// replayAll replays the workload under each setting, in each run. The results are
// in this order; a nil one is of a replay that did not begin.
func (c *command) replayAll(ctx context.Context, candidates []settings.Candidate, w *watch) ([][]*simulation.Result, error) {
	doing := c.work()
	var group errgroup.Group
	group.SetLimit(c.parallel())
	failed, fail := context.WithCancel(ctx)
	defer fail()
	results := make([][]*simulation.Result, len(candidates))
	for i := range candidates {
		results[i] = make([]*simulation.Result, c.runs)
	}
	for run := range c.runs {
		for i, candidate := range candidates {
			group.Go(func() error {
				if failed.Err() != nil {
					return nil
				}
				r, err := c.replay(failed, candidate, c.source.Seed+uint64(run), doing, w)
				if err != nil {
					fail()
					return err
				}
				result := simulation.NewResult(candidate, r)
				if run > 0 { // only its figures are compared
					result.Keys, result.Kinds, result.Series = nil, nil, nil
				}
				results[i][run] = &result
				return nil
			})
		}
	}
	err := group.Wait()
	return results, err
}

// parallel returns how many replays run at the same time. In real time they would
// disturb each other.
func (c *command) parallel() int {
	if c.real {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// work returns what a task does in real time.
func (c *command) work() work {
	if c.cpu {
		return newComputation()
	}
	return nil
}

// replay replays the workload of a seed under a setting.
func (c *command) replay(ctx context.Context, candidate settings.Candidate, seed uint64, doing work, w *watch) (simulate.Report, error) {
	progressed, done := w.begin()
	defer done()
	weights := c.source.Weights()
	options := []simulate.Option{
		simulate.WithSeed(seed),
		simulate.WithProgress(progressed),
		simulate.WithWeights(func(key string) int {
			for _, one := range weights {
				if one.Key == key {
					return one.Weight
				}
			}
			return 1
		}),
	}
	if c.cores > 0 {
		options = append(options, simulate.WithCores(c.cores))
	}
	if c.real {
		options = append(options, simulate.InRealTime(doing))
	}
	return simulate.Run(ctx, c.source.Workload(ctx, seed), candidate.Start, options...)
}

// complete returns results none of which is nil.
func complete(results [][]*simulation.Result) [][]simulation.Result {
	all := make([][]simulation.Result, len(results))
	for i, runs := range results {
		for _, r := range runs {
			all[i] = append(all[i], *r)
		}
	}
	return all
}

// watch counts what is done, for the display. It is safe for concurrent use.
type watch struct {
	replays int
	tasks   int // of a replay
	start   time.Time
	done    atomic.Int64 // replays
	ended   atomic.Int64 // tasks
}

func newWatch(replays, tasks int) *watch {
	return &watch{replays: replays, tasks: tasks, start: time.Now()}
}

// begin begins a replay. It returns a function to be called with the number of
// tasks that have ended, and one to be called at the end.
func (w *watch) begin() (progressed func(ended int), done func()) {
	var last atomic.Int64
	return func(ended int) { w.ended.Add(int64(ended) - last.Swap(int64(ended))) }, func() { w.done.Add(1) }
}

// view returns what a display shows.
func (w *watch) view() progress.View {
	return progress.View{
		Replays: w.replays, Replayed: int(w.done.Load()),
		Total: w.replays * w.tasks, Ended: int(w.ended.Load()), Elapsed: time.Since(w.start),
	}
}
