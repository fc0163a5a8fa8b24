package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/text"
)

// Schedule is a task that runs repeatedly. [TaskManager.Every] and [TaskManager.Repeat]
// make one, and [TaskManager.Schedules] lists them. It is safe for concurrent use.
type Schedule struct {
	// Constant once Repeat has returned.
	m       *TaskManager
	text    string // the result of String
	number  uint64 // of schedules of the process, in the order of their making
	fixed   bool   // the timetable is that of Every
	overlap Overlap
	atStart bool
	jitter  time.Duration // the bound; 0: none
	until   time.Time     // zero: no end; with fixed a moment, otherwise a wall time

	mu       sync.Mutex      // guards the rest
	ctx      context.Context // as times and the task of model, nil once no run can follow
	times    Timetable
	model    Handle  // the template of the runs; never submitted
	next     turn    // the next run; zero: none
	alarm    *alarm  // calls tick
	link     *link   // to ctx; nil: ctx cannot end, or the schedule is over
	current  *Handle // the outstanding run
	starting int     // runs whose submits have not returned; the current one, or runs that have ended
	missed   int     // runs that are due and wait for the current one, or for Resume; at most left
	left     int     // runs that may yet start, without those of RunNow; unlimited: any number
	skipped  int     // the result of Skipped
	last     *Record // of the run that ended last; its times are moments
	listed   bool    // Repeat succeeds
	paused   bool
	over     bool // the schedule has ended
}

// newSchedule returns a schedule that has not begun.
func newSchedule(ctx context.Context, m *TaskManager, times Timetable) *Schedule {
	_, fixed := times.(every)
	return &Schedule{m: m, number: schedulesMade.Add(1), ctx: ctx, times: times, fixed: fixed, left: unlimited}
}

// schedulesMade orders the schedules of one name.
var schedulesMade atomic.Uint64

// init reads the name and the options, which are the same for all runs, into the model.
func (s *Schedule) init(task Task, opts []TaskOption) error {
	name, err := nameOf(task)
	if err != nil {
		return err
	}
	own := taskOption(func(c *taskConfig) error {
		return errors.Join(
			s.take(c),
			fault(c.unique, "taskmanager: WithUniqueName is not allowed for a task that runs periodically: "+
				"its one name keeps the runs from overlapping; leave the option out"),
			fault(c.inherits, "taskmanager: WithInherit is not allowed for a task that runs periodically, since it outlives the task that submits it"),
			fault(c.delayed != nil || c.limits != nil && !c.limits.deadline.IsZero(),
				"taskmanager: WithDelay, WithNotBefore and WithDeadline are not allowed for a task that runs periodically"),
		)
	})
	s.model.init(s.m, name, task)
	return s.m.prepare(s.ctx, &s.model, append(slices.Clip(opts), own), s)
}

// timetableText returns the text of a timetable: the result of its String method or, if it has none,
// or one that panics or returns nothing, its type.
func (m *TaskManager) timetableText(times Timetable, name string) string {
	described := ""
	if v, ok := times.(fmt.Stringer); ok {
		shard, place := m.calls.begin(userCall{what: timetableCall, task: name})
		_ = guarded(func() error { described = v.String(); return nil })
		shard.end(place)
	}
	return text.Clean(cmp.Or(described, fmt.Sprintf("%T", times)), text.NameLimit)
}

// Schedules returns an iterator over the schedules that have not ended, ordered by name, and
// those of the same name by age. A schedule has ended when no run is outstanding and none can
// follow. Schedules takes no lock during the iteration, so the body of the loop may call the
// manager; what changes meanwhile may or may not be seen.
func (m *TaskManager) Schedules() iter.Seq[*Schedule] {
	return func(yield func(*Schedule) bool) {
		var list []*Schedule
		m.schedules.Range(func(k, _ any) bool {
			if s := k.(*Schedule); s.live() {
				list = append(list, s)
			}
			return true
		})
		slices.SortFunc(list, func(a, b *Schedule) int {
			return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.number, b.number))
		})
		for _, s := range list {
			if !yield(s) {
				return
			}
		}
	}
}

// live reports whether Repeat has succeeded and the schedule has not ended.
func (s *Schedule) live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed && !s.over
}

// Name returns the name of the task.
func (s *Schedule) Name() string { return s.model.name }

// String returns the timetable as text: "every 10m0s" for [TaskManager.Every], the expression
// for a timetable of adapters/cron, and otherwise what the String method of the [Timetable]
// returned at the call of [TaskManager.Repeat]. If it has no such method, or one that panicked,
// the text is its type. It is valid UTF-8 of at most 256 bytes.
func (s *Schedule) String() string { return s.text }

// Stop ends the schedule: no further run becomes due. An outstanding run continues, as does
// a run that is being submitted at this moment. Runs that are due and wait do not
// start. Stop does not wait and may be called repeatedly.
func (s *Schedule) Stop() {
	s.mu.Lock()
	s.stopAndUnlock()
}

