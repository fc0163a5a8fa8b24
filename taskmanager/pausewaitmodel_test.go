package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// pauser is a call of PauseWait.
type pauser struct {
	returned chan error
	resumed  bool // the pause has ended first
}

// pauseWait starts a call of PauseWait, which pauses the manager.
func (s *system) pauseWait(*rapid.T) {
	s.tick()
	p := &pauser{returned: make(chan error, 1)}
	s.pausers = append(s.pausers, p)
	go func() { p.returned <- s.m.PauseWait(context.Background()) }()
	synctest.Wait()
	if !s.paused {
		s.switchPause()
		s.settle()
	}
}

// endPause notes that a Resume ends the calls of PauseWait that have not returned.
func (s *system) endPause() {
	for _, p := range s.pausers {
		p.resumed = true
	}
}

// checkPausers checks that PauseWait returns as soon as no task runs, and not before. A task that
// waits for another one counts as running.
func (s *system) checkPausers(t *rapid.T) {
	running := 0
	for _, x := range s.tasks {
		if x.executing() {
			running++
		}
	}
	for _, p := range s.pausers {
		select {
		case err := <-p.returned:
			if p.resumed == (err == nil) || !p.resumed && running > 0 {
				t.Fatalf("PauseWait returned %v, with %d tasks running; resumed: %v", err, running, p.resumed)
			}
			p.returned = nil
		default:
			if p.resumed || running == 0 {
				t.Fatalf("PauseWait has not returned, with %d tasks running; resumed: %v", running, p.resumed)
			}
		}
	}
	s.pausers = slices.DeleteFunc(s.pausers, func(p *pauser) bool { return p.returned == nil })
}

// checkPausersEnd checks that the end of the manager ended the other calls.
func (s *system) checkPausersEnd(t *rapid.T) {
	for _, p := range s.pausers {
		if err := <-p.returned; !errors.Is(err, taskmanager.ErrStopped) {
			t.Fatalf("PauseWait returned %v after Stop, want ErrStopped", err)
		}
	}
	s.pausers = nil
}
