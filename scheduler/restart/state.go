package restart

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// State is the history of a task that does not stay in one process: a store or a queue outside
// keeps the task between its executions. See taskmanager.WithOrigin. The zero State is that of a
// task that has never run. It can be stored as JSON, where durations are in nanoseconds.
type State struct {
	// Attempts is the number of executions so far, at most half of the largest int. The next one has
	// the number Attempts+1.
	Attempts int `json:"attempts"`
	// Row is the number of failures in a row up to now. The next failure is Row+1 for
	// [Failure.Attempt].
	Row int `json:"row"`
	// Previous is the delay before the last restart, for [Failure.Previous].
	Previous time.Duration `json:"previous"`
	// Recent holds the times at which restarts were due or began, for [Failure.Recent], in any
	// order. It is empty for a policy without a Window.
	Recent []time.Time `json:"recent,omitempty"`
	// LastError is the text of the last failure, or empty.
	LastError string `json:"last_error,omitempty"`
	// Delay is how long the next execution has to wait from the end of the last one. The store that
	// keeps the task must wait for it; the manager to which the task is submitted does not.
	Delay time.Duration `json:"delay"`
	// QueuedAt is when the task was queued, or is due to be queued after Delay. Zero means now, and so
	// does a time to come. The wait of the next execution is counted from then.
	QueuedAt time.Time `json:"queued_at,omitzero"`
}

// mostAttempts leaves room to count further executions.
const mostAttempts = math.MaxInt / 2

// Validate returns an error for each number that no task can have.
func (s State) Validate() error {
	var faults []error
	fault := func(when bool, format string, args ...any) {
		if when {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(s.Attempts < 0, "Attempts is %d; it must be 0 or more", s.Attempts)
	fault(s.Attempts > mostAttempts, "Attempts is %d; it must be at most %d, as further executions are counted from there; give the number of executions so far", s.Attempts, mostAttempts)
	fault(s.Row < 0, "Row is %d; it must be 0 or more", s.Row)
	fault(s.Row > max(s.Attempts, 0), "Row is %d, with %d attempts; there are no more failures than attempts", s.Row, s.Attempts)
	fault(s.Previous < 0, "Previous is %v; it must not be negative", s.Previous)
	fault(s.Delay < 0, "Delay is %v; it must not be negative", s.Delay)
	fault(len(s.Recent) > max(s.Attempts, 0), "Recent has %d restarts, with %d attempts; there are no more restarts than attempts", len(s.Recent), s.Attempts)
	fault(slices.ContainsFunc(s.Recent, time.Time.IsZero), "Recent has a zero time")
	fault(!s.QueuedAt.IsZero() && s.QueuedAt.Unix() < 0, "QueuedAt is %v; it must be the time at which the task was queued, not one before 1970; give the zero time for now", s.QueuedAt)
	return errors.Join(faults...)
}