// stopAndUnlock ends the schedule. s.mu must be held.
func (s *Schedule) stopAndUnlock() {
	alarm, link := s.alarm, s.link
	s.over, s.next, s.alarm, s.link, s.missed = true, turn{}, nil, nil, 0
	if !s.busyLocked() { // otherwise the end of the run calls Stop again
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

// Next returns the time at which the next run is due, or the zero time if there is none. It
// includes the delay of [WithJitter]. Next returns that time also during [Schedule.Pause].
func (s *Schedule) Next() time.Time {
	s.mu.Lock()
	next := s.next
	s.mu.Unlock()
	if next.at.IsZero() {
		return time.Time{}
	}
	return s.display(next.at, next.moment).Add(next.jitter)
}

// display returns a time of the timetable, which is due at the given moment, as a time on the
// wall clock.
func (s *Schedule) display(at, moment time.Time) time.Time {
	if s.fixed || clock.Monotonic(at) {
		return clock.Wall(moment)
	}
	return at
}

// mostUpcoming is the largest number of times that Upcoming returns.
const mostUpcoming = 1000

// Upcoming returns the times of the next n runs, or fewer if the schedule ends before, and at
// most 1000. It asks the timetable for them, on the calling goroutine and without a lock held;
// if the timetable fails, the list ends there. The times observe [WithUntil] and [WithRuns].
// They do not include the delays of [WithJitter], so the first one may have passed, nor runs that
// are due and wait. During [Schedule.Pause] they are the times at which runs would be due after
// [Schedule.Resume].
func (s *Schedule) Upcoming(n int) []time.Time {
	s.mu.Lock()
	next, left := s.next, s.left-s.missed
	s.mu.Unlock()
	n = min(n, left, mostUpcoming)
	if n <= 0 || next.at.IsZero() {
		return nil
	}
	at, moment := next.at, next.moment
	list := []time.Time{s.display(at, moment)}
	for len(list) < n {
		following, err := s.ask(at)
		if err != nil || following.IsZero() {
			break
		}
		at, moment = following, moment.Add(following.Sub(at))
		list = append(list, s.display(at, moment))
	}
	return list
}

// Skipped returns the number of runs that were skipped because the previous run, or another
// task with the same name, was outstanding, because [OverlapCoalesce] made up for them with another
// run, or because of [Schedule.Pause]. It does not count times that the wall clock jumped
// over, nor runs that were due and waited when the schedule ended. Except with [OverlapQueue] it
// does not count the times of a [Timetable] that passed while the timetable computed its next
// time either.
func (s *Schedule) Skipped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skipped
}

// LastRun returns the record of the run that ended last, with its error; ok is false if none has.
// It does not need [WithHistory], and remains after the end of the schedule. The manager asks a
// [TaskWithProgress] for its final progress and description at the end of each run, as WithHistory
// says.
func (s *Schedule) LastRun() (last Record, ok bool) {
	s.mu.Lock()
	r := s.last
	s.mu.Unlock()
	if r == nil {
		return Record{}, false
	}
	return r.displayed(), true
}

// keep keeps the record of a run that ends.
func (s *Schedule) keep(r Record) {
	r.EndedAt = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = &r
}

// schedule returns the schedule of which the task is a run, or nil.
func (h *Handle) schedule() *Schedule {
	if h.cfg == nil {
		return nil
	}
	h.word.Lock()
	defer h.word.Unlock()
	s, _ := h.cfg.watcher.(*Schedule)
	return s
}

// Pause holds the schedule until [Schedule.Resume]: no run becomes due. The times of the
// timetable that pass meanwhile are skipped. An outstanding run continues. Runs that are due and
// wait because of [OverlapQueue] or [OverlapCoalesce] are kept, and start after Resume. The
// schedule may end during a pause, as it may otherwise, but not while it keeps such runs. Pause
// has no effect on a schedule that is paused or has ended.
func (s *Schedule) Pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = !s.over
}

// Resume ends a pause. The schedule continues with the next time of the timetable. If runs are
// due and wait, the first of them starts at once, unless a run is outstanding. Without a pause,
// Resume does nothing.
func (s *Schedule) Resume() {
	s.heed()
	s.mu.Lock()
	if !s.paused {
		s.mu.Unlock()
		return
	}
	s.paused = false
	if !s.busyLocked() && s.takeLocked() {
		s.runAndUnlock()
		return
	}
	s.mu.Unlock()
}

// Paused reports whether the schedule is paused: [Schedule.Pause] was called, and since then
// neither has [Schedule.Resume] been called nor has the schedule ended.
func (s *Schedule) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused && !s.over
}

// RunNow starts a run at once, in addition to those of the timetable, and returns its handle. It
// is queued like the other runs, even beyond the limit of the manager. It does not count for
// [WithRuns], and may be called during [Schedule.Pause]. The run is outstanding like any other,
// so the overlap policy decides about runs that become due before it ends.
//
// If a run is outstanding, or another task has the name, RunNow returns [ErrAlreadyExists]; the
// overlap policy does not apply to it. The other errors are [ErrScheduleEnded] and [ErrStopped].
func (s *Schedule) RunNow() (*Handle, error) {
	s.heed()
	s.mu.Lock()
	switch {
	case s.over || s.current == nil && s.left == 0: // the last run has ended, perhaps before its submit has returned
		s.mu.Unlock()
		if s.m.names.Closed() {
			return nil, ErrStopped
		}
		return nil, fmt.Errorf("%w: %q", ErrScheduleEnded, s.model.name)
	case s.current != nil: // a run that has ended is no reason to refuse, even if its submit has not returned
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: %q", ErrAlreadyExists, s.model.name)
	}
	h, err := s.submitLocked()
	switch {
	case err != nil:
		s.restAndUnlock(onlyStopped(err))
		return nil, err
	case s.current == nil && s.takeLocked():
		s.runAndUnlock()
	default:
		s.restAndUnlock(nil)
	}
	return h, nil
}

// onlyStopped returns ErrStopped if err is that, and otherwise nil.
func onlyStopped(err error) error {
	if exactly(err, ErrStopped) {
		return err
	}
	return nil
}
