package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// journal notes when executions begin.
type journal struct {
	start time.Time
	mu    sync.Mutex
	lines []string
}

func newJournal() *journal { return &journal{start: time.Now()} }

// takes returns a task function that notes its begin and takes d, or until it is cancelled.
func (j *journal) takes(what string, d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		j.mu.Lock()
		j.lines = append(j.lines, fmt.Sprint(time.Since(j.start), " ", what))
		j.mu.Unlock()
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fails is takes with a failure at the end.
func (j *journal) fails(what string, d time.Duration) func(context.Context) error {
	takes := j.takes(what, d)
	return func(ctx context.Context) error {
		if err := takes(ctx); err != nil {
			return err
		}
		return errFailed
	}
}

// expect compares the notes.
func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	check.Equal(t, "executions", j.lines, want)
}

// sameTask checks that two handles are of the same task.
func sameTask(t *testing.T, what string, got, want *taskmanager.Handle) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got the handle of another task", what)
	}
}

func TestRerunOfARunningTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		first := submitFunc(t, m, "sync", j.takes("first", 10*time.Second), taskmanager.WithRerun())
		time.Sleep(time.Second)
		second := submitFunc(t, m, "sync", j.takes("second", 10*time.Second), taskmanager.WithRerun())
		time.Sleep(time.Second)
		for range 3 {
			sameTask(t, "a further request", submitFunc(t, m, "sync", j.takes("more", 0), taskmanager.WithRerun()), second)
		}
		check.Equal(t, "status", second.Status().Status, taskmanager.NotAssigned)
		check.Equal(t, "due", second.Status().DueAt, time.Time{})
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, Running: 1, Queued: 1})
		h, _ := m.Lookup("sync")
		sameTask(t, "Lookup", h, first)
		check.Equal(t, "tasks", len(m.TaskStatus()), 1)
		check.Is(t, "Wait", wait(t, second), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, Succeeded: 2})
		time.Sleep(time.Minute)
		j.expect(t, "0s first", "10s second")
	})
}

// TestRerunOfATaskThatHasYetToRun checks that the run to come serves the request.
func TestRerunOfATaskThatHasYetToRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1)), newJournal()
		submitFunc(t, m, "blocker", j.takes("blocker", time.Second))
		queued := submitFunc(t, m, "queued", j.takes("queued", 0))
		delayed := submitFunc(t, m, "delayed", j.takes("delayed", 0), taskmanager.WithDelay(time.Hour))
		policy := restart.MaxAttempts(2, restart.Constant(time.Minute))
		failing := submitFunc(t, m, "failing", j.fails("failing", 0), taskmanager.WithRestart(policy))
		sameTask(t, "queued", submitFunc(t, m, "queued", j.takes("no", 0), taskmanager.WithRerun()), queued)
		time.Sleep(2 * time.Second)
		sameTask(t, "delayed", submitFunc(t, m, "delayed", j.takes("no", 0), taskmanager.WithRerun()), delayed)
		sameTask(t, "failing", submitFunc(t, m, "failing", j.takes("no", 0), taskmanager.WithRerun()), failing)
		check.Equal(t, "accepted", m.Counts().Accepted, uint64(4))
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		j.expect(t, "0s blocker", "1s queued", "1s failing", "1m1s failing", "1h0m0s delayed")
	})
}

// TestRerunOfACancelledTask checks that no request is lost with a task that will not run.
func TestRerunOfACancelledTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1)), newJournal()
		blocker := submitFunc(t, m, "blocker", j.takes("blocker", time.Second))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		linked, err := m.SubmitFunc(ctx, "linked", j.takes("no", 0), taskmanager.WithLinkedContext())
		check.Is(t, "Submit", err, nil)
		cancel() // the goroutine that ends the task may come later
		again := submitFunc(t, m, "linked", j.takes("linked", 0), taskmanager.WithRerun())
		if again == linked {
			t.Error("a task whose context has ended serves the request")
		}
		next := submitFunc(t, m, "blocker", j.takes("no", 0), taskmanager.WithRerun())
		next.Cancel()
		check.Is(t, "Err", next.Err(), taskmanager.ErrCancelled)
		next = submitFunc(t, m, "blocker", j.takes("next", 0), taskmanager.WithRerun())
		check.Is(t, "Wait", wait(t, next), nil)
		check.Is(t, "Wait", wait(t, blocker), nil)
		check.Is(t, "Wait", wait(t, again), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 5, Succeeded: 3, Cancelled: 2})
		j.expect(t, "0s blocker", "1s linked", "1s next")
	})
}

