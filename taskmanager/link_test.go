package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// linkedSubmits are the ways to submit a task that is linked to ctx, with the error that the
// task then matches when ctx has ended.
var linkedSubmits = map[string]struct {
	submit func(m *taskmanager.TaskManager, ctx context.Context, name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) error
	err    error
}{
	"WithLinkedContext": {func(m *taskmanager.TaskManager, ctx context.Context, name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) error {
		_, err := m.SubmitFunc(ctx, name, fn, append(opts, taskmanager.WithLinkedContext())...)
		return err
	}, taskmanager.ErrCancelled},
	"Group": {func(m *taskmanager.TaskManager, ctx context.Context, name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) error {
		return m.Group(ctx).Go(name, fn, opts...)
	}, taskmanager.ErrGroupFailed},
}

// TestLinkedTaskStartsAfterItsContextEnded checks that a linked task that waits for a worker,
// for its time or for its restart does not start once cancel has returned.
func TestLinkedTaskStartsAfterItsContextEnded(t *testing.T) {
	waits := map[string]struct {
		opts  []taskmanager.TaskOption
		holds func(m *taskmanager.TaskManager) (release func())
	}{
		"behind a pause": {holds: func(m *taskmanager.TaskManager) func() { m.Pause(); return m.Resume }},
		"behind a busy worker": {holds: func(m *taskmanager.TaskManager) func() {
			end := make(chan struct{})
			_, err := m.GoFunc("blocker", func(context.Context) error { <-end; return nil })
			if err != nil {
				panic(err)
			}
			return func() { close(end) }
		}},
		"until it is due": {
			opts:  []taskmanager.TaskOption{taskmanager.WithDelay(time.Second)},
			holds: func(*taskmanager.TaskManager) func() { return func() { time.Sleep(time.Second) } },
		},
	}
	for how, way := range linkedSubmits {
		for wait, w := range waits {
			t.Run(how+" "+wait, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := start(t, taskmanager.WithWorkers(1, 1))
					for i := range 200 {
						ctx, cancel := context.WithCancelCause(t.Context())
						release := w.holds(m)
						began := false
						err := way.submit(m, ctx, "linked", func(context.Context) error { began = true; return nil }, w.opts...)
						if err != nil {
							t.Fatal(err)
						}
						h, _ := m.Lookup("linked")
						cancel(errFailed)
						release()
						err = waitForAll(t, m, h)
						if began || !errors.Is(err, way.err) {
							t.Fatalf("round %d: the task began: %v, and ended with %v; want %v", i, began, err, way.err)
						}
						if reason, ok := errors.AsType[*taskmanager.GroupError](err); ok {
							err = reason.Reason
						}
						check.Is(t, "the reason of the end", err, errFailed)
					}
				})
			})
		}
	}
}

// waitForAll waits until a task and all other tasks of its manager have ended.
func waitForAll(t *testing.T, m *taskmanager.TaskManager, h *taskmanager.Handle) error {
	t.Helper()
	if err := m.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return wait(t, h)
}

// TestLinkedTaskRestartsAfterItsContextEnded checks that a task that cancels its linked
// context and then fails does not restart: its failure is not reported as one, and it is not
// asked for a restart.
func TestLinkedTaskRestartsAfterItsContextEnded(t *testing.T) {
	for how, way := range linkedSubmits {
		t.Run(how, func(t *testing.T) {
			m := start(t, taskmanager.WithRestart(fixedDelay(0)), taskmanager.WithRestartPlain())
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				runs := 0
				hold := make(chan struct{})
				err := way.submit(m, ctx, "linked", func(context.Context) error {
					runs++
					<-hold
					cancel()
					return errFailed
				})
				if err != nil {
					t.Fatal(err)
				}
				h, _ := m.Lookup("linked")
				close(hold)
				err = wait(t, h)
				check.Is(t, "the error of the task", err, way.err)
				check.Is(t, "the error of the task", err, errFailed)
				check.Equal(t, "runs", runs, 1)
			}
		})
	}
}

