package taskmanager

import (
	"strconv"
	"sync/atomic"
)

// WithUniqueName makes the name of the task unique in its manager: it appends "#" and a number to
// the name that was given, as in "resize#17". Many tasks can then be submitted under one name, and
// the submit never returns [ErrAlreadyExists]. If an outstanding task has the resulting name, the
// next number is taken. The numbers of a manager increase, begin with 1, and are shared by all its
// tasks, so the tasks of one name need not have consecutive numbers.
//
// The kind of the task is the name that was given, unless [WithKind] or [TaskWithKind] sets it.
// So telemetry groups tasks by that name. It must be one of few, and not contain data such as the
// number of an order: each kind is a metric attribute of its own. The given name may be empty:
// the kind takes its place, as in "func#18" for a function.
//
// The full name is that of [Handle.Name], by which the task is listed and found. A restart keeps
// it. [TaskManager.Every] and [TaskManager.Repeat] refuse the option, because the name of a
// schedule keeps its runs from overlapping.
func WithUniqueName() TaskOption { return uniqueName }

var uniqueName = taskOption(func(c *taskConfig) error {
	c.unique = true
	return nil
})

// serial counts the names that were made unique. Submitters on several processors write it, so it
// has a pair of cache lines for itself.
type serial struct {
	_ [64]byte
	atomic.Uint64
	_ [64]byte
}

// nameUniquely sets the name of a task to what stands before the number, and appends a number.
func (m *TaskManager) nameUniquely(h *Handle, stem string) {
	room := [64]byte{}
	name := strconv.AppendUint(append(append(room[:0], stem...), '#'), m.serial.Add(1), 10)
	h.name = string(name)
	h.cfg.suffix = uint8(len(name) - len(stem)) //nolint:gosec // at most 21: "#" and 20 digits
}

// stem returns the name of the task without the number that WithUniqueName appended.
func (h *Handle) stem() string { return h.name[:len(h.name)-int(h.cfg.suffix)] }

// uniqueIfFree gives a task with WithUniqueName another number if its name is taken now. It is
// called before observers are told the name. If the name is taken between that moment and
// addRenamed, they have been told another number.
func (m *TaskManager) uniqueIfFree(h *Handle) {
	for h.cfg != nil && h.cfg.unique && m.names.Lookup(h.name) != nil {
		m.nameUniquely(h, h.stem())
	}
}

// addRenamed adds a task to the names after that has failed with err. A task with WithUniqueName
// gets other numbers until its name is free. The error is that of a submit.
func (m *TaskManager) addRenamed(h *Handle, err error) error {
	for h.cfg != nil && h.cfg.unique && nameTaken(err) {
		m.nameUniquely(h, h.stem())
		if err = m.names.Add(h.name, h, &h.place); err == nil {
			return nil
		}
	}
	return nameError(h.name, err)
}
