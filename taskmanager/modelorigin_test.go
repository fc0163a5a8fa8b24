package taskmanager_test

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// errHandedOver is the end of a task of the model that the manager hands over.
var errHandedOver = errors.New("handed over")

// drawOrigin draws whether a task is kept in a store, and its history there: that of a task that was
// handed over, or any other.
func (s *system) drawOrigin(t *rapid.T, x *modelTask) {
	if x.taken != refuses || rapid.IntRange(0, 3).Draw(t, "origin") > 0 {
		return
	}
	var o restart.State
	if n := len(s.stored); n > 0 && rapid.Bool().Draw(t, "again") {
		o = s.stored[rapid.IntRange(0, n-1).Draw(t, "stored")]
	} else {
		o.Row = rapid.IntRange(0, giveUpAfter).Draw(t, "row")
		o.Attempts = o.Row + rapid.IntRange(0, 2).Draw(t, "others")
		if o.Attempts > 0 {
			o.Previous, o.LastError = restartDelay, "earlier"
		}
		if rapid.Bool().Draw(t, "queued before") {
			o.QueuedAt = time.Now().Add(rapid.SampledFrom([]time.Duration{-3 * horizon, -horizon, 0, horizon}).Draw(t, "queued at"))
		}
	}
	x.origin, x.delay, x.failures = &o, 0, o.Row
	if !o.QueuedAt.IsZero() && o.QueuedAt.Before(x.queuedAt) {
		x.queuedAt, x.patientFrom = o.QueuedAt, time.Now()
	}
}

// handOver models the end of a task that is to run again after wait, and not here. failure is nil
// after NotYet.
func (m *model) handOver(x *modelTask, wait time.Duration, failure error) {
	next := *x.origin
	next.Attempts++
	next.Delay, next.QueuedAt = wait, time.Now().Add(wait)
	if failure != nil {
		next.Row, next.Previous = x.failures, wait
	}
	x.handed = &next
	m.stored = append(m.stored, stored(next))
	m.finish(x, errHandedOver)
}

// stored returns a history as it comes back from a store.
func stored(s restart.State) (back restart.State) {
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		panic(err)
	}
	return back
}

// endedAs reports whether the error of an ended task is the expected one.
func (x *modelTask) endedAs(err error) bool {
	if x.handed == nil {
		return errors.Is(err, x.end)
	}
	got, ok := errors.AsType[*taskmanager.HandedOver](err)
	if !ok {
		return false
	}
	want, failure := *x.handed, got.Unwrap()
	if failure != nil {
		want.LastError = failure.Error()
	}
	return cmp.Equal(want, got.State) && (want.Row == x.origin.Row) == (failure == nil) && (failure == nil || errors.Is(err, x.last))
}

// restartsHere returns the number of restarts in the manager.
func (x *modelTask) restartsHere() int {
	if x.origin != nil {
		return 0
	}
	return x.failures
}

func isHandedOver(err error) bool {
	_, ok := errors.AsType[*taskmanager.HandedOver](err)
	return ok
}
