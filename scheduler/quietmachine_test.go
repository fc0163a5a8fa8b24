package scheduler_test

import (
	"errors"
	"slices"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler"
)

// quietCall is a call of WaitIdle or PauseWait.
type quietCall struct {
	pause bool
	done  chan error
	want  error // of a PauseWait whose pause has ended; nil: none has
	ended bool  // its state has come, or its pause has ended
}

// waitIdle starts a call of WaitIdle.
func (m *machine) waitIdle(*rapid.T) {
	c := &quietCall{done: make(chan error, 1)}
	m.quiet = append(m.quiet, c)
	go func() { c.done <- m.pool.WaitIdle(m.ctx) }()
	synctest.Wait()
}

// pauseWait starts a call of PauseWait.
func (m *machine) pauseWait(*rapid.T) {
	c := &quietCall{pause: true, done: make(chan error, 1)}
	m.quiet = append(m.quiet, c)
	go func() { c.done <- m.pool.PauseWait(m.ctx) }()
	synctest.Wait()
	m.model.paused = true
}

// endPause notes that the calls of PauseWait return an error.
func (m *machine) endPause(reason error) {
	for _, c := range m.quiet {
		if c.pause && !c.ended {
			c.ended, c.want = true, reason
		}
	}
}

// errAny stands for an error that is not exported.
var errAny = errors.New("an error")

// checkQuiet checks which calls of WaitIdle and PauseWait have returned.
func (m *machine) checkQuiet(t *rapid.T) {
	s := m.model.snapshot()
	running := s.Busy + s.Inline
	for _, c := range m.quiet {
		c.ended = c.ended || running == 0 && (c.pause || s.Queued+s.Blocked == 0)
		select {
		case err := <-c.done:
			if !c.ended || !errors.Is(err, c.want) && (err == nil || c.want != errAny) { //nolint:errorlint // the stand-in itself
				t.Fatalf("a wait (for a pause: %v) returned %v, want %v, with %d running and %d queued", c.pause, err, c.want, running, s.Queued)
			}
			c.done = nil
		default:
			if c.ended {
				t.Fatalf("a wait (for a pause: %v) has not returned, want %v, with %d running and %d queued", c.pause, c.want, running, s.Queued)
			}
		}
	}
	m.quiet = slices.DeleteFunc(m.quiet, func(c *quietCall) bool { return c.done == nil })
}

// checkQuietEnd checks the calls that were waiting when the pool ended.
func (m *machine) checkQuietEnd(t *rapid.T) {
	for _, c := range m.quiet {
		want := error(nil)
		if c.pause {
			want = scheduler.ErrStopped
		}
		if err := <-c.done; !errors.Is(err, want) {
			t.Fatalf("at the end of the pool a wait (for a pause: %v) returned %v, want %v", c.pause, err, want)
		}
	}
}
