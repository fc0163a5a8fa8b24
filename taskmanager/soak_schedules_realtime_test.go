package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// schedule starts a schedule, or stops one.
func (d *driver) schedule() {
	if len(d.schedules) > 3 {
		s := d.schedules[0]
		d.schedules = d.schedules[1:]
		s.Stop()
		if next := s.Next(); !next.IsZero() {
			d.fail("a schedule that was stopped runs next at %v", next)
		}
		return
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if d.random.IntN(2) == 0 {
		ctx, cancel = d.brief()
	}
	name := fmt.Sprint("schedule/", d.random.IntN(6))
	interval := time.Duration(1+d.random.IntN(3000)) * time.Microsecond
	var one sync.Mutex
	s, err := d.repeat(ctx, interval, &task{
		name: name,
		execute: func(ctx context.Context) error {
			if !one.TryLock() {
				d.fail("two runs of one schedule overlap")
				return nil
			}
			defer one.Unlock()
			d.s.count("run: scheduled")
			rest(ctx, 200*time.Microsecond)
			return nil
		},
	})
	context.AfterFunc(ctx, cancel)
	if err == nil {
		d.s.count("schedules")
		d.schedules = append(d.schedules, s)
		return
	}
	if !errors.Is(err, context.DeadlineExceeded) && !d.stopped(err) {
		d.fail("Every: %v", err)
	}
}

// repeat starts a schedule at a fixed rate, or by the clock.
func (d *driver) repeat(ctx context.Context, interval time.Duration, t taskmanager.Task) (*taskmanager.Schedule, error) {
	opts := append(d.scheduleOptions(interval), taskmanager.WithTimeout(time.Second))
	if d.random.IntN(2) == 0 {
		return d.m.Every(ctx, interval, t, opts...)
	}
	return d.m.Repeat(ctx, byTheClock{interval}, t, opts...)
}

// byTheClock is a timetable whose times are the multiples of an interval.
type byTheClock struct{ interval time.Duration }

func (c byTheClock) Next(after time.Time) time.Time {
	return after.Truncate(c.interval).Add(c.interval)
}
func (c byTheClock) String() string { return "every " + c.interval.String() + " by the clock" }

// scheduleOptions returns random options for a schedule with the given interval.
func (d *driver) scheduleOptions(interval time.Duration) []taskmanager.TaskOption {
	opts := []taskmanager.TaskOption{taskmanager.WithOverlap(overlaps[d.random.IntN(len(overlaps))])}
	if d.random.IntN(3) == 0 {
		opts = append(opts, taskmanager.WithRunAtStart())
	}
	if d.random.IntN(3) == 0 {
		opts = append(opts, taskmanager.WithJitter(time.Duration(d.random.Int64N(int64(interval)+1))))
	}
	if d.random.IntN(3) == 0 {
		opts = append(opts, taskmanager.WithRuns(1+d.random.IntN(10)))
	}
	if d.random.IntN(3) == 0 {
		opts = append(opts, taskmanager.WithUntil(time.Now().Add(time.Duration(d.random.IntN(50))*time.Millisecond)))
	}
	return opts
}

// steer lists the schedules, and calls a method of one of them.
func (d *driver) steer() {
	var list []*taskmanager.Schedule
	last := ""
	for s := range d.m.Schedules() {
		if s.Name() < last || !strings.HasPrefix(s.String(), "every ") {
			d.fail("the schedule %q, %v, is listed after %q", s.Name(), s, last)
		}
		last = s.Name()
		list = append(list, s)
	}
	if len(list) == 0 {
		return
	}
	s := list[d.random.IntN(len(list))]
	switch d.random.IntN(6) {
	case 0, 1:
		d.runNow(s)
	case 2:
		s.Pause()
	case 3, 4:
		s.Resume()
	default:
		times := s.Upcoming(5)
		for i, at := range times {
			if i > 0 && !at.After(times[i-1]) {
				d.fail("the upcoming times of %v are %v", s, times)
			}
		}
		if r, ok := s.LastRun(); ok && (r.Name != s.Name() || r.Status != taskmanager.Finished || r.Outcome == "") {
			d.fail("the last run of %q is %+v", s.Name(), r)
		}
		_ = s.Paused()
		if before, now := s.Skipped(), s.Skipped(); before < 0 || now < before {
			d.fail("the schedule %q has skipped %d runs, after %d", s.Name(), now, before)
		}
	}
}

// runNow starts a run of a schedule, and sometimes waits for its end.
func (d *driver) runNow(s *taskmanager.Schedule) {
	h, err := s.RunNow()
	switch {
	case err == nil:
		d.s.count("runs of RunNow")
	case !errors.Is(err, taskmanager.ErrAlreadyExists) && !errors.Is(err, taskmanager.ErrScheduleEnded) && !d.stopped(err):
		d.fail("RunNow: %v", err)
	}
	if h == nil || d.random.IntN(2) == 0 {
		return
	}
	ctx, cancel := d.brief()
	defer cancel()
	_ = h.Wait(ctx)
	if isClosed(h.Done()) {
		if _, ok := s.LastRun(); !ok {
			d.fail("a run of %q has ended, and LastRun has none", s.Name())
		}
	}
}
