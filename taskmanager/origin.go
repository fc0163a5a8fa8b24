package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// WithOrigin submits a task that is kept elsewhere between its executions: by a store or a queue
// that several processes share. s is its history there; the zero State is that of a task that has
// never run. The number of the execution, and what the restart policy learns, continue from s.
//
// The task does not wait here to run again. Where it would restart, or has returned [NotYet], it
// ends with a [*HandedOver] instead, which holds the history to store, and for how long the next
// execution has to wait. All other ends are final, except that a program may well give back a task
// that ended with [ErrStopped], with the history that it had.
//
// The submit makes no span and is not counted, since the program that stored the task has done
// that. The executions are children of the span that is current in the context of the submit, and
// that may come from another process; see also [observe.ContextWithPrevious]. A hand-over is no restart in
// telemetry, and no failure of the task; its outcome is handed_over. For [restart.Budget], a hand-over counts
// as a restart.
//
// WithOrigin is an option of Submit, SubmitFunc and Async, and of TrySubmit, TrySubmitFunc and TryAsync.
// Since only the keeper of the task can delay it, [WithDelay] and [WithNotBefore] are not allowed with it.
// A history whose numbers or times no task can have is refused, see [restart.State.Validate].
//
// The program taskmanager/examples/store shows an adapter to a store from end to end.
func WithOrigin(s restart.State) TaskOption {
	s.Recent = slices.Clone(s.Recent)
	return taskOption(func(c *taskConfig) error {
		c.origin = &s
		if err := s.Validate(); err != nil {
			return fmt.Errorf("taskmanager: WithOrigin: %w", err)
		}
		return nil
	})
}

// originFault returns an error if a task with the given watcher, which may be nil, cannot have an
// origin and has one.
func (c *taskConfig) originFault(w watcher) error {
	if c.origin == nil {
		return nil
	}
	return errors.Join(
		fault(c.delayed != nil, "taskmanager: WithDelay and WithNotBefore are not allowed with WithOrigin; submit the task when it is due"),
		fault(w != nil, "taskmanager: WithOrigin is not allowed for tasks of groups, batches and schedules; submit the task itself"),
		fault(c.taken != refuseDuplicate, "taskmanager: WithOrigin and %s exclude each other: the store decides which task has the name", duplicateNames[c.taken]),
	)
}

// batchOriginFault returns the error for an origin of the tasks of a batch.
func (c *taskConfig) batchOriginFault() error {
	return fault(c != nil && c.origin != nil, "WithOrigin is not allowed, as tasks do not share a history; submit the tasks one by one")
}

// HandedOver is the error of a task that was submitted with [WithOrigin] and is to run again. It
// wraps the failure; after [NotYet] there is none.
type HandedOver struct {
	// State is the history of the task, with the execution that has just ended. Its Delay says
	// when the task is to run again.
	State restart.State

	err error // the failure; nil after NotYet
}

// Error returns the number of the execution, the delay and the failure.
func (e *HandedOver) Error() string {
	s := fmt.Sprintf("taskmanager: handed over after execution %d, to run again in %v", e.State.Attempts, e.State.Delay)
	if e.err != nil {
		s += ": " + bare(e.err).Error()
	}
	return s
}

// Unwrap returns the failure, or nil after [NotYet].
func (e *HandedOver) Unwrap() error { return e.err }

// resumeLocked gives a task that is being submitted the history that it has elsewhere. The lock of
// h is held.
func (h *Handle) resumeLocked() {
	o := h.cfg.origin
	since := func(t time.Time) time.Duration { return clock.Pin(t).Sub(h.m.epoch) }
	if !o.QueuedAt.IsZero() {
		h.queuedAt = min(h.queuedAt, since(o.QueuedAt))
	}
	if o.Attempts == 0 {
		return
	}
	r := &retry{elsewhere: o.Attempts, streak: o.Row, previous: o.Previous}
	if o.LastError != "" {
		r.lastErr = errors.New(o.LastError)
	}
	for _, t := range o.Recent {
		r.recent = append(r.recent, since(t))
	}
	slices.Sort(r.recent) // clocks differ between machines
	h.inTroubleLocked().retry = r
}

