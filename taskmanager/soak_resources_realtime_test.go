package taskmanager_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// soakResources are the resources of the soak, and what is in use of them.
type soakResources struct {
	given          bool // the discipline has resources
	memory, places atomic.Int64
}

// The capacities.
const (
	soakMemory = 5
	soakPlaces = 2
)

// limiting returns a discipline with resources and limits of attributes.
func (r *soakResources) limiting(random *rand.Rand) (taskmanager.Discipline, string) {
	name := ""
	d := []taskmanager.Discipline{
		taskmanager.FIFO(), taskmanager.Priority(8), taskmanager.Fair(nil), taskmanager.LimitByKey(1, taskmanager.FIFO()),
	}[random.IntN(4)]
	if random.IntN(2) == 0 {
		d, name = taskmanager.LimitBy(2, (*taskmanager.Handle).Kind, d), "LimitBy "
	}
	if random.IntN(2) == 0 {
		r.given = true
		d, name = taskmanager.Resources(map[string]int64{"memory": soakMemory, "places": soakPlaces}, d), name+"Resources "
	}
	if random.IntN(2) == 0 {
		level := func(h *taskmanager.Handle) string { return fmt.Sprint(h.Priority()) }
		d, name = taskmanager.LimitBy(3, level, d), name+"LimitBy "
	}
	return d, name + "over one of four"
}

// needs returns what a task needs, as options, and where it restarts.
func (t *soakTask) needs(random *rand.Rand) (opts []taskmanager.TaskOption) {
	if random.IntN(3) == 0 && !t.x.sheds {
		opts = append(opts, taskmanager.WithRestartAtFront())
	}
	if !t.x.resources.given {
		return opts
	}
	t.memory, t.places = int64(t.seed>>8%(soakMemory+1)), int64(t.seed>>16%(soakPlaces+1)) //nolint:gosec // small
	return append(opts, taskmanager.WithResource("memory", t.memory), taskmanager.WithResource("places", t.places))
}

// use counts what an execution uses until the function that it returns is called.
func (t *soakTask) use() (giveBack func()) {
	r := &t.x.resources
	if memory, places := r.memory.Add(t.memory), r.places.Add(t.places); memory > soakMemory || places > soakPlaces {
		t.x.fail("%d of %d memory and %d of %d places are in use", memory, soakMemory, places, soakPlaces)
	}
	return func() {
		r.memory.Add(-t.memory)
		r.places.Add(-t.places)
	}
}
