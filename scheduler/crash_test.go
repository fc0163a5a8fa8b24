package scheduler_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

var errBoom = errors.New("boom")

// crashes has the ways in which an item can end its goroutine.
var crashes = map[string]struct {
	item  func()
	value any   // of the PanicError; nil for Goexit
	is    error // target of errors.Is
}{
	"panic of a value": {item: func() { panic("boom") }, value: "boom"},
	"panic of an error": {
		item: func() { panic(errBoom) }, value: errBoom, is: errBoom,
	},
	"Goexit": {item: runtime.Goexit, is: scheduler.ErrGoexit},
	"panic in a deferred function": {
		item: func() { defer func() { panic("second") }(); panic("first") }, value: "second",
	},
	"Goexit in a deferred function": {
		item: func() { defer runtime.Goexit(); panic("lost") }, is: scheduler.ErrGoexit,
	},
	"panic recovered, then Goexit": {
		item: func() { defer func() { _ = recover() }(); defer runtime.Goexit(); panic("lost") }, is: scheduler.ErrGoexit,
	},
}

// crashPool returns a pool that runs functions on one worker, and the errors of those that
// crashed.
func crashPool(t *testing.T) (*scheduler.Pool[func()], chan error) {
	t.Helper()
	reports := make(chan error, 10)
	p, err := scheduler.NewPool(scheduler.Config[func()]{
		Min: 1, Max: 1,
		Crashed: func(worker int32, item func(), err error) {
			if worker != 1 || item == nil {
				t.Errorf("Crashed was told of worker %d, item set: %v; want worker 1 and its item", worker, item != nil)
			}
			reports <- err
		},
	}, func(_ int32, f func()) { f() })
	if err != nil {
		t.Fatal(err)
	}
	return p, reports
}

func TestCrashes(t *testing.T) {
	for name, tc := range crashes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, reports := crashPool(t)
				for range 3 {
					mustSubmit(t, p, tc.item)
					err := <-reports
					if tc.is != nil {
						check.Is(t, name, err, tc.is)
					}
					pe, ok := errors.AsType[*scheduler.PanicError](err)
					if ok != (tc.value != nil) {
						t.Fatalf("Crashed got %T %v, want a *PanicError: %v", err, err, tc.value != nil)
					}
					if ok && (pe.Value != tc.value || !strings.Contains(string(pe.Stack), "crash_test.go")) {
						t.Errorf("value %v, want %v; the stack shows the item: %v", pe.Value, tc.value,
							strings.Contains(string(pe.Stack), "crash_test.go"))
					}
				}
				ran := make(chan bool, 1)
				mustSubmit(t, p, func() { ran <- true })
				<-ran
				synctest.Wait()
				check.Equal(t, "snapshot", counts(p.Snapshot()), scale.Snapshot{
					Min: 1, Max: 1, Workers: 1, Idle: 1, Submitted: 4, Started: 4, Completed: 1, Failed: 3,
				})
				mustStop(t, p)
			})
		})
	}
}

func TestPanicOfNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, reports := crashPool(t)
		mustSubmit(t, p, func() { panic(nil) }) //nolint:govet // the subject of the test
		var nilPanic *runtime.PanicNilError
		if err := <-reports; !errors.As(err, &nilPanic) {
			t.Errorf("Crashed got %v, want a *PanicError that wraps a *runtime.PanicNilError", err)
		}
		mustStop(t, p)
	})
}

func TestPanicErrorText(t *testing.T) {
	err := &scheduler.PanicError{Value: errBoom, Stack: []byte("somewhere")}
	if got := err.Error(); !strings.Contains(got, "boom") || strings.Contains(got, "scheduler") || strings.Contains(got, "somewhere") {
		t.Errorf("the error reads %q; want the value, and neither the name of the package nor the stack", got)
	}
	check.Is(t, "Unwrap of a value that is no error", (&scheduler.PanicError{Value: 1}).Unwrap(), nil)
}

// TestCrashesTakeNoWorker checks that crashes never change the number of workers.
func TestCrashesTakeNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 2})
		js := newJobs(20)
		mustSubmit(t, r.pool, js...)
		for i, j := range js {
			synctest.Wait()
			j.end <- []ending{panics, exits}[i%2]
			if s := r.pool.Snapshot(); s.Workers != 2 || len(r.pool.Workers()) != 2 {
				t.Fatalf("%d workers, %d listed, after crash %d; want 2", s.Workers, len(r.pool.Workers()), i)
			}
		}
		synctest.Wait()
		check.Equal(t, "started", len(r.ran()), 20)
		check.Equal(t, "number of crashes reported", len(r.crashed()), 20)
		mustStop(t, r.pool)
	})
}

// TestCrashedThatCrashes checks that the worker continues.
func TestCrashedThatCrashes(t *testing.T) {
	quiet(t)
	for name, crash := range map[string]func(){"panic": func() { panic("callback") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{
					Min: 1, Max: 1,
					Crashed: func(int32, *job, error) { crash() },
				})
				js := newJobs(3)
				mustSubmit(t, r.pool, js...)
				js[0].end <- panics
				js[1].end <- exits
				synctest.Wait()
				check.Equal(t, "running", r.running(), []int{3})
				js[2].end <- returns
				mustStop(t, r.pool)
			})
		})
	}
}

func TestDroppedThatPanics(t *testing.T) {
	quiet(t)
	synctest.Test(t, func(t *testing.T) {
		told := 0
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Dropped: func(*job, error) { told++; panic("callback") }})
		r.pool.Pause()
		mustSubmit(t, r.pool, newJobs(3)...)
		mustStop(t, r.pool)
		check.Equal(t, "items that Dropped was told of", told, 3)
	})
}
