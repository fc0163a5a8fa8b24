package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Timetable says when a task runs, over and over. It must be safe for concurrent use, and
// not wait for the end of the manager, which waits for its answer.
type Timetable interface {
	// Next is the first time after another one, and zero if there is none.
	Next(after time.Time) time.Time
}

// Overlap says what becomes of a run that is due while the one before it is
// outstanding.
type Overlap uint8

// The overlap policies.
const (
	// OverlapSkip leaves it out. It is the default.
	OverlapSkip Overlap = iota
	// OverlapQueue makes up for it as soon as the one before it has ended, however
	// many there are to make up for. One that fails to start is left out, and the rest
	// is made up for at the next time.
	OverlapQueue

	overlaps // how many there are
)

// WithOverlap says what becomes of a run of Every or Repeat that is due while the one
// before it is outstanding. It is for them alone.
func WithOverlap(o Overlap) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.overlap = &o
		return fault(o >= overlaps, "taskmanager: WithOverlap: unknown policy %d; use OverlapSkip or OverlapQueue", o)
	})
}

// Every runs a task at a fixed rate: for the first time when the interval has passed,
// and then after each further one, however long a run takes. See Repeat.
func (m *TaskManager) Every(ctx context.Context, interval time.Duration, task Task, opts ...TaskOption) (*Schedule, error) {
	if interval <= 0 {
		return nil, fmt.Errorf("taskmanager: Every: the interval is %v; it must be positive", interval)
	}
	return m.Repeat(ctx, every{time.Now(), interval}, task, opts...)
}

// every is the timetable of a fixed rate, which does not drift.
type every struct {
	start    time.Time
	interval time.Duration
}

func (e every) Next(after time.Time) time.Time {
	periods := after.Sub(e.start)/e.interval + 1
	return e.start.Add(periods * e.interval)
}

// count is how many times there are after one and up to another.
func (e every) count(from, to time.Time) int {
	return int(to.Sub(e.start)/e.interval - from.Sub(e.start)/e.interval)
}

// Repeat runs a task at the times of a timetable, until ctx ends, Stop of the schedule
// is called, the manager stops, or the timetable has no further time. Each run is a
// task as by Submit, with the name, the attributes and the options that are read now,
// and with the values of ctx; its end is that of ctx only WithLinkedContext. It is
// queued beyond the limit, if there is one. One run at a time is outstanding; for
// those that are due meanwhile see WithOverlap. If another task has the name then,
// the run is left out, and the log tells.
//
// Errors: ErrStopped, ErrNilTask, ErrEmptyName, ErrNilContext, why ctx ended, and faults
// of the options. WithDelay, WithNotBefore and WithDeadline do not go with it.
func (m *TaskManager) Repeat(ctx context.Context, times Timetable, task Task, opts ...TaskOption) (*Schedule, error) {
	if times == nil {
		return nil, errors.New("taskmanager: Repeat: nil timetable; Every makes one, and adapters/cron")
	}
	s := &Schedule{m: m, ctx: ctx, times: times}
	if err := s.init(task, opts); err != nil {
		return nil, err
	}
	unlink := context.AfterFunc(ctx, s.Stop)
	s.mu.Lock()
	s.unlink = unlink
	s.mu.Unlock()
	m.schedules.Store(s, nil)
	var err error
	if m.names.Closed() {
		err = ErrStopped
	} else {
		err = s.plan(s.ask(time.Now()))
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Schedule is a task that runs over and over. It is safe for concurrent use.
type Schedule struct {
	m     *TaskManager
	ctx   context.Context
	times Timetable
	model Handle // what each run is a copy of
	queue bool   // OverlapQueue

	mu       sync.Mutex // guards the rest
	next     time.Time  // zero: never
	alarm    *alarm
	unlink   func() bool
	current  *Handle // the run that is outstanding
	starting bool    // somebody is starting a run, and may start more
	missed   int     // runs to make up for
	skipped  int
	over     bool
}

// init reads what stays the same for all runs.
func (s *Schedule) init(task Task, opts []TaskOption) error {
	name, err := nameOf(task)
	if err != nil {
		return err
	}
	own := taskOption(func(c *taskConfig) error {
		if c.overlap != nil {
			s.queue = *c.overlap == OverlapQueue
			c.overlap = nil
		}
		return fault(c.delayed != nil || c.limits != nil && !c.limits.deadline.IsZero(),
			"taskmanager: WithDelay, WithNotBefore and WithDeadline do not go with a task that runs over and over")
	})
	return s.m.prepare(s.ctx, &s.model, name, task, append(slices.Clip(opts), own), s)
}

// Stop ends the schedule: no further run becomes due. One that is outstanding goes on,
// and so does one that is being submitted at this moment.
func (s *Schedule) Stop() {
	s.mu.Lock()
	alarm, unlink := s.alarm, s.unlink
	s.over, s.next, s.alarm, s.unlink, s.missed = true, time.Time{}, nil, nil, 0
	s.mu.Unlock()
	s.m.delayed.Remove(alarm)
	s.m.schedules.Delete(s)
	if unlink != nil {
		unlink()
	}
}

// Next is when the next run is due, and zero if there is none.
func (s *Schedule) Next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// Skipped is how many runs were left out, because the one before them, or another task
// of the name, was outstanding. With OverlapSkip those times of a timetable do not count
// that went by while it was being asked.
func (s *Schedule) Skipped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skipped
}

// longestSleep is how long an alarm of a schedule waits at most. Timers go by the
// monotonic clock and timetables by that of the wall, which may be set meanwhile.
const longestSleep = time.Minute

// ask asks the timetable for the next time after another one. It is zero after an error.
func (s *Schedule) ask(after time.Time) (next time.Time, err error) {
	err = guarded(func() error { next = s.times.Next(after); return nil })
	if err == nil && !next.IsZero() && !next.After(after) {
		err = fmt.Errorf("it says that the next time after %v is %v", after, next)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("taskmanager: the timetable of %q: %w", s.model.name, err)
	}
	return next, nil
}

// plan sets the alarm for the next time, or ends the schedule if there is none and
// nothing more to do.
func (s *Schedule) plan(next time.Time, err error) error {
	s.mu.Lock()
	if s.over { // stopped meanwhile
		s.mu.Unlock()
		return nil
	}
	s.next, s.alarm = next, nil
	armed := s.armLocked()
	s.restAndUnlock(nil)
	return cmp.Or(err, armed)
}

// armLocked sets the alarm for the next run, if there is one. mu is held.
func (s *Schedule) armLocked() error {
	if s.over || s.next.IsZero() {
		return nil
	}
	s.alarm = s.m.delayed.Add(s.tick, min(time.Until(s.next), longestSleep))
	if s.alarm == nil {
		return ErrStopped
	}
	return nil
}

// tick is called when a run is due, or the alarm has slept for long enough.
func (s *Schedule) tick() {
	s.mu.Lock()
	at := s.next
	if s.over || time.Until(at) > 0 {
		err := s.armLocked()
		s.mu.Unlock()
		s.fail(err)
		return
	}
	s.mu.Unlock()
	if times, own := s.times.(every); own {
		now := time.Now()
		s.due(1 + times.count(at, now))
		s.fail(s.plan(times.Next(now), nil))
		return
	}
	// A timetable of somebody's may take its time. That must not hold up what else is
	// due at this moment.
	s.m.asking.Go(func() { s.come(at) })
}

// come has the run begin that is due at a time, and finds the next time. What has become
// due meanwhile is made up for, if that is the policy.
func (s *Schedule) come(at time.Time) {
	for s.due(1) {
		if now := time.Now(); !s.queue && now.After(at) {
			at = now
		}
		next, err := s.ask(at)
		if !s.queue || err != nil || next.IsZero() || next.After(time.Now()) {
			s.fail(s.plan(next, err))
			return
		}
		at = next
	}
}

// due deals with so many runs that are due: it begins one, or leaves them out, or notes
// that they are to be made up for. It reports whether the schedule goes on.
func (s *Schedule) due(n int) bool {
	s.mu.Lock()
	busy := s.current != nil || s.starting
	switch {
	case s.over:
		s.mu.Unlock()
		return false
	case s.queue:
		s.missed += n
		if busy {
			break
		}
		s.missed--
		s.runAndUnlock()
		return true
	case busy:
		s.skipped += n
	default:
		s.skipped += n - 1
		s.runAndUnlock()
		return true
	}
	s.mu.Unlock()
	return true
}

// fail ends the schedule if the manager has ended, and tells of a timetable that has
// failed, and so has no further time.
func (s *Schedule) fail(err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrStopped):
		s.Stop()
	default:
		s.m.log.errorf("no more runs of task %q: %v", s.model.name, err)
	}
}

