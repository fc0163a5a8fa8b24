package taskmanager_test

import (
	"context"
	"slices"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// notYetAfter is the time after which executions of the state machine that return NotYet run again,
// unless they do so at once.
const notYetAfter = 6*time.Millisecond + 7*time.Microsecond

// postponeRun makes an execution of the state machine return NotYet.
func (s *system) postponeRun(t *rapid.T) {
	s.tick()
	x := s.pick(t, s.inTurn)
	after := rapid.SampledFrom([]time.Duration{0, notYetAfter, notYetAfter}).Draw(t, "after")
	x.orders <- order{outcome: notYet, after: after}
	synctest.Wait()
	s.notYet(x, after)
	s.settle()
	synctest.Wait()
}

// notYet models an execution that returned NotYet.
func (m *model) notYet(x *modelTask, after time.Duration) {
	x.queuedAt, x.patientFrom = time.Now(), time.Time{}
	x.phase = taskmanager.NotAssigned
	switch {
	case x.next != nil && x.next.taken != reruns:
		m.finish(x, taskmanager.ErrReplaced)
	case x.origin != nil:
		m.handOver(x, after, nil)
	case after == 0:
		m.queue.Push(x)
	default:
		m.postpone(x, after)
	}
	m.release(x)
}

// drawParent draws a running task on whose behalf x is submitted with WithInherit, or nil. In a
// manager with a limit, such a submit could not wait for room.
func (s *system) drawParent(t *rapid.T, x *modelTask, way string) {
	ways := []string{"options", "try", "function", "future"}
	if s.limit >= 0 || !slices.Contains(ways, way) || rapid.IntRange(0, 2).Draw(t, "inherits") > 0 {
		return
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "idle"} {
		p := s.tasks[name]
		// Two tasks must not end at the same moment, since the order would be random.
		if p == nil || !takesOrders(p) || p.hard && !x.hard {
			continue
		}
		x.parent, x.linked = p, false
		x.key, x.priority = p.key, p.priority
		if !x.hard {
			x.deadline = p.deadline
		}
		return
	}
}

// submitCtx returns the context of the submit.
func (x *modelTask) submitCtx() context.Context {
	if x.parent != nil {
		return x.parent.running
	}
	return x.ctx
}
