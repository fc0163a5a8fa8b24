package taskmanager_test

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// How executions of the model heed the end of their contexts.

// afterWait is how long after a deaf wait an execution ends whose context has ended meanwhile. Nothing else
// is due by then. If it ended at once, it would end at the same moment as the task that it waited for. Then
// the order would be random in which the two give their keys and resources back, and thus that of the
// tasks that they held back. At a Stop it would be random whether the execution failed with ErrTimeout, so
// that its task was replaced or handed over, before Stop came to cancel it.
const afterWait = time.Nanosecond

// interrupt cancels the context of an execution.
func (m *model) interrupt(x *modelTask, reason error) {
	if x.gone == nil {
		x.gone = reason
		m.hurry(x)
	}
}

// timeOut ends an execution at its time limit, which is a failure.
func (m *model) timeOut(x *modelTask) {
	x.late = true
	m.hurry(x)
	m.settle()
}

// hurry models the end of the context of an execution. A deaf wait ignores it. An execution
// that has lent its slot continues without one.
func (m *model) hurry(x *modelTask) {
	back := slices.Contains(m.returning, x)
	switch {
	case x.deaf && (x.target != nil || back):
	case x.phase == taskmanager.Blocked:
		m.returning = slices.DeleteFunc(m.returning, func(y *modelTask) bool { return x == y })
		x.target = nil
		m.comeBack(x)
	default:
		x.target = nil
		m.heed(x)
	}
}

// heedAfterWait makes an execution that continues after a wait heed the end of its context: at once, or
// later after a deaf wait.
func (m *model) heedAfterWait(x *modelTask) {
	if x.deaf {
		x.heeds = time.Now().Add(afterWait)
		return
	}
	m.heed(x)
}

// heed ends an execution if its context has ended.
func (m *model) heed(x *modelTask) {
	x.heeds = time.Time{}
	switch {
	case x.gone != nil:
		m.stopped(x, x.gone)
	case x.late:
		x.late = false
		m.failed(x, taskmanager.ErrTimeout)
	}
}
