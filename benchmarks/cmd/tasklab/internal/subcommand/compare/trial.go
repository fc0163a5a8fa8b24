package compare

import (
	"context"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/session"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// trial is the workload under one setting.
type trial struct {
	*session.Session
	label string
	total int

	mu    sync.Mutex
	tally measure.Tally
	times measure.Times
}

// run measures the workload under one setting and shows the progress on d.
func run(ctx context.Context, with settings.Manager, s setting, w workload.Workload, label string, d progress.Display) (comparison.Measurement, error) {
	// A tolerance of 0 changes no decision. But it asks for the signals that need
	// a clock, among them the integral of the number of workers. The pool keeps
	// these signals only if its scaler asks for them.
	started, err := session.Open(with, s.queue.Value, scale.Tolerance(0, s.scaler.Value()))
	if err != nil {
		return comparison.Measurement{}, err
	}
	t := &trial{Session: started, label: label, total: w.Tasks(), times: measure.NewTimes()}
	samples := &sampler{interval: w.Interval()}
	stopSampling := progress.Show(samples, t.view)
	hide := progress.Show(d, t.view)
	var lag time.Duration
	err = t.Work(ctx, func(ctx context.Context) (err error) {
		lag, err = w.Feed(ctx, t.Start, t.Load, func(task measure.Task) error { return t.submit(ctx, task) })
		return err
	})
	hide()
	stopSampling()
	m := t.measurement(samples.until(t.Elapsed))
	m.Queue, m.Scaler, m.Lag = s.queue.Name, s.scaler.Name, measure.Milliseconds(lag)
	return m, err
}

// submit submits a task and records how it ends.
func (t *trial) submit(ctx context.Context, task measure.Task) error {
	t.mu.Lock()
	t.tally.Add(measure.Tally{Found: 1, Unfinished: 1})
	t.mu.Unlock()
	return t.Submit(ctx, task, func(err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if change := measure.Outcome(task, err); change != (measure.Tally{}) {
			t.tally.Add(change)
			t.times.Record(task.Measured())
		}
	})
}

// view returns what a display shows of the trial.
func (t *trial) view() progress.View {
	v := t.View()
	t.mu.Lock()
	defer t.mu.Unlock()
	v.Tally, v.Setting, v.Total = t.tally, t.label, t.total
	return v
}

// measurement returns the result of a trial that has ended.
func (t *trial) measurement(samples []comparison.Sample) comparison.Measurement {
	seconds := max(t.Elapsed, time.Nanosecond).Seconds()
	return comparison.Measurement{
		Tasks:         t.tally.Found,
		Done:          t.tally.Read,
		Failed:        t.tally.Failed,
		Shed:          t.tally.Shed,
		Dropped:       t.tally.Dropped,
		Unfinished:    t.tally.Unfinished,
		Late:          t.tally.Late,
		Elapsed:       seconds,
		WaitP50:       t.times.QueueWait(50),
		WaitP95:       t.times.QueueWait(95),
		WaitP99:       t.times.QueueWait(99),
		RunP50:        t.times.RunTime(50),
		MeanWorkers:   t.Final.WorkerTime / seconds,
		PeakWorkers:   peak(samples, int(t.Load.PeakWorkers())),
		WorkerSeconds: t.Final.WorkerTime,
		Turns:         turns(samples),
		Samples:       samples,
	}
}