// TestRunningTaskDoesNotSeeThatItsLinkedContextEnded checks what a task sees of its context
// after it has cancelled the context to which it is linked: the same as with a derived context.
func TestRunningTaskDoesNotSeeThatItsLinkedContextEnded(t *testing.T) {
	for how, way := range linkedSubmits {
		for _, observed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, observed %v", how, observed), func(t *testing.T) {
				m := start(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				derived, stop := context.WithCancel(ctx)
				defer stop()
				err := way.submit(m, ctx, "linked", func(ctx context.Context) error {
					var child context.Context
					var done <-chan struct{}
					if observed {
						child, stop = context.WithCancel(ctx)
						defer stop()
						done = ctx.Done()
					}
					cancel(errFailed)
					check.Equal(t, "Err", ctx.Err(), derived.Err())
					check.Is(t, "Cause", context.Cause(ctx), context.Cause(derived))
					check.Equal(t, "Done is closed", isClosed(ctx.Done()), true)
					if observed {
						check.Equal(t, "Done was closed", isClosed(done), true)
						check.Is(t, "Cause of a derived context", context.Cause(child), errFailed)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if h, ok := m.Lookup("linked"); ok {
					await(t, h)
				}
			})
		}
	}
}

// TestLinkedContextThatExpires checks that the context of a task ends with the deadline of the
// context to which it is linked, with the same error, in every execution.
func TestLinkedContextThatExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithRestart(fixedDelay(0)), taskmanager.WithRestartPlain())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		runs := 0
		h, err := m.SubmitFunc(ctx, "linked", func(ctx context.Context) error {
			if runs++; runs < 3 {
				return errFailed
			}
			<-ctx.Done()
			return ctx.Err()
		}, taskmanager.WithLinkedContext())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = h.Wait(t.Context())
		check.Equal(t, "the time until the end", time.Since(began), time.Minute)
		check.Is(t, "the error of the task", err, context.DeadlineExceeded)
		check.Is(t, "the error of the task", err, taskmanager.ErrCancelled)
		check.Equal(t, "runs", runs, 3)
	})
}

// TestEndOfALinkedContextStartsAGoroutinePerTask cancels a context that many tasks, directly
// or through values and groups, are linked to.
func TestEndOfALinkedContextStartsAGoroutinePerTask(t *testing.T) {
	const tasks = 5000
	m := start(t, taskmanager.WithWorkers(1, 1))
	m.Pause()
	ctx, cancel := context.WithCancel(t.Context())
	group := m.Group(ctx)
	for i := range tasks {
		own := context.WithValue(ctx, key("i"), i)
		for _, err := range []error{
			group.Go(fmt.Sprint("group", i), fn0),
			m.Group(own).Go(fmt.Sprint("own group", i), fn0),
			linkedSubmits["WithLinkedContext"].submit(m, ctx, fmt.Sprint("linked", i), fn0),
			linkedSubmits["WithLinkedContext"].submit(m, own, fmt.Sprint("own context", i), fn0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // NumGoroutine counts ended ones while a collection frees their stacks
	before := runtime.NumGoroutine()
	cancel()
	most := runtime.NumGoroutine()
	idle := make(chan error)
	go func() { idle <- m.WaitIdle(t.Context()) }()
	for waiting := true; waiting; {
		select {
		case err := <-idle:
			check.Equal(t, "WaitIdle", err, nil)
			waiting = false
		default:
			most = max(most, runtime.NumGoroutine())
			runtime.Gosched()
		}
	}
	if most > before+10 {
		t.Errorf("the end of a context with %d linked tasks started %d goroutines", 4*tasks, most-before)
	}
	check.Is(t, "Wait for the group", group.Wait(t.Context()), context.Canceled)
}

type key string

// foreignContext is a context that the standard library does not know. Its dynamic type is not
// comparable. It counts the functions that are registered with it.
type foreignContext struct {
	context.Context
	done  chan struct{}
	state *foreignState
	_     []int
}

type foreignState struct {
	mu         sync.Mutex
	calls      map[int]func()
	registered int
	err        error
}

func newForeignContext() foreignContext {
	return foreignContext{
		Context: context.Background(), done: make(chan struct{}),
		state: &foreignState{calls: map[int]func(){}},
	}
}

func (c foreignContext) Done() <-chan struct{} { return c.done }

func (c foreignContext) Err() error {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.err
}

// AfterFunc is how the standard library links to a foreign context without a goroutine.
func (c foreignContext) AfterFunc(f func()) (stop func() bool) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.registered++
	id := c.state.registered
	c.state.calls[id] = f
	return func() bool {
		c.state.mu.Lock()
		defer c.state.mu.Unlock()
		_, ok := c.state.calls[id]
		delete(c.state.calls, id)
		return ok
	}
}

// end ends the context without a call of the functions, as if their goroutines were late.
func (c foreignContext) end() (late func()) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.err = context.Canceled
	close(c.done)
	calls := c.state.calls
	c.state.calls = map[int]func(){}
	return func() {
		for _, f := range calls {
			f()
		}
	}
}

func (c foreignContext) outstanding() (now, ever int) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return len(c.state.calls), c.state.registered
}

