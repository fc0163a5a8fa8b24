package taskmanager_test

import (
	"slices"
	"strconv"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// What the limits of the disciplines in the model allow.

// modelResources are the resources of the model.
var modelResources = map[string]int64{"memory": 4, "licences": 1}

var modelNeeds = queue.ResourcesConfig[*modelTask]{
	Capacity: modelResources,
	Amount:   func(x *modelTask, resource string) int64 { return x.needs[resource] },
}

// drawNeeds draws amounts of resources.
func (x *modelTask) drawNeeds(t *rapid.T) {
	x.needs = map[string]int64{
		"memory":   rapid.Int64Range(0, 4).Draw(t, "memory"),
		"licences": rapid.Int64Range(0, 1).Draw(t, "licences"),
	}
}

// enoughFor reports whether there are enough resources for a task beside others.
func enoughFor(x *modelTask, beside []*modelTask) bool {
	for name, capacity := range modelResources {
		used := x.needs[name]
		for _, y := range beside {
			used += y.needs[name]
		}
		if x.needs[name] > 0 && used > capacity {
			return false
		}
	}
	return true
}

// oneOfKey reports whether a limit of 1 for each key lets a task run beside others.
func oneOfKey(x *modelTask, beside []*modelTask) bool {
	return x.limitOf() == 0 || !slices.ContainsFunc(beside, func(y *modelTask) bool { return y.key == x.key })
}

// oneOfLevel is oneOfKey for the levels above 0.
func oneOfLevel(x *modelTask, beside []*modelTask) bool {
	return x.levelLimitOf() == 0 || !slices.ContainsFunc(beside, func(y *modelTask) bool { return y.priority == x.priority })
}

func (x *modelTask) levelLimitOf() int { return min(max(x.priority, 0), 1) }

// levelOf is the attribute for a limit of each level above 0.
func levelOf(h *taskmanager.Handle) string {
	if h.Priority() > 0 {
		return strconv.Itoa(h.Priority())
	}
	return ""
}

// dropsRace reports whether a worker may start a task while a submit reports which tasks it has
// dropped: the discipline holds tasks back, so the queue can be full although workers are free. The order
// of that start and of what the end of a dropped task starts is random.
func (m *model) dropsRace() bool {
	return m.limits() && m.limit >= 0 && slices.Contains([]taskmanager.Overflow{
		taskmanager.DropNewest, taskmanager.DropOldest, taskmanager.DropWorst,
	}, m.overflow)
}

// skipDrops skips a submit that might drop a task whose end starts another one, if the order of that
// is random.
func (s *system) skipDrops(t *rapid.T) {
	for _, x := range s.tasks {
		if s.dropsRace() && !x.executing() && (x.next != nil || x.follows()) {
			t.Skip("the order would be random")
		}
	}
}

// uses reports whether a task uses resources.
func (x *modelTask) uses() bool { return x.needs["memory"]+x.needs["licences"] > 0 }

// lenderWaits reports whether it is random which of the tasks that are held back comes next if a running
// task ends now: another one that uses resources has lent its slot to wait for it. That one gets a slot
// back at the moment at which the task that ends gives back what it has used. Tasks that cannot fit beside
// lent amounts are set aside, so the order of the two decides whether such a task is considered.
func (m *model) lenderWaits(x *modelTask) bool {
	h, ok := m.queue.(queue.Holder)
	return ok && h.Held() > 0 && x.executing() &&
		slices.ContainsFunc(m.all(), func(y *modelTask) bool { return y.target == x && y.uses() })
}

// mayRun reports whether the limits let a task run once the done tasks have ended.
func (m *model) mayRun(x *modelTask, done map[*modelTask]bool) bool {
	var beside []*modelTask
	for _, y := range m.tasks {
		if y.executing() && !done[y] {
			beside = append(beside, y)
		}
	}
	return m.allows == nil || m.allows(x, beside)
}