// runAndUnlock starts a run, and, if it has ended by then, one that is to be made up for, and so
// on. A run that fails to start does not take those others with it: they wait for the
// next time. mu is held; it lets go of it.
func (s *Schedule) runAndUnlock() {
	for {
		h := &Handle{m: s.m, name: s.model.name, task: s.model.task, cfg: s.model.cfg.clone(), state: admitting}
		h.firstCtx.Init(s.ctx, (*owner)(h))
		s.current, s.starting = h, true
		s.mu.Unlock()
		err := s.m.launch(s.ctx, h, beyond)
		s.mu.Lock()
		s.starting = false
		if err != nil {
			s.current = nil
			s.skipped++
		}
		if err != nil || s.current != nil || s.missed == 0 {
			s.restAndUnlock(err)
			return
		}
		s.missed--
	}
}

// restAndUnlock ends the schedule if nothing is to come, or the manager has stopped, and tells of
// a run that did not start. Without a further time, what is to be made up for is left
// out if nothing is under way. mu is held; it lets go of it.
func (s *Schedule) restAndUnlock(err error) {
	last := s.current == nil && !s.starting && s.next.IsZero()
	s.mu.Unlock()
	if last || errors.Is(err, ErrStopped) {
		s.Stop()
	}
	if err != nil && !errors.Is(err, ErrStopped) {
		s.m.log.errorf("a run of task %q is left out: %v", s.model.name, err)
	}
}

// ended is called by the manager when a run has ended. Whoever is starting it will see.
func (s *Schedule) ended(h *Handle, _ error) {
	s.mu.Lock()
	if s.current != h {
		s.mu.Unlock()
		return
	}
	s.current = nil
	switch {
	case s.starting:
		s.mu.Unlock()
	case s.missed > 0:
		s.missed--
		s.runAndUnlock()
	default:
		s.restAndUnlock(nil)
	}
}

// clone is a configuration for another task with the same options.
func (c *taskConfig) clone() *taskConfig {
	other := *c
	if c.limits != nil {
		other.limits = &limits{timeout: c.limits.timeout, queueTimeout: c.limits.queueTimeout}
	}
	return &other
}
