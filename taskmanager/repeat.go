package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Timetable determines when a repeated task runs; see [TaskManager.Repeat]. It must be safe
// for concurrent use.
//
// If Next panics, or returns a time that is not later than after, the schedule ends. The
// first call is made by Repeat, which returns the error; errors of later calls are logged.
//
// Next must not call [runtime.Goexit], after which the schedule would stand still. It must not wait
// until the manager has stopped: [TaskManager.Stop] and
// [TaskManager.Drain] wait for Next to return.
//
// The times that the manager passes to Next are wall times in the local time zone. Those that
// come from [time.Now] also have a reading of the monotonic clock. A result that keeps it, such
// as after.Add(time.Hour), is a moment on the monotonic clock and does not follow the wall
// clock. Any other result, such as one of [time.Date], does; see [TaskManager.Repeat].
//
// A Timetable may have a method String() string that describes it; see [Schedule.String].
type Timetable interface {
	// Next returns the first time later than after, or the zero time if there is none.
	Next(after time.Time) time.Time
}

// Every runs a task at a fixed rate. The first run is due one interval after the call, and
// each further run one interval after the one before, however long the runs take and
// whatever the wall clock shows. The interval must be positive. See [TaskManager.Repeat]
// for the rest.
func (m *TaskManager) Every(ctx context.Context, interval time.Duration, task Task, opts ...TaskOption) (*Schedule, error) {
	if interval <= 0 {
		return nil, fmt.Errorf("taskmanager: Every: the interval is %v; it must be positive", interval)
	}
	return m.Repeat(ctx, every{time.Now(), interval}, task, opts...)
}

// every is the timetable of a fixed rate. It does not drift.
type every struct {
	start    time.Time
	interval time.Duration
}

func (e every) Next(after time.Time) time.Time {
	periods := after.Sub(e.start)/e.interval + 1
	return e.start.Add(periods * e.interval)
}

// count returns the number of times after from, up to and including to.
func (e every) count(from, to time.Time) int {
	return int(to.Sub(e.start)/e.interval - from.Sub(e.start)/e.interval)
}

// String returns, for example, "every 10m0s".
func (e every) String() string { return fmt.Sprintf("every %v", e.interval) }

// Repeat runs a task at the times of a timetable. The schedule ends when ctx ends, when
// [Schedule.Stop] is called, when the manager is stopped or drained, or after the last run:
// when the timetable has no further time, and when [WithUntil] or [WithRuns] says so.
//
// Each run is submitted as by [TaskManager.Submit], but is queued even if the manager's
// limit is reached. The name, the attributes and the options of the task are read once,
// now, for all runs. The contexts of the runs carry the values of ctx. The end of ctx does
// not cancel a run unless [WithLinkedContext] is given.
//
// At most one run is outstanding at a time; [WithOverlap] sets what happens to runs that
// become due meanwhile. If another task has the name when a run is due, the run is skipped
// and an error is logged.
//
// The times follow the wall clock. If it is set forward by a second or more, or back, the
// schedule notices that within a minute, and continues with the first time after the one that
// the clock then shows. A run whose time the clock has jumped over starts at that moment, but
// only one, with any overlap policy. Times that the clock shows again are due again. A
// machine that was suspended has the same effect as a clock that was set forward.
//
// The options [WithOverlap], [WithUntil], [WithRuns], [WithRunAtStart] and [WithJitter] are
// for Every and Repeat only. [WithDelay], [WithNotBefore] and [WithDeadline] are not allowed.
//
// Repeat returns [ErrStopped], [ErrNilTask], [ErrEmptyName], [ErrNilContext], the cause of
// a ctx that has ended, or an error about the options or the timetable.
func (m *TaskManager) Repeat(ctx context.Context, times Timetable, task Task, opts ...TaskOption) (*Schedule, error) {
	if times == nil {
		return nil, errors.New("taskmanager: Repeat: nil timetable; Every makes one, and adapters/cron")
	}
	s := newSchedule(ctx, m, times)
	if err := s.init(task, opts); err != nil {
		return nil, err
	}
	s.text = m.timetableText(times, s.model.name)
	m.schedules.Store(s, nil) // before the link, whose end deletes it again
	link := m.links.join(ctx, s)
	s.mu.Lock()
	s.link = link
	s.mu.Unlock()
	var err error
	if m.names.Closed() {
		err = ErrStopped
	} else {
		err = s.begin(s.atStart)
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	s.mu.Lock()
	s.listed = true
	s.mu.Unlock()
	return s, nil
}