// TestRerunOfATaskThatRestarts checks that the task behind waits for all restarts, and then runs.
func TestRerunOfATaskThatRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		policy := restart.MaxAttempts(3, restart.Constant(time.Minute))
		first := submitFunc(t, m, "sync", j.fails("first", time.Second), taskmanager.WithRestart(policy))
		synctest.Wait()
		second := submitFunc(t, m, "sync", j.takes("second", 0), taskmanager.WithRerun())
		time.Sleep(10 * time.Second)
		sameTask(t, "while it waits to restart", submitFunc(t, m, "sync", j.takes("no", 0), taskmanager.WithRerun()), first)
		check.Is(t, "Wait", second.Wait(t.Context()), nil)
		check.Is(t, "Err", first.Err(), taskmanager.ErrRestartsExhausted)
		j.expect(t, "0s first", "1m1s first", "2m2s first", "2m3s second")
	})
}

func TestReplaceATaskThatHasYetToRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1)), newJournal()
		submitFunc(t, m, "blocker", j.takes("blocker", time.Second))
		first := submitFunc(t, m, "report", j.takes("first", 0), taskmanager.WithReplace())
		second := submitFunc(t, m, "report", j.takes("second", 0), taskmanager.WithReplace())
		check.Is(t, "Err", first.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Err", first.Err(), context.Canceled)
		if errors.Is(first.Err(), taskmanager.ErrCancelled) {
			t.Error("a replaced task counts as cancelled by the user")
		}
		h, _ := m.Lookup("report")
		sameTask(t, "Lookup", h, second)
		third := submitFunc(t, m, "report", j.takes("third", time.Second), taskmanager.WithReplace(), taskmanager.WithDelay(10*time.Second))
		check.Is(t, "Err", second.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Wait", wait(t, third), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 4, Succeeded: 2, Cancelled: 2})
		j.expect(t, "0s blocker", "10s third")
	})
}

// TestReplaceKeepsTheDueTime checks which delay a task has that replaces a delayed one.
func TestReplaceKeepsTheDueTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		replace := taskmanager.WithReplace()
		for _, name := range []string{"kept", "zero", "own"} {
			submitFunc(t, m, name, j.takes("no", 0), taskmanager.WithDelay(10*time.Second))
		}
		time.Sleep(3 * time.Second)
		kept := submitFunc(t, m, "kept", j.takes("no", 0), replace)
		check.Equal(t, "due", kept.Status().DueAt.Sub(j.start), 10*time.Second)
		time.Sleep(3 * time.Second)
		submitFunc(t, m, "kept", j.takes("kept", 0), replace)
		submitFunc(t, m, "zero", j.takes("zero", 0), replace, taskmanager.WithDelay(0))
		submitFunc(t, m, "own", j.takes("own", 0), replace, taskmanager.WithDelay(5*time.Second))
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		j.expect(t, "6s zero", "10s kept", "11s own")
	})
}

func TestReplaceOfARunningTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		first := submitFunc(t, m, "report", j.takes("first", 10*time.Second))
		time.Sleep(time.Second)
		second := submitFunc(t, m, "report", j.takes("second", 0), taskmanager.WithReplace(), taskmanager.WithDelay(time.Minute))
		check.Equal(t, "due", second.Status().DueAt.Sub(j.start), 61*time.Second)
		third := submitFunc(t, m, "report", j.takes("third", 0), taskmanager.WithReplace())
		check.Is(t, "Err", second.Err(), taskmanager.ErrReplaced)
		sameTask(t, "WithRerun", submitFunc(t, m, "report", j.takes("no", 0), taskmanager.WithRerun()), third)
		check.Is(t, "Wait", third.Wait(t.Context()), nil)
		check.Is(t, "Err", first.Err(), nil)
		j.expect(t, "0s first", "1m1s third") // the third one has taken over the time of the second
	})
}

