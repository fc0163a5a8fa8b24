package measure

import (
	"errors"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Tally counts tasks by how they ended. Found is the sum of Read, Failed, Shed,
// Dropped and Unfinished. The names are those of tasks that read files.
type Tally struct {
	Found      int   `json:"files_found"`
	Read       int   `json:"files_read"`
	Failed     int   `json:"files_failed"` // after the last attempt
	Shed       int   `json:"shed"`         // by the discipline
	Dropped    int   `json:"dropped"`      // by the overflow policy
	Unfinished int   `json:"files_unfinished"`
	Late       int   `json:"late"`  // of those read or failed
	Bytes      int64 `json:"bytes"` // of those read
}

// Done returns how many tasks have ended.
func (t Tally) Done() int { return t.Found - t.Unfinished }

// Add adds the counts of other tasks.
func (t *Tally) Add(o Tally) {
	t.Found += o.Found
	t.Read += o.Read
	t.Failed += o.Failed
	t.Shed += o.Shed
	t.Dropped += o.Dropped
	t.Unfinished += o.Unfinished
	t.Late += o.Late
	t.Bytes += o.Bytes
}

// Outcome returns the change in the counts when a task ends with err. A task
// that was interrupted stays unfinished, which is no change, unless an earlier
// execution failed: then the task failed, whatever prevented another attempt.
func Outcome(t Task, err error) Tally {
	change := Tally{Unfinished: -1}
	switch {
	case err == nil:
		change.Read = 1
	case t.Measured().Failure != nil:
		change.Failed = 1
	case errors.Is(err, taskmanager.ErrShed):
		change.Shed = 1
	case errors.Is(err, taskmanager.ErrDropped):
		change.Dropped = 1
	default: // ErrStopped
		return Tally{}
	}
	if t.Late() {
		change.Late = 1
	}
	return change
}
