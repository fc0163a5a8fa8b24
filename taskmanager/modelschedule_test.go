package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// The schedule of the state machine. There is at most one at a time. TestScheduleEqualsItsModel covers
// timetables with all their options; here runs meet the queue, other tasks of their name, and the end of
// the manager.

// scheduleInterval is that of the schedule. No multiple of it is the sum of a few other durations.
const scheduleInterval = 8*time.Millisecond + 13*time.Microsecond

// scheduleName is the name of the runs. Other tasks may have it too.
const scheduleName = "tick"

// modelSchedule is a schedule and its model.
type modelSchedule struct {
	real    *taskmanager.Schedule
	like    *modelTask // has the attributes and the context of all runs, and executes them; it is no run itself
	overlap taskmanager.Overlap
	until   time.Time // zero: no end

	next    time.Time  // zero: none
	left    int        // runs that may yet start, without those of RunNow
	missed  int        // runs that are due and wait
	skipped int        // runs
	current *modelTask // the outstanding run; nil: none
	last    *modelTask // the run that ended last; nil: none
	paused  bool
	over    bool

	ended int          // runs
	told  atomic.Int32 // calls of the function of WithOnEnd
}

// schedule makes a schedule, or calls a method of the one that there is.
func (s *system) schedule(t *rapid.T) {
	s.tick()
	c := s.sched
	if c == nil || c.over && c.current == nil {
		s.newSchedule(t)
		return
	}
	switch rapid.SampledFrom([]string{"run", "run", "pause", "pause", "stop", "endCtx"}).Draw(t, "call") {
	case "run":
		s.runNow(t, c)
	case "pause":
		s.switchSchedule(c)
	case "stop":
		c.real.Stop()
		c.end()
	default:
		if c.current != nil && c.like.linked && s.outOfTurn(c.current) {
			t.Skip("the order would be random")
		}
		c.like.endCtx()
		synctest.Wait()
		c.end()
		if c.current != nil && c.like.linked {
			s.model.cancel(c.current, taskmanager.ErrCancelled)
		}
	}
}

// newSchedule makes a schedule of Every, or the same one of Repeat, which follows the wall clock.
func (s *system) newSchedule(t *rapid.T) {
	c := &modelSchedule{left: 1 << 30, overlap: rapid.SampledFrom(overlaps).Draw(t, "overlap")}
	opts := append(s.drawRun(t, c), taskmanager.WithOverlap(c.overlap))
	if runs := rapid.SampledFrom([]int{0, 0, 2, 4}).Draw(t, "runs"); runs > 0 {
		c.left = runs
		opts = append(opts, taskmanager.WithRuns(runs))
	}
	now := time.Now()
	if d := rapid.SampledFrom([]time.Duration{0, 0, 1, 2 * scheduleInterval, 4*scheduleInterval - 1}).Draw(t, "until"); d > 0 {
		c.until = now.Add(d)
		opts = append(opts, taskmanager.WithUntil(c.until))
	}
	atStart := rapid.Bool().Draw(t, "at start")
	if atStart {
		opts = append(opts, taskmanager.WithRunAtStart())
	}
	body := &task{name: scheduleName, execute: c.like.execute, restart: func(context.Context, error) bool { return c.like.restarts }}
	var err error
	if rapid.Bool().Draw(t, "Every") {
		c.real, err = s.m.Every(c.like.ctx, scheduleInterval, body, opts...)
	} else {
		times := plan{interval: scheduleInterval}.times(now.Round(0))
		c.real, err = s.m.Repeat(c.like.ctx, times, body, opts...)
	}
	if err != nil {
		t.Fatalf("a new schedule: %v", err)
	}
	synctest.Wait()
	if s.sched, c.next = c, now; atStart {
		s.comesDue(c)
		return
	}
	c.plan()
	c.rest()
}

// drawRun draws what all runs of a schedule have in common, and returns the options for it.
func (s *system) drawRun(t *rapid.T, c *modelSchedule) []taskmanager.TaskOption {
	x := draw(t, scheduleName)
	x.deadline = time.Time{}
	s.drawn++
	x.drawLimits(t, s.drawn)
	if s.needs {
		x.drawNeeds(t)
	}
	c.like = x
	return append(x.commonOptions(), taskmanager.WithOnEnd(func(*taskmanager.Handle) { c.told.Add(1) }))
}

// runNow calls RunNow.
func (s *system) runNow(t *rapid.T, c *modelSchedule) {
	h, err := c.real.RunNow()
	synctest.Wait()
	var want error
	switch {
	case c.over:
		want = taskmanager.ErrScheduleEnded
	case s.tasks[scheduleName] != nil:
		want = taskmanager.ErrAlreadyExists
	default:
		s.addRun(c)
		c.current.handle = h
		s.settle()
	}
	if !errors.Is(err, want) {
		t.Fatalf("RunNow returned %v, want %v", err, want)
	}
}

// switchSchedule pauses a schedule, or ends the pause, after which a run that waits starts.
func (s *system) switchSchedule(c *modelSchedule) {
	if !c.paused {
		c.real.Pause()
		c.paused = !c.over
		return
	}
	c.real.Resume()
	synctest.Wait()
	c.paused = false
	if c.current == nil && c.missed > 0 {
		c.missed--
		s.startRun(c)
		s.settle()
	}
}

