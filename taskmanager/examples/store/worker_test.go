package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// startWorker starts a worker with two slots. stop stops its manager.
func startWorker(t rapid.TB, st store, execute func(context.Context, task) error) (stop func()) {
	t.Helper()
	m, err := taskmanager.Start(taskmanager.WithWorkers(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{
		store: st, manager: m, handlers: map[string]func(context.Context, task) error{"kind": execute}, policy: restart.MaxAttempts(3, restart.Constant(time.Second)),
		valid: 8 * time.Second, poll: time.Second, crashes: 3,
	}
	ended := make(chan error, 1)
	go func() { ended <- w.run(context.Background()) }()
	return sync.OnceFunc(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := <-ended; !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("run returned %v, want %v", err, taskmanager.ErrStopped)
		}
	})
}

func insert(t rapid.TB, st store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := st.insert(context.Background(), task{name: name, kind: "kind"}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// lasting is a task that takes the given time unless it is cancelled.
func lasting(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// TestWorkersTakeNoMoreThanTheyCanRun stores ten tasks of four seconds for two workers with two slots
// each, and stops one of them half-way.
func TestWorkersTakeNoMoreThanTheyCanRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		insert(t, st, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
		execute := func(ctx context.Context, _ task) error { return lasting(ctx, 4*time.Second) }
		stop := startWorker(t, st, execute)
		defer startWorker(t, st, execute)()
		check := func(leased, outstanding int) {
			t.Helper()
			synctest.Wait()
			st.mu.Lock()
			defer st.mu.Unlock()
			got := 0
			for _, r := range st.rows {
				if r.token != 0 {
					got++
				}
			}
			if got != leased || len(st.rows) != outstanding {
				t.Errorf("%d of %d outstanding tasks are leased, want %d of %d", got, len(st.rows), leased, outstanding)
			}
		}
		time.Sleep(2 * time.Second)
		check(4, 10)
		stop()
		check(2, 10) // those of the first have been given back
		time.Sleep(20 * time.Second)
		check(0, 0)
	})
}

// TestLeasesAreRenewed runs a task that takes several times as long as a lease.
func TestLeasesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		insert(t, st, "long")
		runs := 0
		for range 2 {
			defer startWorker(t, st, func(ctx context.Context, _ task) error {
				runs++
				return lasting(ctx, time.Minute)
			})()
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if runs != 1 || len(st.rows) != 0 {
			t.Errorf("the task has run %d times, and %d tasks are outstanding, want 1 and 0", runs, len(st.rows))
		}
	})
}

// TestLostLease cuts a worker off from the store. Its execution must end before that of its successor
// begins.
func TestLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		cable := &cable{store: st}
		insert(t, st, "task")
		ended := make(chan time.Time, 1)
		defer startWorker(t, cable, func(ctx context.Context, _ task) error {
			err := lasting(ctx, time.Hour)
			if !errors.Is(err, errLeaseLost) {
				t.Errorf("the execution was cancelled because of %v, want %v", err, errLeaseLost)
			}
			ended <- time.Now()
			return err
		})()
		time.Sleep(5 * time.Second)
		begun := make(chan time.Time, 1)
		defer startWorker(t, st, func(ctx context.Context, _ task) error {
			h, _ := taskmanager.FromContext(ctx)
			if attempt := h.Status().Attempt; attempt != 2 {
				t.Errorf("the successor is execution %d, want 2", attempt)
			}
			begun <- time.Now()
			return nil
		})()
		cable.cut.Store(true)
		time.Sleep(time.Minute)
		select {
		case begin := <-begun:
			if end := <-ended; !end.Before(begin) {
				t.Errorf("the execution ended %v after its successor began", end.Sub(begin))
			}
		default:
			t.Error("the task has no successor")
		}
	})
}

// TestRemove cancels a task that runs, and one that waits. The first ends at the next renewal.
func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		insert(t, st, "runs")
		runs, ended := 0, make(chan error, 1)
		defer startWorker(t, st, func(ctx context.Context, _ task) error {
			runs++
			err := lasting(ctx, time.Hour)
			ended <- err
			return err
		})()
		time.Sleep(time.Second)
		if err := st.insert(t.Context(), task{name: "waits", kind: "kind"}, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"runs", "waits"} {
			if found, err := st.remove(t.Context(), name); err != nil || !found {
				t.Errorf("remove(%s) returned %t and %v, want true", name, found, err)
			}
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, errLeaseLost) {
				t.Errorf("the execution was cancelled because of %v, want %v", err, errLeaseLost)
			}
		default:
			t.Error("the execution goes on")
		}
		if runs != 1 || len(st.rows) != 0 || len(st.dead) != 0 {
			t.Errorf("there were %d executions, %d tasks are outstanding and %d dead, want 1, 0 and 0", runs, len(st.rows), len(st.dead))
		}
	})
}