// TestLinkToAForeignContext checks that tasks that are linked to a context of a foreign type
// do not start after its end, that they share one registration, and that nothing stays
// registered when they have ended.
func TestLinkToAForeignContext(t *testing.T) {
	for how, way := range linkedSubmits {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1))
				ctx := newForeignContext()
				for round := range 3 {
					m.Pause()
					for i := range 10 {
						if err := way.submit(m, ctx, fmt.Sprint(i), fn0); err != nil {
							t.Fatal(err)
						}
					}
					now, ever := ctx.outstanding()
					check.Equal(t, "registrations for ten tasks", now, 1)
					check.Equal(t, "registrations so far", ever, round+1)
					m.Resume()
					check.Equal(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
					synctest.Wait() // the last task leaves the link after its end
					now, _ = ctx.outstanding()
					check.Equal(t, "registrations after the end of the tasks", now, 0)
				}
				m.Pause()
				began := false
				if err := way.submit(m, ctx, "late", func(context.Context) error { began = true; return nil }); err != nil {
					t.Fatal(err)
				}
				h, _ := m.Lookup("late")
				late := ctx.end()
				m.Resume()
				check.Is(t, "the error of a task whose context has ended", wait(t, h), way.err)
				check.Equal(t, "the task began", began, false)
				late()
				synctest.Wait()
			})
		})
	}
}

// TestLinkToAContextThatEndsDuringTheSubmit checks that a task whose context ends between the
// first check of the submit and the link does not start.
func TestLinkToAContextThatEndsDuringTheSubmit(t *testing.T) {
	for how, way := range linkedSubmits {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t)
				ctx := endingContext{context.Background(), make(chan struct{}), new(atomic.Int32)}
				began := false
				_ = way.submit(m, ctx, "late", func(context.Context) error { began = true; return nil })
				check.Equal(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
				check.Equal(t, "the task began", began, false)
			})
		})
	}
}

// endingContext ends after the first call of Err.
type endingContext struct {
	context.Context
	done  chan struct{}
	calls *atomic.Int32
}

func (c endingContext) Done() <-chan struct{} { return c.done }

func (c endingContext) Err() error {
	switch c.calls.Add(1) {
	case 1:
		return nil
	case 2:
		close(c.done)
	}
	return context.Canceled
}