// handsOver reports whether the task ends here when it is to run again. Only the owner of its
// state calls it.
func (h *Handle) handsOver() bool { return h.cfg != nil && h.cfg.origin != nil }

// handOver ends a task that is to run again after wait, and not here. After NotYet failure is nil
// and row is 0. The context of the last execution has been released.
func (m *TaskManager) handOver(h *Handle, last taskContext, wait time.Duration, row int, failure error) {
	again := &HandedOver{err: failure}
	if failure != nil {
		again.State.LastError = text.Clean(failure.Error(), text.ErrorLimit)
	}
	h.word.Lock()
	if h.endsLocked() {
		h.word.Unlock()
		m.end(h, h.cancelledErr(failure))
		return
	}
	h.inTroubleLocked().how = outcomeHandedOver
	h.noteStateLocked(&again.State, wait, row)
	h.word.Unlock()
	if failure == nil {
		m.notYets.Add(1)
	} else {
		m.revived.Add(1)
	}
	log := m.logFor(h, last)
	m.end(h, again)
	if failure == nil {
		return
	}
	log.write(event{
		level: slog.LevelInfo, message: "task is handed over",
		attrs:  append(errorAttrs(failure), slog.Duration("delay", wait), slog.Int("failures", row)),
		format: "task %v is handed over, to restart in %v after failure %d in a row: %v", args: []any{quoted(h.name), wait, row, details{failure}},
	})
}

// noteStateLocked completes the history of a task whose last execution has just ended. row is 0
// if that was a NotYet, which changes little. The lock of h is held.
func (h *Handle) noteStateLocked(s *restart.State, wait time.Duration, row int) {
	due := after(h.m.now(), wait)
	s.Attempts, s.Delay, s.QueuedAt = h.attemptLocked(), wait, h.m.wall(due)
	var recent []time.Duration
	if r := h.retryLocked(); r != nil {
		s.Row, s.Previous, recent = r.streak, r.previous, r.recent
		if s.LastError == "" && r.lastErr != nil {
			s.LastError = r.lastErr.Error() // the text of an origin
		}
	}
	if row > 0 {
		s.Row, s.Previous = row, wait
		if h.rule().window > 0 {
			recent = append(recent, due)
		}
	}
	for _, t := range recent {
		s.Recent = append(s.Recent, h.m.wall(t))
	}
}

// WaitRoom waits until a task that is submitted now would find a worker, or be among the first
// ahead tasks that wait for one, and returns for how many tasks that holds. It is for programs that
// fetch tasks from a store that other processes share, and want no more than they can run. It
// reserves nothing: other goroutines may submit tasks meanwhile.
//
// Tasks that [LimitByKey] holds back count as waiting, and so do those whose submits wait for room.
// The limit of [WithLimit] bounds ahead. There is no room while the manager is paused, nor while tasks
// that are held back fill the limit, since a submit is not accepted then even if a worker is free.
//
// The errors are [ErrStopped] once Close, Drain or Stop has been called, [ErrNilContext], an error
// that wraps the reason why ctx ended, or one that says that ahead is negative. A task that calls
// WaitRoom lends its slot meanwhile, so the result includes the worker that runs the task itself; see
// [Blocking].
func (m *TaskManager) WaitRoom(ctx context.Context, ahead int) (n int, err error) {
	switch {
	case ctx == nil:
		return 0, ErrNilContext
	case ahead < 0:
		return 0, fmt.Errorf("taskmanager: WaitRoom: ahead is %d; it must be 0 or more", ahead)
	}
	back, _ := m.stepAside(ctx, nil) // without a dependency there is no error
	defer back()
	n, err = m.pool.WaitRoom(ctx, ahead)
	switch {
	case err == nil:
		return n, nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("taskmanager: wait for room: %w", bare(cause.Of(ctx)))
	}
	return 0, ErrStopped
}