// TestReplaceOfATaskThatRestarts checks that a task that fails does not restart if another one
// waits to replace it, and that it is replaced while it waits to restart.
func TestReplaceOfATaskThatRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		policy := taskmanager.WithRestart(restart.Constant(time.Minute))
		first := submitFunc(t, m, "report", j.fails("first", 10*time.Second), policy)
		synctest.Wait()
		second := submitFunc(t, m, "report", j.fails("second", 10*time.Second), policy, taskmanager.WithReplace())
		time.Sleep(20*time.Second + time.Millisecond)
		check.Is(t, "Err", first.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Err", first.Err(), errFailed)
		behind := submitFunc(t, m, "report", j.fails("no", 0), taskmanager.WithRerun())
		sameTask(t, "WithRerun", behind, second) // which waits to restart
		third := submitFunc(t, m, "report", j.takes("third", time.Second), taskmanager.WithReplace())
		check.Is(t, "Err", second.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Err", second.Err(), errFailed)
		check.Is(t, "Wait", wait(t, third), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 3, Succeeded: 1, Cancelled: 2})
		j.expect(t, "0s first", "10s second", "20.001s third")
	})
}

// TestReplaceOfBoth checks a task that waits to restart and has another one behind it.
func TestReplaceOfBoth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		first := submitFunc(t, m, "a", j.fails("first", time.Second), taskmanager.WithRestart(restart.Constant(time.Hour)))
		synctest.Wait()
		second := submitFunc(t, m, "a", j.takes("no", 0), taskmanager.WithRerun())
		time.Sleep(2 * time.Second)
		third := submitFunc(t, m, "a", j.takes("third", 0), taskmanager.WithReplace())
		check.Is(t, "Err", first.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Err", second.Err(), taskmanager.ErrReplaced)
		check.Is(t, "Wait", wait(t, third), nil)
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		j.expect(t, "0s first", "2s third")
	})
}

func TestDebounce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		var last *taskmanager.Handle
		for i := range 10 {
			if i > 0 {
				time.Sleep(time.Second)
			}
			h := submitFunc(t, m, "save", j.takes(fmt.Sprint("save ", i), 0), taskmanager.WithDebounce(), taskmanager.WithDelay(5*time.Second))
			if last != nil {
				check.Is(t, "Err", last.Err(), taskmanager.ErrReplaced)
			}
			last = h
		}
		check.Is(t, "Wait", wait(t, last), nil)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 10, Succeeded: 1, Cancelled: 9})
		j.expect(t, "14s save 9")
	})
}

// TestDebounceOfARunningTask checks that the end of the task and the delay are both waited for.
func TestDebounceOfARunningTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 2)), newJournal()
		debounce := func(name string, d, delay time.Duration) {
			submitFunc(t, m, name, j.takes(name, d), taskmanager.WithDebounce(), taskmanager.WithNotBefore(time.Now().Add(delay)))
		}
		debounce("long", 60*time.Second, 0)
		debounce("short", 2*time.Second, time.Microsecond)
		time.Sleep(time.Second)
		debounce("long", 0, 5*time.Second)
		debounce("short", 0, 5*time.Second)
		time.Sleep(3 * time.Second) // the short one has ended
		debounce("short", 0, 5*time.Second)
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		j.expect(t, "0s long", "1µs short", "9s short", "1m0s long")
	})
}

// TestTaskSubmitsItself checks tasks that submit their own name.
func TestTaskSubmitsItself(t *testing.T) {
	for name, opt := range map[string]taskmanager.TaskOption{"rerun": taskmanager.WithRerun(), "replace": taskmanager.WithReplace()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
				runs := 0
				var fn func(context.Context) error
				fn = func(ctx context.Context) error {
					if runs++; runs == 100 {
						return nil
					}
					next, err := m.SubmitFunc(ctx, "self", fn, opt)
					if err != nil {
						return err
					}
					if err := next.Wait(ctx); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
						t.Errorf("the wait for the task behind returned %v", err)
					}
					return nil
				}
				check.Is(t, "Wait", wait(t, submitFunc(t, m, "self", fn)), nil)
				check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
				check.Equal(t, "runs", runs, 100)
				check.Equal(t, "left in the graph", taskmanager.WaitsLeft(m), 0)
			})
		})
	}
}

// TestWaitForATaskBehindAnother checks that a cycle through a name is found by the wait that
// closes it, and that other waits are allowed.
func TestWaitForATaskBehindAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		var a, b, c *taskmanager.Handle
		go1, go2 := make(chan struct{}), make(chan struct{})
		errs := make(chan error, 1)
		a = submitFunc(t, m, "a", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { <-go2 })
			errs <- b.Wait(ctx) // b waits for c, which waits for the end of a
			return nil
		})
		b = submitFunc(t, m, "b", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { <-go1 })
			return c.Wait(ctx)
		})
		synctest.Wait()
		c = submitFunc(t, m, "a", func(context.Context) error { return nil }, taskmanager.WithRerun())
		close(go1)
		synctest.Wait()
		close(go2)
		check.Is(t, "Wait", <-errs, taskmanager.ErrWouldDeadlock)
		for _, h := range []*taskmanager.Handle{a, b, c} {
			check.Is(t, "Wait", wait(t, h), nil)
		}
		check.Equal(t, "left in the graph", taskmanager.WaitsLeft(m), 0)
	})
}

