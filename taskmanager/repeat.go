package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/text"
)

// Timetable determines when a repeated task runs; see [TaskManager.Repeat]. It must be safe
// for concurrent use.
//
// If Next panics, or returns a time that is not later than after, the schedule ends. The
// first call is made by Repeat, which returns the error; errors of later calls are logged.
//
// Next must not wait until the manager has stopped: [TaskManager.Stop] and
// [TaskManager.Drain] wait for Next to return.
//
// The times that the manager passes to Next are wall times in the local time zone. Those that
// come from [time.Now] also have a reading of the monotonic clock. A result that keeps it, such
// as after.Add(time.Hour), is a moment on the monotonic clock and does not follow the wall
// clock. Any other result, such as one of [time.Date], does; see [TaskManager.Repeat].
type Timetable interface {
	// Next returns the first time later than after, or the zero time if there is none.
	Next(after time.Time) time.Time
}

// Overlap determines what happens to a run that is due while the previous run is
// outstanding.
type Overlap uint8

// The overlap policies.
const (
	// OverlapSkip skips the run. It is the default.
	OverlapSkip Overlap = iota
	// OverlapQueue starts the run as soon as the previous run has ended. There is no limit
	// on the number of runs that are due and wait in this way. A run that fails to start is
	// skipped; the others then wait until the next run is due. Times that the wall clock
	// jumps over are not due; see [TaskManager.Repeat].
	OverlapQueue

	overlaps // the number of policies
)

// WithOverlap sets what happens to a run of [TaskManager.Every] or [TaskManager.Repeat]
// that is due while the previous run is outstanding. The default is [OverlapSkip]. Other
// submits refuse this option.
func WithOverlap(o Overlap) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.overlap = &o
		return fault(o >= overlaps, "taskmanager: WithOverlap: unknown policy %d; use OverlapSkip or OverlapQueue", o)
	})
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

// Repeat runs a task at the times of a timetable. The schedule ends when ctx ends, when
// [Schedule.Stop] is called, when the manager is stopped or drained, or when the timetable
// has no further time.
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
// Repeat returns [ErrStopped], [ErrNilTask], [ErrEmptyName], [ErrNilContext], the cause of
// a ctx that has ended, or an error about the options or the timetable. [WithDelay],
// [WithNotBefore] and [WithDeadline] are not allowed.
func (m *TaskManager) Repeat(ctx context.Context, times Timetable, task Task, opts ...TaskOption) (*Schedule, error) {
	if times == nil {
		return nil, errors.New("taskmanager: Repeat: nil timetable; Every makes one, and adapters/cron")
	}
	_, fixed := times.(every)
	s := &Schedule{m: m, ctx: ctx, times: times, fixed: fixed}
	if err := s.init(task, opts); err != nil {
		return nil, err
	}
	m.schedules.Store(s, nil) // before the link, whose end deletes it again
	link := m.links.join(ctx, s)
	s.mu.Lock()
	s.link = link
	s.mu.Unlock()
	var err error
	if m.names.Closed() {
		err = ErrStopped
	} else {
		err = s.begin()
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Schedule is a task that runs repeatedly. [TaskManager.Every] and [TaskManager.Repeat]
// make one. It is safe for concurrent use.
type Schedule struct {
	m     *TaskManager
	queue bool // the policy is OverlapQueue
	fixed bool // the timetable is that of Every

	mu       sync.Mutex      // guards the rest
	ctx      context.Context // as times and the task of model, nil once no run can follow
	times    Timetable
	model    Handle    // the template of the runs; never submitted
	next     time.Time // when the next run is due, as its timetable says; zero: never
	moment   time.Time // when that is on the monotonic clock, unless the wall clock is set
	alarm    *alarm    // calls tick
	link     *link     // to ctx; nil: ctx cannot end, or the schedule is over
	current  *Handle   // the outstanding run
	starting bool      // the submit of current has not returned
	missed   int       // runs that are due and wait for the current one (OverlapQueue)
	skipped  int       // the result of Skipped
	over     bool      // the schedule has ended
}

// init reads the name and the options, which are the same for all runs, into the model.
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
		if c.unique {
			return errors.New("taskmanager: WithUniqueName is not allowed for a task that runs periodically: its one name keeps the runs from overlapping; leave the option out")
		}
		return fault(c.delayed != nil || c.limits != nil && !c.limits.deadline.IsZero(),
			"taskmanager: WithDelay, WithNotBefore and WithDeadline are not allowed for a task that runs periodically")
	})
	s.model.init(s.m, name, task)
	return s.m.prepare(s.ctx, &s.model, append(slices.Clip(opts), own), s)
}

