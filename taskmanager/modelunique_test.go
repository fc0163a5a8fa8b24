package taskmanager_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// uniqueStem is a name that many tasks of the state machine have, with a number appended.
const uniqueStem = "u"

// drawName draws the name of a task. It may be one that the next unique name would have.
func (s *system) drawName(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"a", "b", "c", "d", "e", "f", "g", "idle", scheduleName, fmt.Sprint(uniqueStem, "#", s.serial+1), fmt.Sprint(uniqueStem, "#", s.serial+2),
	}).Draw(t, "name")
}

// drawUnique draws whether the names of tasks that are submitted together are made unique.
func (s *system) drawUnique(t *rapid.T, tasks ...*modelTask) {
	if rapid.IntRange(0, 4).Draw(t, "unique") > 0 {
		return
	}
	for _, x := range tasks {
		x.unique, x.given = true, rapid.SampledFrom([]string{uniqueStem, uniqueStem, "a"}).Draw(t, "stem")
	}
}

// number gives the unique names their numbers when tasks are submitted.
func (m *model) number(tasks ...*modelTask) {
	for _, x := range tasks {
		if x.unique {
			m.numberNext(x)
		}
	}
	if g := tasks[0].group; !tasks[0].isPast() && (g == nil || !m.full(g)) {
		m.renumber(tasks...)
	}
}

// renumber gives tasks whose unique names are taken the next numbers.
func (m *model) renumber(tasks ...*modelTask) {
	for _, x := range tasks {
		for x.unique && m.tasks[x.name] != nil {
			m.numberNext(x)
		}
	}
}

func (m *model) numberNext(x *modelTask) {
	m.serial++
	x.name = fmt.Sprint(x.given, "#", m.serial)
}

// isPast reports whether the deadline of the task has passed, so that its submit fails.
func (x *modelTask) isPast() bool { return x.hard && !x.deadline.After(time.Now()) }

// nameOptions returns the option for a unique name, or none.
func (x *modelTask) nameOptions() []taskmanager.TaskOption {
	if x.unique {
		return []taskmanager.TaskOption{taskmanager.WithUniqueName()}
	}
	return nil
}