// TestLimitsOfATaskBehindAnother checks that time limits and links count from the submit.
func TestLimitsOfATaskBehindAnother(t *testing.T) {
	for name, x := range map[string]struct {
		opt  func() taskmanager.TaskOption
		want error
	}{
		"queue timeout": {func() taskmanager.TaskOption { return taskmanager.WithQueueTimeout(5 * time.Second) }, taskmanager.ErrQueueTimeout},
		"deadline":      {func() taskmanager.TaskOption { return taskmanager.WithDeadline(time.Now().Add(5 * time.Second)) }, taskmanager.ErrDeadlineExceeded},
		"link":          {taskmanager.WithLinkedContext, taskmanager.ErrCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, j := start(t), newJournal()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(5*time.Second, cancel)
				submitFunc(t, m, "a", j.takes("first", 10*time.Second))
				synctest.Wait()
				h, err := m.SubmitFunc(ctx, "a", j.takes("no", 0), taskmanager.WithRerun(), x.opt())
				check.Is(t, "Submit", err, nil)
				check.Is(t, "Wait", wait(t, h), x.want)
				check.Equal(t, "time", time.Since(j.start), 5*time.Second)
				check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
				check.Equal(t, "time", time.Since(j.start), 10*time.Second)
				j.expect(t, "0s first")
			})
		})
	}
}

// TestQueueTimeoutGoesOn checks that the wait behind a task and the wait in the queue are one.
func TestQueueTimeoutGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t, taskmanager.WithWorkers(1, 1)), newJournal()
		submitFunc(t, m, "a", j.takes("a", 5*time.Second))
		synctest.Wait()
		submitFunc(t, m, "b", j.takes("b", 10*time.Second))
		h := submitFunc(t, m, "a", j.takes("no", 0), taskmanager.WithReplace(), taskmanager.WithQueueTimeout(8*time.Second))
		check.Is(t, "Wait", wait(t, h), taskmanager.ErrQueueTimeout)
		check.Equal(t, "time", time.Since(j.start), 8*time.Second)
	})
}

// TestCancelOfANameWithTwoTasks checks TaskManager.Cancel and Handle.Cancel.
func TestCancelOfANameWithTwoTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, j := start(t), newJournal()
		first := submitFunc(t, m, "a", j.takes("first", time.Hour))
		synctest.Wait()
		second := submitFunc(t, m, "a", j.takes("second", time.Hour), taskmanager.WithRerun())
		first.Cancel()
		synctest.Wait()
		check.Is(t, "Err", first.Err(), taskmanager.ErrCancelled)
		third := submitFunc(t, m, "a", j.takes("no", 0), taskmanager.WithRerun())
		check.Equal(t, "Cancel", m.Cancel("a"), true)
		check.Is(t, "Wait", wait(t, second), taskmanager.ErrCancelled)
		check.Is(t, "Wait", wait(t, third), taskmanager.ErrCancelled)
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "Cancel", m.Cancel("a"), false)
		j.expect(t, "0s first", "0s second")
	})
}

// TestWaitForATaskBehindOneThatIsHeldBack: the task that waits has the key that the task before needs
// to restart, so neither would ever continue.
func TestWaitForATaskBehindOneThatIsHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
		key, fail := taskmanager.WithKey("key"), make(chan struct{})
		runs := 0
		submitFunc(t, m, "first", func(context.Context) error {
			if runs++; runs == 1 {
				<-fail
				return errFailed
			}
			return nil
		}, key, taskmanager.WithRestart(restart.Constant(0)))
		synctest.Wait() // it runs, so the next task of the name waits behind it
		second := submitFunc(t, m, "first", fn0, taskmanager.WithRerun())
		waiter := submitFunc(t, m, "waiter", second.Wait, key)
		close(fail)
		check.Is(t, "the wait", wait(t, waiter), taskmanager.ErrWouldDeadlock)
		check.Is(t, "the task that was waited for", wait(t, second), nil)
		check.Equal(t, "executions of the first task", runs, 2)
	})
}
