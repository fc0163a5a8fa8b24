package batch_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFailed = errors.New("failed")

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// start starts a manager and stops it when the test ends.
func start(t testing.TB, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(opts...)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, m) })
	return m
}

func stop(t check.T, m *taskmanager.TaskManager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check.Is(t, "Stop", m.Stop(ctx), nil)
}

// idle checks that no task is outstanding.
func idle(t check.T, m *taskmanager.TaskManager) {
	t.Helper()
	for h := range m.Tasks() {
		t.Errorf("the task %q is outstanding", h.Name())
	}
}

// pair is a result or an error.
type pair struct {
	result int
	err    error
}

// collect ranges over a batch until its end.
func collect(pairs iter.Seq2[int, error]) (all []pair) {
	for result, err := range pairs {
		all = append(all, pair{result, err})
	}
	return all
}

// same checks pairs. Errors are compared with errors.Is.
func same(t check.T, got, want []pair) {
	t.Helper()
	equal := slices.EqualFunc(got, want, func(a, b pair) bool {
		return a.result == b.result && errors.Is(a.err, b.err)
	})
	if !equal {
		t.Errorf("the batch yields %v, want %v", got, want)
	}
}

// naturals yields all numbers from 0. It counts those that were read.
func naturals(read *int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; ; *read++ {
			if !yield(*read) {
				*read++
				return
			}
		}
	}
}

// double is a function for items.
func double(_ context.Context, item int) (int, error) { return 2 * item, nil }

// sleep waits in virtual time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inFlight is a short name.
func inFlight(n int) batch.Option { return batch.WithInFlight(n) }
