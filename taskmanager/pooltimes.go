package taskmanager

import "github.com/seed56799101/taskmanager/scheduler/scale"

// WithPoolTimes makes the manager measure the times of its [TaskManager.Snapshot], whatever the scaler:
// how long the oldest queued task has waited, the sums of waits and run times, and how long workers
// were busy. Without it they are measured only for scalers that read them; the default scaler does
// not. Named tasks that do nothing take 1.2 to 1.6 times as long with it; the DESIGN.md of package
// scheduler has the measurement.
func WithPoolTimes() Option {
	return option{name: "WithPoolTimes", set: func(c *config) { c.times = true }}
}

// Snapshot returns the state and the counters of the worker pool. The pool counts
// executions, not tasks, from the moment at which a task is queued:
//
//   - Submitted: tasks that were queued. A further execution counts again, and a task that waits for
//     its time or for a restart does not count until it is due.
//   - Completed: executions that succeeded or returned [NotYet].
//   - Failed: executions that returned another error, panicked or called [runtime.Goexit], and
//     tasks that were cancelled when a worker had just taken them.
//   - Withdrawn: queued tasks that ended because they were cancelled or exceeded a time limit.
//   - Shed: queued tasks that the discipline gave up.
//   - Dropped: queued tasks that Stop ended, that the overflow policy gave up, or that the
//     discipline could not take.
//
// At each moment, Submitted is the sum of these five and of Queued, Busy, Inline and Lent.
//
// The times are measured if the scaler reads them, as [scale.TargetWait] does and the default does
// not, or with [WithPoolTimes].
func (m *TaskManager) Snapshot() scale.Snapshot { return m.pool.Snapshot() }
