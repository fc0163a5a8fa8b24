package taskmanager_test

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// takenMode is what the submit of a model task does if its name is taken.
type takenMode string

const (
	refuses   takenMode = "" // it returns ErrAlreadyExists
	reruns    takenMode = "rerun"
	replaces  takenMode = "replace"
	debounces takenMode = "debounce"
)

// drawTaken draws what the submit does if its name is taken. A member of a group that fails as a
// whole gets no successor: several could get their names at once, in random order.
func (s *system) drawTaken(t *rapid.T, x *modelTask, way string) {
	if x.unique {
		return
	}
	modes := []takenMode{refuses, reruns, replaces, debounces}
	if way == "future" {
		modes = []takenMode{refuses, replaces, debounces}
	}
	x.taken = rapid.SampledFrom(modes).Draw(t, "taken")
	if holder := s.tasks[x.name]; holder != nil && holder.group != nil && !holder.group.collect {
		x.taken = refuses
	}
}

// takenOptions returns the option for the mode, and the delay. Without a delay a replacement takes
// over that of the task that it replaces.
func (x *modelTask) takenOptions() []taskmanager.TaskOption {
	delay := taskmanager.WithNotBefore(time.Now().Add(x.delay))
	switch x.taken {
	case reruns:
		return []taskmanager.TaskOption{taskmanager.WithRerun(), delay}
	case debounces:
		return []taskmanager.TaskOption{taskmanager.WithDebounce(), delay}
	case replaces:
		if x.delay == 0 {
			return []taskmanager.TaskOption{taskmanager.WithReplace()}
		}
		return []taskmanager.TaskOption{taskmanager.WithReplace(), delay}
	case refuses:
		if x.origin != nil {
			return []taskmanager.TaskOption{taskmanager.WithOrigin(*x.origin)}
		}
	}
	return []taskmanager.TaskOption{delay}
}

// contend checks a submit whose name is taken, which has returned, and models it.
func (s *system) contend(t *rapid.T, x, holder *modelTask) {
	if !isClosed(x.submitted) || x.err != nil {
		t.Fatalf("a submit of %q to %s: returned is %v, error %v", x.name, x.taken, isClosed(x.submitted), x.err)
	}
	by := s.servant(x, holder)
	if by != nil && x.handle != by.handle || by == nil && (x.handle == holder.handle || holder.next != nil && x.handle == holder.next.handle) {
		t.Fatalf("a submit of %q to %s returned the handle of another task than it should", x.name, x.taken)
	}
	if by == nil {
		s.model.contend(x, holder)
		s.settle()
	}
}

// servant returns the task whose next execution serves a submit of x, or nil.
func (m *model) servant(x, holder *modelTask) *modelTask {
	switch {
	case x.taken != reruns:
		return nil
	case !holder.executing() && !m.isBlocked(holder):
		return holder
	}
	return holder.next
}

// contend models the submit of a task whose name is taken and that no other task serves.
func (m *model) contend(x, holder *modelTask) {
	var due time.Time
	if x.taken != reruns {
		if slices.Contains(m.delayed, holder) && !holder.started {
			due = holder.due
		}
		if n := holder.next; n != nil {
			if n.due.After(due) {
				due = n.due
			}
			m.leave(n, taskmanager.ErrReplaced)
		}
	}
	switch {
	case x.delay > 0:
		x.due = time.Now().Add(x.delay)
	case x.taken == replaces:
		x.due = due
	}
	if !x.due.After(time.Now()) {
		x.patientFrom = time.Now()
	}
	holder.next, x.before = x, holder
	if x.taken != reruns && !holder.executing() {
		m.cancel(holder, taskmanager.ErrReplaced)
	}
}

// promote gives the name of a task that has ended to the one behind it.
func (m *model) promote(x *modelTask) {
	n := x.next
	if n == nil {
		return
	}
	x.next, n.before = nil, nil
	m.tasks[n.name] = n
	if n.due.After(time.Now()) {
		m.postpone(n, time.Until(n.due))
		return
	}
	n.queuedAt = time.Now()
	m.slack++
	m.queue.Push(n)
}

// leave ends a task that waits behind another one.
func (m *model) leave(n *modelTask, err error) {
	n.before.next, n.before = nil, nil
	n.phase, n.end = taskmanager.Finished, err
	m.ended = append(m.ended, n)
	for _, y := range m.tasks {
		if y.target == n {
			m.resume(y)
		}
	}
}

// all returns the outstanding tasks, with those that wait behind another one.
func (m *model) all() []*modelTask {
	all := slices.Collect(maps.Values(m.tasks))
	for _, x := range m.tasks {
		if x.next != nil {
			all = append(all, x.next)
		}
	}
	return all
}

// waitsSince returns the time from which the queue timeout of a task counts.
func (x *modelTask) waitsSince() time.Time {
	if !x.patientFrom.IsZero() {
		return x.patientFrom
	}
	return x.queuedAt
}

// checkSuccessors checks the tasks that wait behind another one.
func (s *system) checkSuccessors(t *rapid.T) {
	for name, x := range s.tasks {
		n := x.next
		if n == nil {
			continue
		}
		status := n.handle.Status()
		due := time.Time{}
		if n.due.After(n.queuedAt) {
			due = n.due
		}
		if n.err != nil || status.Status != taskmanager.NotAssigned || isClosed(n.handle.Done()) || isClosed(n.handle.Started()) || n.ends.Load() != 0 {
			t.Fatalf("the task behind %q: %+v, with the error %v of its submit", name, status, n.err)
		}
		if !due.IsZero() && !status.DueAt.Equal(due) {
			t.Fatalf("the task behind %q is due at %v, want %v", name, status.DueAt, due)
		}
	}
}
