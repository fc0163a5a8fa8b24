package taskmanager_test

// Each test in this file is named after a fault of the task manager whose API this package
// keeps. The tests ensure that this package does not have these faults.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestFault01StopWithQueuedTasksCrashes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		handles := make([]*taskmanager.Handle, 100)
		for i := range handles {
			handles[i] = submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		synctest.Wait()
		stop(t, m)
		for i, h := range handles {
			if !isClosed(h.Done()) || !isClosed(h.Started()) || !errors.Is(h.Err(), taskmanager.ErrStopped) {
				t.Errorf("task %d: done %v, started %v, err %v; want both closed and ErrStopped",
					i, isClosed(h.Done()), isClosed(h.Started()), h.Err())
			}
		}
	})
}

func TestFault01IdleTimeoutRacingADispatchCrashes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const timeout = time.Millisecond
		m := start(t, taskmanager.WithWorkers(0, 4), taskmanager.WithIdleTimeout(timeout))
		for i := range 500 {
			h := submitFunc(t, m, fmt.Sprint(i), func(context.Context) error { return nil })
			if err := wait(t, h); err != nil {
				t.Fatalf("task %d: %v", i, err)
			}
			time.Sleep(timeout) // the worker expires at the moment of the next submit
		}
	})
}

func TestFault02PanicInUserCodeKillsTheProcessOrKeepsALock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		boom := func() { panic("boom") }
		var pe *taskmanager.PanicError

		if _, err := m.Submit(t.Context(), &task{nameOf: func() string { boom(); return "" }}); !errors.As(err, &pe) {
			t.Errorf("Submit of a task whose Name panics: %v, want a *PanicError", err)
		}
		h := submit(t, m, &task{
			name:     "progress",
			execute:  untilCancelled,
			progress: func() (float64, error) { boom(); return 0, nil },
		})
		if err := m.TaskStatus()["progress"].ProgressError; !errors.As(err, &pe) {
			t.Errorf("ProgressError after a panic in Progress: %v, want a *PanicError", err)
		}
		h.Cancel()
		h = submit(t, m, &task{name: "describe", execute: untilCancelled, describe: func() string { boom(); return "" }})
		if err := h.Status().ProgressError; !errors.As(err, &pe) {
			t.Errorf("ProgressError after a panic in Description: %v, want a *PanicError", err)
		}
		h.Cancel()
		h = submit(t, m, &task{
			name:    "restart",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { boom(); return true },
		})
		if err := wait(t, h); !errors.As(err, &pe) || !errors.Is(err, errFailed) {
			t.Errorf("a task whose Restart panics ended with %v, want the failure and a *PanicError", err)
		}
		if err := wait(t, submitFunc(t, m, "after", func(context.Context) error { return nil })); err != nil {
			t.Errorf("a task after all the panics: %v", err)
		}
	})
}

func TestFault03SecondWorkerComesLateAndInHundreds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1000))
		for i := range 2 {
			submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		synctest.Wait() // takes no virtual time
		for name, s := range m.TaskStatus() {
			if s.Status != taskmanager.Running {
				t.Errorf("task %s is %v at once, want running", name, s.Status)
			}
		}
		time.Sleep(time.Second)
		if got := len(m.Status()); got != 2 {
			t.Errorf("%d workers for 2 tasks, want 2", got)
		}
	})
}

func TestFault03RestartStartsAWorkerThatHasNothingToDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1000))
		runs := 0
		h := submit(t, m, &task{
			name:    "name",
			execute: func(context.Context) error { runs++; return errFailed },
			restart: func(context.Context, error) bool { return runs < 10 },
		})
		await(t, h)
		if got := len(m.Status()); got != 1 {
			t.Errorf("%d workers for one task that ran %d times, want 1", got, runs)
		}
	})
}

func TestFault04TwoTasksOfOneNameRunTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 10))
		var runs int
		asked := make(chan struct{})
		h := submit(t, m, &task{
			name: "name",
			execute: func(context.Context) error {
				if runs++; runs == 4 {
					return nil
				}
				return errFailed
			},
			restart: func(context.Context, error) bool { <-asked; return true },
		})
		for !isClosed(h.Done()) {
			synctest.Wait()
			if isClosed(h.Done()) {
				break
			}
			// The task is in Restart or waits for its restart.
			if _, err := m.GoFunc("name", untilCancelled); !errors.Is(err, taskmanager.ErrAlreadyExists) {
				t.Fatalf("a second task of the name during run %d: %v, want ErrAlreadyExists", runs, err)
			}
			select {
			case asked <- struct{}{}:
			default:
				time.Sleep(time.Millisecond)
			}
		}
		if err := h.Err(); err != nil || runs != 4 {
			t.Errorf("ended with %v after %d runs, want nil after 4", err, runs)
		}
		if err := wait(t, submitFunc(t, m, "name", func(context.Context) error { return nil })); err != nil {
			t.Errorf("the name is not free after the end: %v", err)
		}
	})
}

