package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// setting is one of those that are compared.
type setting struct {
	queue  named[taskmanager.Discipline]
	scaler named[newScaler]
}

// sample is the state at a moment.
type sample struct {
	At      float64 `json:"at_s"`
	Workers int     `json:"workers"`
	Busy    int     `json:"busy"`
	Queued  int     `json:"queued"`
}

// measurement is what became of the workload under one setting.
type measurement struct {
	Queue         string   `json:"queue"`
	Scaler        string   `json:"scaler"`
	Tasks         int      `json:"tasks"` // that were submitted
	Done          int      `json:"done"`
	Failed        int      `json:"failed"`
	Shed          int      `json:"shed"`
	Dropped       int      `json:"dropped"`
	Unfinished    int      `json:"unfinished"`
	Late          int      `json:"late"`
	Elapsed       float64  `json:"elapsed_s"`
	WaitP50       float64  `json:"queue_wait_p50_ms"`
	WaitP95       float64  `json:"queue_wait_p95_ms"`
	WaitP99       float64  `json:"queue_wait_p99_ms"`
	RunP50        float64  `json:"run_time_p50_ms"`
	MeanWorkers   float64  `json:"mean_workers"`
	PeakWorkers   int      `json:"peak_workers"`
	WorkerSeconds float64  `json:"worker_s"`
	Turns         int      `json:"turns"`
	Lag           float64  `json:"lag_ms"`
	Samples       []sample `json:"samples"`
}

// compare measures the workload under each setting, one after the other. If ctx
// ends, it reports what was measured.
func compare(ctx context.Context, cfg compareConfig, w workload, screen func() display) (c comparison, err error) {
	c = newComparison(cfg, w)
	all := cfg.settingsToCompare()
	for i, s := range all {
		if ctx.Err() != nil || err != nil {
			break
		}
		var m measurement
		label := fmt.Sprintf("%d of %d, %s", i+1, len(all), c.label(s.queue.name, s.scaler.name))
		m, err = measure(ctx, cfg.settings, s, w, label, screen())
		if err == nil || ctx.Err() != nil {
			c.Settings = append(c.Settings, m)
		}
	}
	c.Interrupted = ctx.Err() != nil
	return c, err
}

// trial is the workload under one setting.
type trial struct {
	*session
	label string
	total int

	mu sync.Mutex
	tally
	times
}

// measure puts a manager under the workload, and shows on d how far it is.
func measure(ctx context.Context, with settings, s setting, w workload, label string, d display) (measurement, error) {
	// A tolerance of 0 changes no decision. But it asks for the signals that need a
	// clock, the integrals among them, which the pool has only if its scaler does.
	started, err := with.open(s.queue.value, scale.Tolerance(0, s.scaler.value()))
	if err != nil {
		return measurement{}, err
	}
	t := &trial{session: started, label: label, total: w.tasks(), times: newTimes()}
	samples := &sampler{every: w.interval()}
	stopSampling := show(samples, t.view)
	hide := show(d, t.view)
	var lag time.Duration
	err = t.work(ctx, func(ctx context.Context) (err error) {
		lag, err = w.feed(ctx, started, func(task subject) error { return t.take(ctx, task) })
		return err
	})
	hide()
	stopSampling()
	m := t.measured(samples.until(t.elapsed))
	m.Queue, m.Scaler, m.Lag = s.queue.name, s.scaler.name, milliseconds(lag)
	return m, err
}

// take submits a task and notes what becomes of it.
func (t *trial) take(ctx context.Context, task subject) error {
	t.mu.Lock()
	t.add(tally{Found: 1, Unfinished: 1})
	t.mu.Unlock()
	return t.submit(ctx, task, func(err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if change := became(task, err); change != (tally{}) {
			t.add(change)
			t.note(task.noted())
		}
	})
}

// view is the trial as a display shows it.
func (t *trial) view() view {
	s := t.manager.Snapshot()
	t.mu.Lock()
	defer t.mu.Unlock()
	return view{
		counts:  counts{tally: t.tally},
		setting: t.label,
		total:   t.total,
		elapsed: time.Since(t.start),
		busy:    s.Busy,
		workers: s.Workers,
		queued:  s.Queued,
	}
}

// measured is what came of it.
func (t *trial) measured(samples []sample) measurement {
	seconds := max(t.elapsed, time.Nanosecond).Seconds()
	return measurement{
		Tasks:         t.Found,
		Done:          t.Read,
		Failed:        t.Failed,
		Shed:          t.Shed,
		Dropped:       t.Dropped,
		Unfinished:    t.Unfinished,
		Late:          t.Late,
		Elapsed:       seconds,
		WaitP50:       percentile(t.queueWait, 50),
		WaitP95:       percentile(t.queueWait, 95),
		WaitP99:       percentile(t.queueWait, 99),
		RunP50:        percentile(t.runTime, 50),
		MeanWorkers:   t.final.WorkerTime / seconds,
		PeakWorkers:   peak(samples, int(t.load.peakWorkers.Load())),
		WorkerSeconds: t.final.WorkerTime,
		Turns:         turns(samples),
		Samples:       samples,
	}
}

// sampler is a display that keeps what it is shown.
type sampler struct {
	every   time.Duration
	samples []sample
}

func (s *sampler) interval() time.Duration { return s.every }

func (*sampler) wantsTotal() bool { return false }

func (s *sampler) update(v view) {
	s.samples = append(s.samples, sample{At: v.elapsed.Seconds(), Workers: v.workers, Busy: v.busy, Queued: v.queued})
}

func (*sampler) close(view) {}

// until is the samples up to a time: the last one may be of a manager that has
// stopped.
func (s *sampler) until(end time.Duration) []sample {
	kept := []sample{} // never null in JSON
	for _, one := range s.samples {
		if one.At <= end.Seconds() {
			kept = append(kept, one)
		}
	}
	return kept
}

// peak is the largest number of workers, among the samples and otherwise.
func peak(samples []sample, otherwise int) int {
	for _, s := range samples {
		otherwise = max(otherwise, s.Workers)
	}
	return otherwise
}

// turns is how often the number of workers went from growing to shrinking or back.
func turns(samples []sample) (n int) {
	before, rising := 0, true
	for _, s := range samples {
		if s.Workers != before && s.Workers > before != rising {
			n++
			rising = !rising
		}
		before = s.Workers
	}
	return n
}
