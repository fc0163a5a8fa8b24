// Package workload defines the workloads of package simulate. It is apart so that a program that
// records or reads workloads, and replays none, does not link package testing.
package workload

import (
	"iter"
	"time"
)

// Job is a task of a workload: when it arrives, how long it runs, and the attributes by which
// disciplines order.
type Job struct {
	At       time.Duration // arrival, since the start of the workload
	Service  time.Duration // how long an execution takes on a core of its own
	Kind     string        // the sort of task; may be empty
	Key      string        // the key for Fair and LimitByKey, such as a tenant; may be empty
	Priority int           // the level for Priority
	Cost     int64         // the cost for Fair; 0 stands for 1
	Deadline time.Duration // the time after At by which the job should have started; 0: none
	Fails    int           // how many executions fail before one succeeds
}

// Jobs is a stream of jobs in the order of their arrivals. An error, such as that of a malformed
// line, ends the stream. A stream must yield the same jobs each time it is iterated, and several
// goroutines may iterate it at the same time.
type Jobs = iter.Seq2[Job, error]