func TestFault04OneTaskSeemsToRunOnTwoWorkers(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(4, 4), taskmanager.WithRestart(fixedDelay(0)))
	for i := range 4 {
		submit(t, m, &task{
			name:    fmt.Sprint(i),
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
	}
	for range 20_000 {
		on := map[string]int32{}
		for worker, info := range m.Status() {
			if other, twice := on[info.TaskName]; twice && info.Status == taskmanager.Running {
				t.Fatalf("task %q is said to run on workers %d and %d", info.TaskName, worker, other)
			}
			on[info.TaskName] = worker
		}
	}
}

func TestFault05MaxIsExceededAndMinUndershot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const least, most = 2, 5
		m := start(t, taskmanager.WithWorkers(least, most), taskmanager.WithIdleTimeout(time.Second))
		var running, peak atomic.Int32
		for i := range 1000 {
			submitFunc(t, m, fmt.Sprint(i), func(context.Context) error {
				now := running.Add(1)
				defer running.Add(-1)
				for p := peak.Load(); now > p && !peak.CompareAndSwap(p, now); p = peak.Load() {
				}
				time.Sleep(time.Millisecond)
				panic("boom")
			})
			if got := m.Snapshot().Workers; got < least || got > most {
				t.Fatalf("%d workers after submit %d, want %d to %d", got, i, least, most)
			}
		}
		for len(m.TaskStatus()) > 0 {
			time.Sleep(time.Millisecond)
			if got := m.Snapshot().Workers; got < least || got > most {
				t.Fatalf("%d workers while tasks panic, want %d to %d", got, least, most)
			}
		}
		if got := peak.Load(); got != most {
			t.Errorf("at most %d tasks ran at once, want %d", got, most)
		}
		time.Sleep(time.Second) // all workers above min time out at the same moment
		synctest.Wait()
		if got := m.Snapshot().Workers; got != least {
			t.Errorf("%d workers after the timeout, want %d", got, least)
		}
	})
}

func TestFault06GoexitLosesTheWorkerAndTheName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		for range 3 {
			h := submitFunc(t, m, "name", func(context.Context) error { runtime.Goexit(); return nil })
			if err := wait(t, h); !errors.Is(err, taskmanager.ErrGoexit) {
				t.Errorf("ended with %v, want ErrGoexit", err)
			}
		}
		synctest.Wait()
		want := map[int32]taskmanager.WorkerInfo{1: {TaskName: "idle", Status: taskmanager.Waiting}}
		if diff := cmp.Diff(want, m.Status()); diff != "" {
			t.Errorf("Status after three tasks that called Goexit (-want +got):\n%s", diff)
		}
	})
}

func TestFault07GoAfterStopLooksLikeASuccess(t *testing.T) {
	m := start(t)
	stop(t, m)
	if c, err := m.Go(&task{name: "late"}); c != nil || !errors.Is(err, taskmanager.ErrStopped) {
		t.Errorf("Go after Stop returned %v, %v; want nil, ErrStopped", c, err)
	}
	if c, err := m.GoFunc("late", untilCancelled); c != nil || !errors.Is(err, taskmanager.ErrStopped) {
		t.Errorf("GoFunc after Stop returned %v, %v; want nil, ErrStopped", c, err)
	}
	for _, err := range []error{
		func() error { _, err := m.Submit(t.Context(), &task{name: "late"}); return err }(),
		func() error { _, err := m.SubmitFunc(t.Context(), "late", untilCancelled); return err }(),
	} {
		if !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a submit after Stop returned %v, want ErrStopped", err)
		}
	}
	if got := m.TaskStatus(); len(got) != 0 {
		t.Errorf("TaskStatus after Stop has %v, want nothing", got)
	}
}

func TestFault08RestartsWithoutBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var runs atomic.Int32
		submit(t, m, &task{
			name:    "hopeless",
			execute: func(context.Context) error { runs.Add(1); return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := runs.Load() - 1; got < 1 || got > 20 {
			t.Errorf("%d restarts in the first second, want 1 to 20", got)
		}
	})
}

func TestFault09OwnCancellationIsTakenForAShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var asked atomic.Int32
		restart := func(context.Context, error) bool { return asked.Add(1) == 1 }
		h := submit(t, m, &task{
			name:    "own",
			execute: func(context.Context) error { return fmt.Errorf("a query: %w", context.Canceled) },
			restart: restart,
		})
		if err := wait(t, h); !errors.Is(err, context.Canceled) || h.Status().Restarts != 1 {
			t.Errorf("own context.Canceled: ended with %v after %d restarts, want 1", err, h.Status().Restarts)
		}
		asked.Store(0)
		h = submit(t, m, &task{
			name:    "shutdown",
			execute: func(ctx context.Context) error { <-ctx.Done(); return errFailed },
			restart: restart,
		})
		synctest.Wait()
		stop(t, m)
		if err := h.Err(); asked.Load() != 0 || !errors.Is(err, taskmanager.ErrStopped) || !errors.Is(err, errFailed) {
			t.Errorf("shutdown: asked %d times to restart and ended with %v; want 0, ErrStopped and the failure", asked.Load(), err)
		}
	})
}

func TestFault10TaskNamedIdleIsOverwritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "idle", untilCancelled)
		synctest.Wait()
		want := map[int32]taskmanager.WorkerInfo{1: {TaskName: "idle", Status: taskmanager.Running, Kind: "func", Attempt: 1, Since: time.Now()}}
		if diff := cmp.Diff(want, m.Status()); diff != "" {
			t.Errorf("Status (-want +got):\n%s", diff)
		}
		if got := m.TaskStatus()["idle"]; got.Status != taskmanager.Running || got.Worker != 1 {
			t.Errorf("TaskStatus of the task named idle: %+v, want running on worker 1", got)
		}
	})
}

func TestFault11UserCodeIsCalledUnderALock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var n atomic.Int32
		again := func() {
			submitFunc(t, m, fmt.Sprint("more/", n.Add(1)), func(context.Context) error { return nil })
			m.Status()
			m.Snapshot()
		}
		h := submit(t, m, &task{
			name:     "name",
			execute:  func(ctx context.Context) error { again(); m.TaskStatus(); <-ctx.Done(); return errFailed },
			progress: func() (float64, error) { again(); return 1, nil },
			describe: func() string { again(); return "" },
			nameOf:   func() string { again(); return "name" },
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { m.TaskStatus(); h.Status() })
		}
		wg.Wait()
		h.Cancel()
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrCancelled) {
			t.Errorf("ended with %v, want ErrCancelled", err)
		}
	})
}

func TestFault12StopReturnsBeforeWorkersLeave(t *testing.T) {
	for range 100 {
		m := start(t, taskmanager.WithWorkers(8, 8))
		for i := range 8 {
			submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		stop(t, m)
		if got := m.Status(); len(got) != 0 {
			t.Fatalf("Status after Stop has %v, want nothing", got)
		}
	}
}

func TestFault13WorkersNeverShrinkUnderATrickle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 10), taskmanager.WithIdleTimeout(time.Second))
		for i := range 10 {
			submitFunc(t, m, fmt.Sprint("burst/", i), func(context.Context) error { time.Sleep(time.Second); return nil })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := m.Snapshot().Workers; got != 10 {
			t.Fatalf("%d workers in the burst, want 10", got)
		}
		for i := range 11 {
			await(t, submitFunc(t, m, fmt.Sprint("trickle/", i), func(context.Context) error { return nil }))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := m.Snapshot().Workers; got != 1 {
			t.Errorf("%d workers after a trickle of work for longer than the timeout, want 1", got)
		}
	})
}

func TestFault14GoroutineAndTimerPerQueuedTask(t *testing.T) {
	const tasks, limit = 100_000, 300
	m := start(t, taskmanager.WithWorkers(1, 1))
	submitFunc(t, m, "blocks the worker", untilCancelled)
	names := taskNames(tasks)
	// NumGoroutine counts ended ones while a collection frees their stacks, so one is over before.
	before, goroutines := heapInUse(), runtime.NumGoroutine()
	for _, name := range names {
		submitFunc(t, m, name, untilCancelled)
	}
	after, got := heapInUse(), runtime.NumGoroutine()
	if got > goroutines+2 {
		t.Errorf("%d goroutines for %d queued tasks, %d before", got, tasks, goroutines)
	}
	if got := (after - before) / tasks; got > limit {
		t.Errorf("a queued task takes %d bytes, want at most %d", got, limit)
	}
	runtime.KeepAlive(names)
}

// heapInUse collects twice, because a sync.Pool and a finalizer keep memory through one collection.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestFault15HowATaskEndedIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		if err := wait(t, submitFunc(t, m, "error", func(context.Context) error { return errFailed })); !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want the error returned", err)
		}
		err := wait(t, submitFunc(t, m, "panic", func(context.Context) error { panic(errFailed) }))
		var pe *taskmanager.PanicError
		if !errors.As(err, &pe) {
			t.Fatalf("ended with %v, want a *PanicError", err)
		}
		if !errors.Is(err, errFailed) || len(pe.Stack) == 0 {
			t.Errorf("panic value %v with a stack of %d bytes; want the value and a stack", pe.Value, len(pe.Stack))
		}
	})
}

func TestFault16FinishedTasksStayReachable(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	var handle *taskmanager.Handle
	finished := func() weak.Pointer[task] {
		x := &task{name: "big"}
		handle = submit(t, m, x)
		await(t, handle)
		return weak.Make(x)
	}()
	// The worker drops its reference to the task shortly after the task has ended.
	for m.Snapshot().Busy > 0 {
		runtime.Gosched()
	}
	runtime.GC()
	if x := finished.Value(); x != nil {
		t.Errorf("the task %q is still reachable after its end", x.name)
	}
	runtime.KeepAlive(handle)
}
