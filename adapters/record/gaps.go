package record

import (
	"maps"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// longestGap is how long a worker takes between two executions at most: some microseconds, unless
// other programs or goroutines have the processors. A worker that executed nothing for longer was idle.
const longestGap = 100 * time.Millisecond

// gaps knows when each worker has ended its last execution.
type gaps struct {
	mu   sync.Mutex // guards the rest
	ends map[worker]time.Duration
	full int // the size of the map at which idle workers are forgotten
}

// worker identifies a worker, as far as the managers have different names.
type worker struct {
	manager string
	number  int32
}

// leastFull is how many workers are remembered in any case.
const leastFull = 64

// ended notes that an execution has lasted from start to end. It returns the gap before it: the time for
// which the worker executed nothing although the task waited for it.
func (g *gaps) ended(run observe.Run, start, end time.Duration) (gap time.Duration) {
	if run.Worker == 0 {
		return 0 // the submitter runs the task, as soon as it submits one
	}
	w := worker{run.Manager, run.Worker}
	g.mu.Lock()
	defer g.mu.Unlock()
	if previous, ok := g.ends[w]; ok && start-previous <= longestGap {
		gap = max(0, min(start-previous, run.Waited))
	}
	if g.ends == nil {
		g.ends, g.full = make(map[worker]time.Duration), leastFull
	}
	g.ends[w] = end
	if len(g.ends) > g.full {
		maps.DeleteFunc(g.ends, func(_ worker, last time.Duration) bool { return end-last > longestGap })
		g.full = max(leastFull, 2*len(g.ends))
	}
	return gap
}