// Stop ends the schedule: no further run becomes due. An outstanding run continues, as does
// a run that is being submitted at this moment. Stop does not wait and may be called
// repeatedly.
func (s *Schedule) Stop() {
	s.mu.Lock()
	alarm, link := s.alarm, s.link
	s.over, s.next, s.alarm, s.link, s.missed = true, time.Time{}, nil, nil, 0
	if s.current == nil && !s.starting { // otherwise the end of the run calls Stop again
		s.ctx, s.times, s.model.task, s.model.cfg = nil, nil, nil, nil
		s.model.firstCtx.Forget()
	}
	s.mu.Unlock()
	s.m.delayed.Remove(alarm)
	s.m.schedules.Delete(s)
	s.m.links.leave(s, link)
}

// heed ends the schedule if its context has ended, before a run starts that should not. The
// goroutine that the end of the context starts may come later.
func (s *Schedule) heed() {
	s.mu.Lock()
	ctx := s.ctx
	s.mu.Unlock()
	if ctx != nil && ctx.Err() != nil {
		s.Stop()
	}
}

// Next returns the time at which the next run is due, or the zero time if there is none.
func (s *Schedule) Next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.next.IsZero() && (s.fixed || clock.Monotonic(s.next)) {
		return clock.Wall(s.moment)
	}
	return s.next
}

// Skipped returns the number of runs that were skipped because the previous run, or another
// task with the same name, was outstanding. It does not count times that the wall clock jumped
// over. With [OverlapSkip] it does not count the times of a [Timetable] that passed while the
// timetable computed its next time either.
func (s *Schedule) Skipped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skipped
}

// longestSleep limits how long an alarm of a schedule that follows the wall clock sleeps before
// it reads that clock again. Timers use the monotonic clock.
const longestSleep = time.Minute

// clockStep is the smallest change of the wall clock that is a step. A smaller one only moves
// the next run.
const clockStep = time.Second

// ask returns the first time of the timetable after the given one. With an error the time
// is zero.
func (s *Schedule) ask(after time.Time) (next time.Time, err error) {
	s.mu.Lock()
	times := s.times
	s.mu.Unlock()
	if times == nil {
		return time.Time{}, nil
	}
	shard, place := s.m.calls.begin(userCall{what: timetableCall, task: s.model.name})
	err = guarded(func() error { next = times.Next(after); return nil })
	shard.end(place)
	if err == nil && !next.IsZero() && !next.After(after) {
		err = fmt.Errorf("its Next(%v) returned %v, which is not later", after, next)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("taskmanager: the timetable of %q: %w", s.model.name, err)
	}
	return next, nil
}

// begin plans the first run after the present time, on the clock of the timetable.
func (s *Schedule) begin() error {
	if s.fixed {
		next, err := s.ask(time.Now())
		return s.plan(next, next, err)
	}
	next, err := s.ask(clock.Now())
	return s.plan(next, clock.Pin(next), err)
}

// plan sets the alarm for the next run, which is due at the given moment. It ends the schedule
// if there is no next run and nothing is outstanding. It returns err, the error of ask.
func (s *Schedule) plan(next, moment time.Time, err error) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	s.next, s.moment, s.alarm = next, moment, nil
	armed := s.armLocked()
	s.restAndUnlock(nil)
	return cmp.Or(err, armed)
}

// armLocked sets the alarm for the next run, if there is one. Schedules that read the wall clock
// again do so together, so that they wake the process only once. s.mu must be held.
func (s *Schedule) armLocked() error {
	if s.over || s.next.IsZero() {
		return nil
	}
	left, _ := s.leftLocked()
	if !s.fixed && !clock.Monotonic(s.next) {
		left = min(left, longestSleep-s.m.now()%longestSleep)
	}
	s.alarm = s.m.delayed.Add(s.tick, left)
	if s.alarm == nil {
		return ErrStopped
	}
	return nil
}

// leftLocked returns the time until the next run is due, and by how much the wall clock was set
// forward since that was planned. s.mu must be held.
func (s *Schedule) leftLocked() (left, step time.Duration) {
	planned := time.Until(s.moment)
	if s.fixed {
		return planned, 0
	}
	left = s.next.Sub(clock.Now())
	return left, planned - left
}

