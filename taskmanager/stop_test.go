package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestStopNamesTasksThatIgnoreTheirContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 10))
		release := make(chan struct{})
		stubborn := func(context.Context) error { <-release; return nil }
		var handles []*taskmanager.Handle
		for _, name := range []string{"b", "a"} {
			handles = append(handles, submitFunc(t, m, name, stubborn))
		}
		submitFunc(t, m, "good", untilCancelled)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := m.Stop(ctx)
		var se *taskmanager.StopError
		if !errors.As(err, &se) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Stop returned %v, want a *StopError that wraps the deadline", err)
		}
		if diff := cmp.Diff([]string{"a", "b"}, se.Running); diff != "" {
			t.Errorf("tasks still running (-want +got):\n%s", diff)
		}
		close(release)
		stop(t, m)
		for _, h := range handles {
			if err := h.Err(); err != nil {
				t.Errorf("task %s did its work to the end, but ended with %v", h.Name(), err)
			}
		}
	})
}

func TestStopFromInsideATask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var got error
		h := submitFunc(t, m, "suicide", func(context.Context) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			got = m.Stop(ctx)
			return nil
		})
		await(t, h)
		var se *taskmanager.StopError
		if !errors.As(got, &se) {
			t.Fatalf("Stop inside a task returned %v, want a *StopError", got)
		}
		if diff := cmp.Diff([]string{"suicide"}, se.Running); diff != "" {
			t.Errorf("tasks still running (-want +got):\n%s", diff)
		}
	})
}

func TestStopAtOnceFromManyGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 4))
		for i := range 20 {
			submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { stop(t, m) })
		}
		wg.Wait()
		stop(t, m)
		if workers, tasks := m.Status(), m.TaskStatus(); len(workers)+len(tasks) != 0 {
			t.Errorf("after Stop: workers %v, tasks %v; want none", workers, tasks)
		}
	})
}

func TestStopReachesATaskThatWaitsToRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(fixedDelay(time.Hour)))
		h := submit(t, m, &task{
			name:    "name",
			execute: func(context.Context) error { return errFailed },
			restart: func(context.Context, error) bool { return true },
		})
		synctest.Wait()
		if got := h.Status(); got.Status != taskmanager.Restarted || !errors.Is(got.LastError, errFailed) {
			t.Fatalf("status %+v, want restarted, with its last error", got)
		}
		stop(t, m)
		if err := h.Err(); !errors.Is(err, taskmanager.ErrStopped) || !errors.Is(err, errFailed) {
			t.Errorf("ended with %v, want ErrStopped and the last failure", err)
		}
	})
}

func TestStopReleasesSubmittersThatWaitForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		submitFunc(t, m, "busy", untilCancelled)
		errs := make(chan error)
		go func() {
			_, err := m.SubmitFunc(context.Background(), "waits", untilCancelled)
			errs <- err
		}()
		synctest.Wait()
		go stop(t, m)
		if err := <-errs; !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a submit that waited for room returned %v, want ErrStopped", err)
		}
		synctest.Wait()
		if got := m.TaskStatus(); len(got) != 0 {
			t.Errorf("TaskStatus has %v, want nothing", got)
		}
	})
}

func TestCausesOfCancelAndStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2))
		causes := make(map[string]error)
		var mu sync.Mutex
		record := func(name string) func(context.Context) error {
			return func(ctx context.Context) error {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				causes[name] = context.Cause(ctx)
				return ctx.Err()
			}
		}
		h := submitFunc(t, m, "cancelled", record("cancelled"))
		submitFunc(t, m, "stopped", record("stopped"))
		synctest.Wait()
		h.Cancel()
		await(t, h)
		stop(t, m)
		if !errors.Is(causes["cancelled"], taskmanager.ErrCancelled) || !errors.Is(causes["stopped"], taskmanager.ErrStopped) {
			t.Errorf("causes are %v, want ErrCancelled and ErrStopped", causes)
		}
	})
}
