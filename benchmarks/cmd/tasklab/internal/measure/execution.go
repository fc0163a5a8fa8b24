// Package measure has what is measured while tasks run: the executions of each
// task, how each ended, how long tasks waited and ran, and how many ran at once.
package measure

import (
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Task is a task that measures its executions. Read the measurements when the
// task has ended.
type Task interface {
	taskmanager.Task
	// Measured returns the measurements.
	Measured() *Executions
	// Late reports whether the task started after its deadline.
	Late() bool
}

// Executions is what a task measures of its executions. The submitter writes it
// first, then the executions, one after the other.
type Executions struct {
	Submitted time.Time
	Allowed   time.Duration // the longest wait that meets the deadline; 0 if unknown
	QueueWait time.Duration // from the submit to the first execution
	RunTime   time.Duration // of the last execution
	Attempts  int           // executions
	Failure   error         // of the last execution that failed for a reason other than an interrupt
}

// Measured returns e, so that a type that embeds Executions is a [Task].
func (e *Executions) Measured() *Executions { return e }

// Begin records the start of an execution. The function that it returns records
// the end.
func (e *Executions) Begin(l *Load) (end func()) {
	begin := time.Now()
	if e.Attempts == 0 {
		e.QueueWait = begin.Sub(e.Submitted)
	}
	e.Attempts++
	l.enter()
	return func() {
		l.leave()
		e.RunTime = time.Since(begin)
	}
}

// Load measures how many tasks and workers there are at the same time. It is
// safe for concurrent use.
type Load struct {
	workers                     func() int
	busy, peakBusy, peakWorkers atomic.Int64
}

// NewLoad returns a Load. The function returns the present number of workers.
func NewLoad(workers func() int) *Load { return &Load{workers: workers} }

// PeakBusy returns the most tasks that were executed at the same time.
func (l *Load) PeakBusy() int64 { return l.peakBusy.Load() }

// PeakWorkers returns the most workers that existed when an execution started.
func (l *Load) PeakWorkers() int64 { return l.peakWorkers.Load() }

// enter records the start of an execution.
func (l *Load) enter() {
	raise(&l.peakBusy, l.busy.Add(1))
	raise(&l.peakWorkers, int64(l.workers()))
}

// leave records the end of an execution.
func (l *Load) leave() { l.busy.Add(-1) }

// raise sets the peak to v if v is larger.
func raise(peak *atomic.Int64, v int64) {
	for {
		old := peak.Load()
		if v <= old || peak.CompareAndSwap(old, v) {
			return
		}
	}
}