// TestGroupSucceedsAlthoughItsContextEnded checks that the end of the group's context while a
// task is outstanding is a failure of the group, even if the task notices nothing.
func TestGroupSucceedsAlthoughItsContextEnded(t *testing.T) {
	m := start(t)
	for range 200 {
		ctx, cancel := context.WithCancelCause(t.Context())
		g := m.Group(ctx)
		if err := g.Go("ends the context", func(context.Context) error { cancel(errFailed); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(t.Context()); !errors.Is(err, errFailed) {
			t.Fatalf("Wait returned %v, want why the context ended", err)
		}
	}
}

// TestLinkedContextKeepsEndedTasks checks that nothing of ended tasks stays in the context to
// which they were linked.
func TestLinkedContextKeepsEndedTasks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := start(t, taskmanager.WithWorkers(2, 2))
	round := func(tasks int) {
		for i := range tasks {
			h, err := m.SubmitFunc(ctx, fmt.Sprint(i), fn0, taskmanager.WithLinkedContext())
			if err != nil {
				t.Fatal(err)
			}
			await(t, h)
		}
	}
	round(1000)
	before := heap()
	round(10_000)
	expectLeft(t, "10,000 linked tasks", before, 100_000)
}

// TestScheduleRunsAfterItsContextEnded checks that no run of a schedule starts once cancel has
// returned: neither one that becomes due nor one that waits for the previous run.
func TestScheduleRunsAfterItsContextEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		ctx := newForeignContext()
		var runs atomic.Int32
		hold := make(chan struct{})
		s, err := m.Every(ctx, time.Second, &task{name: "a", execute: func(context.Context) error {
			runs.Add(1)
			<-hold
			return nil
		}}, taskmanager.WithOverlap(taskmanager.OverlapQueue))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5500 * time.Millisecond)
		late := ctx.end()
		close(hold)
		time.Sleep(time.Minute)
		check.Equal(t, "runs", runs.Load(), 1)
		check.Equal(t, "the next run", s.Next(), time.Time{})
		late()

		ctx = newForeignContext()
		if _, err = m.Every(ctx, time.Second, &task{name: "b", execute: func(context.Context) error { runs.Add(1); return nil }}); err != nil {
			t.Fatal(err)
		}
		late = ctx.end()
		time.Sleep(time.Minute)
		check.Equal(t, "runs", runs.Load(), 1)
		late()
	})
}

// TestTimeoutOfAnotherTaskIsNoTimeout links a task to the context of an execution that exceeds its
// limit. The linked task has a longer limit or none, or a deadline. It is cancelled; it has not
// exceeded a limit of its own.
func TestTimeoutOfAnotherTaskIsNoTimeout(t *testing.T) {
	for name, opt := range map[string]taskmanager.TaskOption{
		"no limit":          taskmanager.WithKind("child"),
		"a longer limit":    taskmanager.WithTimeout(time.Hour),
		"a later deadline":  taskmanager.WithDeadline(time.Now().AddDate(1000, 0, 0)),
		"a limit elsewhere": taskmanager.WithQueueTimeout(time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(2, 2))
				var child *taskmanager.Handle
				parent := submitFunc(t, m, "parent", func(ctx context.Context) (err error) {
					child, err = m.SubmitFunc(ctx, "child", func(ctx context.Context) error {
						<-ctx.Done()
						return errFailed
					}, taskmanager.WithLinkedContext(), opt)
					<-ctx.Done()
					return errors.Join(err, ctx.Err())
				}, taskmanager.WithTimeout(time.Second))
				check.Is(t, "the parent", parent.Wait(t.Context()), taskmanager.ErrTimeout)
				<-child.Done()
				check.Equal(t, "the child", fmt.Sprint(child.Err()),
					fmt.Sprintf("%v: %v: %v", taskmanager.ErrCancelled, bare(taskmanager.ErrTimeout), errFailed))
				counts := m.Counts()
				check.Equal(t, "timed out", counts.TimedOut, 1)
				check.Equal(t, "cancelled", counts.Cancelled, 1)
			})
		})
	}
}