// TestUnknownKind leaves a task whose kind the worker does not handle, for one that does.
func TestUnknownKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		if err := st.insert(t.Context(), task{name: "task", kind: "other"}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		defer startWorker(t, st, func(context.Context, task) error {
			t.Error("the task runs")
			return nil
		})()
		time.Sleep(time.Minute)
		leases, err := st.lease(t.Context(), []string{"other"}, 1, time.Second)
		if err != nil || len(leases) != 1 || leases[0].crashes != 0 {
			t.Errorf("lease returned %v and %v, want the task without crashes", leases, err)
		}
	})
}

// noRenewal is a store that renews no lease.
type noRenewal struct{ store }

func (noRenewal) renew(context.Context, []lease, time.Duration) ([]lease, error) {
	return nil, errUnreachable
}

// TestExecutionThatIgnoresItsEnd has a worker take a task again whose first execution still goes on there.
func TestExecutionThatIgnoresItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		insert(t, st, "task")
		runs := 0
		defer startWorker(t, noRenewal{st}, func(context.Context, task) error {
			if runs++; runs == 1 {
				time.Sleep(time.Minute)
			}
			return nil
		})()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if runs != 2 || len(st.rows) != 0 || len(st.dead) != 0 {
			t.Errorf("the task has run %d times, %d tasks are outstanding and %d dead, want 2, 0 and 0", runs, len(st.rows), len(st.dead))
		}
	})
}

// TestTaskThatKillsItsProcess stands for processes that die: each takes the task and is not heard of again.
func TestTaskThatKillsItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newMemory()
		insert(t, st, "poison")
		for range 3 {
			if leases, err := st.lease(t.Context(), []string{"kind"}, 1, time.Second); err != nil || len(leases) != 1 {
				t.Fatalf("lease returned %d tasks and %v, want 1", len(leases), err)
			}
			time.Sleep(time.Second)
		}
		defer startWorker(t, st, func(context.Context, task) error {
			t.Error("the task runs again")
			return nil
		})()
		synctest.Wait()
		want := map[string]string{"poison": "its lease was lost too often; does it kill its process?"}
		if diff := cmp.Diff(want, st.dead); diff != "" {
			t.Errorf("dead tasks (-want +got):\n%s", diff)
		}
	})
}

// TestNothingIsLost runs tasks that fail at random on workers that come, stop and lose the store at
// random. In the end each task must have succeeded or be dead, and none may have run twice at a time.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := rapid.SliceOfN(rapid.SampledFrom([]string{"start", "stop", "cut", "wait"}), 1, 12).Draw(t, "plan")
		fails := rapid.SliceOfN(rapid.Bool(), 20, 20).Draw(t, "fails")
		rapid.SyncTest(t, func(t *rapid.T) { runPlan(t, plan, fails) })
	})
}

// runPlan inserts a task for each step of the plan. Of all executions, those fail that fails says.
func runPlan(t *rapid.T, plan []string, fails []bool) {
	st := newMemory()
	l := &ledger{t: t, fails: fails, running: make(map[string]bool), succeeded: make(map[string]bool)}
	var stops []func()
	var cables []*cable
	start := func() {
		cables = append(cables, &cable{store: st})
		stops = append(stops, startWorker(t, cables[len(cables)-1], l.execute))
	}
	for i, step := range plan {
		insert(t, st, fmt.Sprint("task ", i))
		switch last := len(stops) - 1; {
		case step == "start":
			start()
		case step == "stop" && last >= 0:
			stops[last]()
		case step == "cut" && last >= 0:
			cables[last].cut.Store(true)
		}
		time.Sleep(2 * time.Second)
	}
	start()
	time.Sleep(10 * time.Minute)
	for _, stop := range stops {
		stop()
	}
	for i := range plan {
		if name := fmt.Sprint("task ", i); !l.succeeded[name] && st.dead[name] == "" {
			t.Errorf("%s has neither succeeded nor died", name)
		}
	}
}

// ledger holds the executions of all workers.
type ledger struct {
	t         *rapid.T
	mu        sync.Mutex
	fails     []bool
	runs      int
	running   map[string]bool
	succeeded map[string]bool
}

func (l *ledger) execute(ctx context.Context, t task) error {
	fails := l.begin(t.name)
	err := lasting(ctx, 3*time.Second)
	if err == nil && fails {
		err = errors.New("failed")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, t.name)
	if err == nil {
		l.succeeded[t.name] = true
	}
	return err
}

func (l *ledger) begin(name string) (fails bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[name] {
		l.t.Errorf("%s runs twice at a time", name)
	}
	l.running[name] = true
	l.runs++
	return l.fails[l.runs%len(l.fails)]
}
