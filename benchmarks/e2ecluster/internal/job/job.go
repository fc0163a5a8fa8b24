// Package job describes what a task of the tests does.
package job

import "time"

// The kinds that a worker of the tests handles.
const (
	Plain  = "job"    // no restart
	Again  = "again"  // restarts by the policy that the flags of the worker give
	Keyed  = "keyed"  // a limit for each key
	Few    = "few"    // a limit of the kind
	Tick   = "tick"   // the runs of schedules
	Square = "square" // returns the square of N
)

// Job is the payload of a task.
type Job struct {
	ID       string        `json:"id"`                 // the id of the task, for the ledger
	Work     time.Duration `json:"work,omitempty"`     // how long an execution takes
	Fails    int           `json:"fails,omitempty"`    // how many executions fail
	Kills    int           `json:"kills,omitempty"`    // how many executions kill their process
	Stays    int           `json:"stays,omitempty"`    // how many executions last until they are cancelled or their process ends
	Stubborn bool          `json:"stubborn,omitempty"` // ignores its context
	N        int           `json:"n,omitempty"`
}
