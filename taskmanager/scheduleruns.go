package taskmanager

import (
	"log/slog"

	"github.com/seed56799101/taskmanager/internal/text"
)

// due handles n runs that are due: it starts one of them and skips or keeps the others,
// or, if a run is outstanding, skips or keeps all. It returns false if no further run can
// start.
func (s *Schedule) due(n int) bool {
	s.heed()
	s.mu.Lock()
	switch {
	case s.over || s.spentLocked():
		s.mu.Unlock()
		return false
	case s.paused:
		s.skipped += n
	case s.busyLocked():
		s.waitLocked(n, 0)
	default:
		s.waitLocked(n, 1)
		s.runAndUnlock()
		return true
	}
	s.mu.Unlock()
	return true
}

// busyLocked reports whether a run is outstanding, or the submit of one has not returned. s.mu must be
// held.
func (s *Schedule) busyLocked() bool { return s.current != nil || s.starting > 0 }

// spentLocked reports whether all runs that WithRuns allows have started. s.mu must be held.
func (s *Schedule) spentLocked() bool { return s.left == 0 && s.starting == 0 }

// waitLocked adds n runs that are due to those that wait, of which start, 0 or 1, starts now. It
// skips those that the overlap policy does not keep, and those that WithRuns does not let start.
// With OverlapCoalesce the run that starts makes up for the others. s.mu must be held.
func (s *Schedule) waitLocked(n, start int) {
	due, kept := s.missed+n-start, 0
	switch {
	case s.overlap == OverlapQueue:
		kept = min(due, s.left-start)
	case s.overlap == OverlapCoalesce && start == 0:
		kept = min(due, s.left, 1)
	}
	s.missed, s.skipped = kept, s.skipped+due-kept
}

// takeLocked takes one of the runs that are due and wait, to start it, unless the schedule is
// paused. s.mu must be held.
func (s *Schedule) takeLocked() bool {
	if s.missed == 0 || s.paused {
		return false
	}
	s.missed--
	return true
}

// runAndUnlock starts a run. If the run has already ended when its submit returns, it
// starts the next one that waits, and so on. If a run fails to start, the others wait
// until the next run is due, since they would probably fail too. s.mu must be held.
func (s *Schedule) runAndUnlock() {
	for {
		s.left--
		_, err := s.submitLocked()
		if err != nil {
			s.left++
			if !exactly(err, ErrStopped) { // otherwise the schedule ends, and skips nothing
				s.skipped++
			}
			s.restAndUnlock(err)
			return
		}
		if s.left == 0 { // that was the last one
			s.m.delayed.Remove(s.alarm)
			s.next, s.alarm = turn{}, nil
		}
		if s.current != nil || !s.takeLocked() {
			s.restAndUnlock(nil)
			return
		}
	}
}

// submitLocked submits a run. s.mu must be held; it is not during the submit.
func (s *Schedule) submitLocked() (*Handle, error) {
	h := &Handle{m: s.m, name: s.model.name, task: s.model.task, cfg: s.model.cfg.clone()}
	h.word.Init(admitting, true)
	h.firstCtx.Init(originOf(s.ctx))
	s.current = h
	s.starting++
	ctx := s.ctx
	s.mu.Unlock()
	err := s.m.launch(ctx, h, beyond)
	s.heed()
	s.mu.Lock()
	s.starting--
	if err != nil && s.current == h { // RunNow may have started another run since this one was refused
		s.current = nil
	}
	return h, err
}

// restAndUnlock ends the schedule if the manager has stopped, or if no run is outstanding and
// no further one becomes due, unless runs wait for Resume. A non-nil err is the error of a run
// that did not start; it is logged. s.mu must be held.
func (s *Schedule) restAndUnlock(err error) {
	kept := s.paused && s.missed > 0 // until Resume
	last := !s.busyLocked() && s.next.at.IsZero() && !kept
	if last || exactly(err, ErrStopped) {
		s.stopAndUnlock()
	} else {
		s.mu.Unlock()
	}
	if err != nil && !exactly(err, ErrStopped) {
		s.log("a run is skipped", "a run of task %v is skipped: %v", err)
	}
}

// ended implements watcher: the manager calls it when a run has ended. If the submit of the
// run has not returned, runAndUnlock starts the next run.
func (s *Schedule) ended(h *Handle, _ error, _ acceptance) {
	s.heed()
	s.mu.Lock()
	if s.current != h {
		s.mu.Unlock()
		return
	}
	s.current = nil
	switch {
	case s.starting > 0:
		s.mu.Unlock()
	case s.takeLocked():
		s.runAndUnlock()
	default:
		s.restAndUnlock(nil)
	}
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

// clone returns the configuration of another task with the same options.
func (c *taskConfig) clone() *taskConfig {
	other := *c
	if c.limits != nil {
		other.limits = &limits{timeout: c.limits.timeout, queueTimeout: c.limits.queueTimeout}
	}
	return &other
}