// comesDue models a run that is due. If runs wait although none is outstanding, another task had the
// name when they were to start.
func (m *model) comesDue(c *modelSchedule) {
	switch {
	case c.paused:
		c.skipped++
	case c.current != nil:
		c.keep(c.missed+1, c.left)
	default:
		c.keep(c.missed, c.left-1)
		m.startRun(c)
	}
	c.plan()
	c.rest()
	m.settle()
}

// plan sets the time of the run after the one that was due.
func (c *modelSchedule) plan() {
	at := c.next.Add(scheduleInterval)
	if c.over || c.left == 0 || !c.until.IsZero() && at.After(c.until) {
		at = time.Time{}
	}
	c.next = at
}

// keep lets runs that are due wait, at most as many as may yet start, as far as the overlap policy keeps
// them, and skips the others.
func (c *modelSchedule) keep(due, left int) {
	kept := 0
	switch {
	case c.overlap == taskmanager.OverlapQueue:
		kept = min(due, left)
	case c.overlap == taskmanager.OverlapCoalesce && c.current != nil:
		kept = min(due, left, 1)
	}
	c.missed, c.skipped = kept, c.skipped+due-kept
}

// startRun starts a run, unless another task has the name.
func (m *model) startRun(c *modelSchedule) {
	if m.tasks[scheduleName] != nil {
		c.skipped++
		c.rest()
		return
	}
	if c.left--; c.left == 0 {
		c.next = time.Time{}
	}
	m.addRun(c)
}

// addRun queues a run, even beyond the limit.
func (m *model) addRun(c *modelSchedule) {
	like := c.like
	c.current = &modelTask{
		name: like.name, given: like.given, run: c, restarts: like.restarts, front: like.front,
		key: like.key, priority: like.priority, cost: like.cost, needs: like.needs,
		timeout: like.timeout, queueTimeout: like.queueTimeout,
		phase: taskmanager.NotAssigned, queuedAt: time.Now(), ctx: like.ctx, endCtx: like.endCtx,
		orders: like.orders, submitted: closedChannel,
	}
	m.admit([]*modelTask{c.current})
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// follows reports whether the end of a task starts a run that waits.
func (x *modelTask) follows() bool { return x.run != nil && x.run.missed > 0 && !x.run.paused }

// runEnded models what a schedule does at the end of a task, if that is a run.
func (m *model) runEnded(x *modelTask) {
	if x.run == nil {
		return
	}
	follows := x.follows()
	x.run.runEnded()
	if follows {
		x.run.missed--
		m.gap = m.gap || len(m.tasks) == 0
		m.slack++
		m.startRun(x.run)
	}
	x.run.rest()
}

// runEnded notes the end of the outstanding run.
func (c *modelSchedule) runEnded() {
	c.last, c.current = c.current, nil
	c.ended++
}

// rest ends the schedule if no run is outstanding and none can follow.
func (c *modelSchedule) rest() {
	if c.current == nil && c.next.IsZero() && (!c.paused || c.missed == 0) {
		c.end()
	}
}

func (c *modelSchedule) end() { c.over, c.next, c.missed = true, time.Time{}, 0 }

// scheduleStops models the end of the manager, for its schedule.
func (m *model) scheduleStops() {
	c := m.sched
	if c == nil {
		return
	}
	if c.current != nil {
		c.runEnded()
	}
	c.end()
}

// checkSchedule compares the schedule with its model.
func (s *system) checkSchedule(t *rapid.T) {
	c := s.sched
	if c == nil {
		return
	}
	live := slices.Equal(slices.Collect(s.m.Schedules()), []*taskmanager.Schedule{c.real})
	if live == c.over || c.real.Skipped() != c.skipped || c.real.Paused() != (c.paused && !c.over) || !c.real.Next().Equal(c.next) {
		t.Fatalf("the schedule is listed: %v, has skipped %d, is paused: %v, continues at %v; want %v, %d, %v, %v", live,
			c.real.Skipped(), c.real.Paused(), c.real.Next(), !c.over, c.skipped, c.paused && !c.over, c.next)
	}
	record, ok := c.real.LastRun()
	if ok != (c.last != nil) || ok && !c.last.endedAs(record.LastError) {
		t.Fatalf("the last run ended: %v, with %v; the model says %+v", ok, record.LastError, c.last)
	}
	if told := int(c.told.Load()); told != c.ended {
		t.Fatalf("the ends of %d runs were told, want %d", told, c.ended)
	}
}

// checkScheduleEnd checks that the manager, which has stopped, starts no run.
func (s *system) checkScheduleEnd(t *rapid.T) {
	if s.sched == nil {
		return
	}
	if h, err := s.sched.real.RunNow(); h != nil || !errors.Is(err, taskmanager.ErrStopped) {
		t.Fatalf("RunNow after Stop returned %v, %v, want ErrStopped", h, err)
	}
	if c, err := s.m.Every(context.Background(), scheduleInterval, &task{name: scheduleName}); c != nil || !errors.Is(err, taskmanager.ErrStopped) {
		t.Fatalf("Every after Stop returned %v, %v, want ErrStopped", c, err)
	}
}