// tick is called by the alarm: a run is due, or it is time to read the wall clock again. A
// user's timetable may be slow. On a goroutine of its own it does not delay the other alarms of
// the manager.
func (s *Schedule) tick() {
	s.mu.Lock()
	next, moment, times := s.next, s.moment, s.times
	left, step := s.leftLocked()
	stepped := step >= clockStep || step <= -clockStep
	if s.over || left > 0 && !stepped {
		err := s.armLocked()
		s.mu.Unlock()
		s.fail(err)
		return
	}
	s.mu.Unlock()
	switch {
	case s.fixed:
		now := time.Now()
		period := times.(every)
		s.due(1 + period.count(next, now))
		next = period.Next(now)
		s.fail(s.plan(next, next, nil))
	case stepped:
		s.m.shutdown.background.Go(func() { s.follow(left <= 0) })
	default:
		s.m.shutdown.background.Go(func() { s.come(next, moment) })
	}
}

// follow plans anew after the wall clock was set. If it has jumped over the time of the next
// run, follow starts that run, and skips the others.
func (s *Schedule) follow(passed bool) {
	if !passed || s.due(1) {
		s.fail(s.begin())
	}
}

// come starts the run that is due at the given time, which was planned for the given moment, and
// plans the next one. Times that have passed since, for example while the timetable was asked, are
// skipped or, with OverlapQueue, handled in the same way. Which these are does not depend on
// the wall clock: they follow from the moment.
func (s *Schedule) come(at, moment time.Time) {
	for s.due(1) {
		if late := time.Since(moment); !s.queue && late > 0 {
			at, moment = at.Add(late), moment.Add(late)
		}
		next, err := s.ask(at)
		moment = moment.Add(next.Sub(at))
		if !s.queue || err != nil || next.IsZero() || time.Until(moment) > 0 {
			s.fail(s.plan(next, s.settle(next, moment), err))
			return
		}
		at = next
	}
}

// settle returns the moment of the next run, which was computed from that of the run before: as
// it is if the wall clock was set since, so that tick notices that, and otherwise exactly.
func (s *Schedule) settle(next, moment time.Time) time.Time {
	pinned := clock.Pin(next)
	if d := pinned.Sub(moment); d <= -clockStep || d >= clockStep {
		return moment
	}
	return pinned
}

// due handles n runs that are due: it starts one of them and skips or queues the others,
// or, if a run is outstanding, skips or queues all. It returns false if the schedule has
// ended.
func (s *Schedule) due(n int) bool {
	s.heed()
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

// fail ends the schedule if err says that the manager has stopped, and logs other errors.
// Those come from the timetable; plan has ended the schedule then, or will when the last
// run has ended.
func (s *Schedule) fail(err error) {
	switch {
	case err == nil:
	case exactly(err, ErrStopped):
		s.Stop()
	default:
		s.log("no more runs", "no more runs of task %v: %v", err)
	}
}

// log logs an error of the schedule.
func (s *Schedule) log(message, format string, err error) {
	s.m.log.write(event{
		level: slog.LevelError, message: message,
		attrs:  append(errorAttrs(err), slog.String("task", text.Clean(s.model.name, text.NameLimit))),
		format: format, args: []any{quoted(s.model.name), details{err}},
	})
}

// runAndUnlock starts a run. If the run has already ended when its submit returns, it
// starts the next queued one, and so on. If a run fails to start, the queued ones wait
// until the next run is due, since they would probably fail too. s.mu must be held.
func (s *Schedule) runAndUnlock() {
	for {
		h := &Handle{m: s.m, name: s.model.name, task: s.model.task, cfg: s.model.cfg.clone()}
		h.word.Init(admitting, true)
		h.firstCtx.Init(originOf(s.ctx))
		s.current, s.starting = h, true
		ctx := s.ctx
		s.mu.Unlock()
		err := s.m.launch(ctx, h, beyond)
		s.heed()
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

// restAndUnlock ends the schedule if the manager has stopped, or if no run is outstanding
// and none will become due; runs that are still queued are then skipped. A non-nil err is
// the error of a run that did not start; it is logged. s.mu must be held.
func (s *Schedule) restAndUnlock(err error) {
	last := s.current == nil && !s.starting && s.next.IsZero()
	s.mu.Unlock()
	if last || exactly(err, ErrStopped) {
		s.Stop()
	}
	if err != nil && !exactly(err, ErrStopped) {
		s.log("a run is skipped", "a run of task %v is skipped: %v", err)
	}
}

// ended implements watcher: the manager calls it when a run has ended. If the submit of the
// run has not returned, runAndUnlock starts the next run.
func (s *Schedule) ended(h *Handle, _ error) {
	s.heed()
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

// clone returns the configuration of another task with the same options.
func (c *taskConfig) clone() *taskConfig {
	other := *c
	if c.limits != nil {
		other.limits = &limits{timeout: c.limits.timeout, queueTimeout: c.limits.queueTimeout}
	}
	return &other
}
