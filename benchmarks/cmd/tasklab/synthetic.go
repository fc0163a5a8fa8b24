package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// shape says when the tasks of a synthetic workload come, in order: for the
// duration d, at a rate a second.
type shape func(rate float64, d time.Duration, r *rand.Rand) []time.Duration

var shapes = []named[shape]{
	{"step", "evenly, at a tenth of -rate for a fifth of the time, at -rate for two fifths, and at a tenth again", inStep},
	{"steady", "evenly at -rate", func(rate float64, d time.Duration, _ *rand.Rand) []time.Duration { return evenly(nil, rate, 0, d) }},
	{"poisson", "at random, at -rate on average (a Poisson process)", atRandom},
	{"burst", "those of each second at its begin, all at once", inBursts},
}

// evenly appends times at a rate from the first one on to before the last.
func evenly(times []time.Duration, rate float64, first, last time.Duration) []time.Duration {
	for i := 0; ; i++ {
		at := float64(i) / rate
		if at >= (last - first).Seconds() {
			return times
		}
		times = append(times, first+time.Duration(math.Round(at*float64(time.Second))))
	}
}

func inStep(rate float64, d time.Duration, _ *rand.Rand) []time.Duration {
	up, down := d/5, d/5*3
	times := evenly(nil, rate/10, 0, up)
	times = evenly(times, rate, up, down)
	return evenly(times, rate/10, down, d)
}

func inBursts(rate float64, d time.Duration, _ *rand.Rand) []time.Duration {
	times := evenly(nil, rate, 0, d)
	for i := range times {
		times[i] = times[i].Truncate(time.Second)
	}
	return times
}

func atRandom(rate float64, d time.Duration, r *rand.Rand) (times []time.Duration) {
	for at := 0.0; ; {
		at += r.ExpFloat64() / rate
		if at >= d.Seconds() {
			return times
		}
		times = append(times, time.Duration(at*float64(time.Second)))
	}
}

// arrival is a task of a synthetic workload.
type arrival struct {
	at       time.Duration // when it comes, since the start
	service  time.Duration // how long it takes
	key      string
	priority int
	patience time.Duration // how long it may wait
}

// synthetic is a workload that is made up. It is drawn in advance, so each setting
// gets the same.
type synthetic struct {
	arrivals []arrival
	duration time.Duration
	work     func(ctx context.Context, service time.Duration) error
}

// makeUp makes up a workload. The seed alone says how it turns out.
func makeUp(s shape, rate float64, service, duration time.Duration, seed uint64) *synthetic {
	w := &synthetic{duration: duration, work: sleep}
	r := rand.New(rand.NewPCG(seed, 1)) // so that the tasks are the same for all shapes
	for _, at := range s(rate, duration, rand.New(rand.NewPCG(seed, 0))) {
		w.arrivals = append(w.arrivals, arrival{
			at:       at,
			service:  time.Duration(r.ExpFloat64() * float64(service)),
			key:      string("aaaabbcd"[r.IntN(8)]),
			priority: r.IntN(4),
			patience: time.Duration((1 + 9*r.Float64()) * float64(service)),
		})
	}
	return w
}

func (w *synthetic) tasks() int { return len(w.arrivals) }

func (w *synthetic) interval() time.Duration {
	return max(w.duration/samplesWanted, time.Millisecond)
}

func (w *synthetic) offered() []point {
	const bins = 20 // so few that single tasks do not show
	points := make([]point, bins)
	width := max(w.duration/bins, 1)
	for i := range points {
		points[i].at = time.Duration(i) * width
	}
	for _, a := range w.arrivals {
		points[min(a.at/width, bins-1)].number += float64(a.service) / float64(width)
	}
	return append(points, point{w.duration, 0})
}

func (w *synthetic) feed(ctx context.Context, s *session, submit func(subject) error) (lag time.Duration, err error) {
	woke := s.start
	for i, a := range w.arrivals {
		due := s.start.Add(a.at)
		if wait := time.Until(due); wait > 0 {
			if err := sleep(ctx, wait); err != nil {
				return lag, err
			}
			woke = time.Now()
		}
		lag = max(lag, time.Since(due))
		// A task waits from when it is due, also if the submit of another one holds
		// this one up; but that timers are late is not the manager's doing.
		from := due
		if woke.After(due) {
			from = woke
		}
		t := &syntheticTask{
			execution: execution{submitted: from, allowed: a.patience},
			arrival:   a, name: fmt.Sprintf("task %d", i+1), work: w.work, load: s.load,
		}
		if err := submit(t); err != nil {
			return lag, err
		}
	}
	return lag, nil
}

// syntheticTask is a task that takes a given time.
type syntheticTask struct {
	execution
	arrival
	name string
	work func(ctx context.Context, service time.Duration) error
	load *load
}

var (
	_ subject                      = (*syntheticTask)(nil)
	_ taskmanager.TaskWithKey      = (*syntheticTask)(nil)
	_ taskmanager.TaskWithCost     = (*syntheticTask)(nil)
	_ taskmanager.TaskWithPriority = (*syntheticTask)(nil)
	_ taskmanager.TaskWithDeadline = (*syntheticTask)(nil)
)

// Name is a number.
func (t *syntheticTask) Name() string { return t.name }

// Execute takes the time.
func (t *syntheticTask) Execute(ctx context.Context) error {
	defer t.begin(t.load)()
	return t.work(ctx, t.service)
}

// Key is one of four, which half, a quarter and twice an eighth of the tasks have.
func (t *syntheticTask) Key() string { return t.key }

// Cost is the time that it takes, in microseconds.
func (t *syntheticTask) Cost() int64 { return max(1, t.service.Microseconds()) }

// Priority is from 0 to 3.
func (t *syntheticTask) Priority() int { return t.priority }

// Deadline is from 1 to 10 mean times after it came.
func (t *syntheticTask) Deadline() (deadline time.Time, ok bool) {
	return t.submitted.Add(t.allowed), true
}

func (t *syntheticTask) late() bool { return t.queueWait > t.allowed }

// sleep waits, as for a remote call.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// burner makes a function that computes for as long as a processor takes for it by
// itself. When several compute on the same one, they take longer.
func burner() func(ctx context.Context, d time.Duration) error {
	rounds := 0
	begin := time.Now()
	for time.Since(begin) < 50*time.Millisecond {
		burn()
		rounds++
	}
	perSecond := float64(rounds) / time.Since(begin).Seconds()
	return func(ctx context.Context, d time.Duration) error {
		for range int(d.Seconds() * perSecond) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			burn()
		}
		return nil
	}
}

// burn computes for some microseconds.
func burn() {
	var block [4096]byte
	_ = sha256.Sum256(block[:])
}
