package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/queue"
)

// path is a way from the submit of a task to its end, with what its cost depends on. DESIGN.md of
// package scheduler derives the counts.
type path struct {
	contender string
	held      float64 // cache lines that move with the lock of the pool
	moved     float64 // cache lines that move for a task in all
}

// paths are the paths of the model.
var paths = []path{
	{"scheduler.Pool", 3, 6},
	{"scheduler.Pool, SubmitAll", 3, 3.2},
	{"TaskManager.SubmitFunc", 4, 16},
	{"TaskManager.SubmitAll", 4, 15.2},
}

// pathOf returns the path of a contender.
func pathOf(x contest.Contender) (path, bool) {
	i := slices.IndexFunc(paths, func(p path) bool { return p.contender == x.Name })
	if i < 0 {
		return path{}, false
	}
	return paths[i], true
}

// The least and the longest pause of a worker that waits for the lock of the pool, in empty
// calls; see lock.go of package scheduler.
const (
	leastPause = 400
	mostPause  = 12_800
)

// units are the unit costs of a machine, in nanoseconds.
type units struct {
	section  float64 // to lock a free mutex, push to a queue and pop from it, and unlock
	call     float64 // an empty call
	transfer float64 // of a cache line
}

// overlap is the cost of a line that moves, as a share of a transfer, unless it belongs to a lock: a
// processor waits for several lines at a time. It was fitted to named tasks on two processors.
const overlap = 0.5

// perTask predicts the nanoseconds per task on n processors from the processor time of a task on
// one, which includes the work of the task. pause is the longest time that a worker waits before
// it looks at the lock again, in empty calls.
//
// Either the processors or the lock of the pool is the bottleneck. A line moves unless its last
// user was on the same processor. If the lock is the bottleneck, workers wait for it, and pause.
// Then a worker has several turns before the lines of the lock move: just as many as make the
// processors the bottleneck, but no more than fit into a pause.
func (u units) perTask(p path, n int, single, pause float64) float64 {
	if n == 1 {
		return single
	}
	move := u.transfer * float64(n-1) / float64(n)
	work, moves := single/float64(n), overlap*p.moved*move/float64(n) // of the processors
	handover := p.held * move                                         // of the lock
	turns := 1.0
	if u.section+handover > work+moves {
		turns = 1 + pause*u.call/(float64(n-1)*single)
		if work > u.section {
			turns = min(turns, (handover-moves)/(work-u.section))
		}
	}
	return max(work+moves/turns, u.section+handover/turns)
}

// measureUnits measures the unit costs. It takes the least of several measurements, as others
// may include other work of the machine.
func measureUnits() units {
	const n = 20_000
	var mu sync.Mutex
	var fifo queue.FIFO[*int]
	fifo.Push(new(int))
	return units{
		section: leastOf(n, func() {
			for range n {
				mu.Lock()
				item, _ := fifo.Pop()
				fifo.Push(item)
				mu.Unlock()
			}
		}),
		call: leastOf(n, func() {
			for range n {
				pass()
			}
		}),
		transfer: yardstick.MeasureTransfer().Nanoseconds,
	}
}

// leastOf returns the least time of a unit in nanoseconds, if f does n of them.
func leastOf(n int, f func()) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	least := time.Hour
	for range 100 {
		begin := time.Now()
		f()
		least = min(least, time.Since(begin))
	}
	return float64(least) / float64(n)
}

// pass does nothing, and takes as long as in package scheduler.
//
//go:noinline
func pass() {}
