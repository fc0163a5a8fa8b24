package taskmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// handed runs a task with an origin until it ends, and returns the history that is handed over.
func handed(t *testing.T, m *taskmanager.TaskManager, s restart.State, err error, opts ...taskmanager.TaskOption) restart.State {
	t.Helper()
	h := submitFunc(t, m, "a", func(context.Context) error { return err }, append(opts, taskmanager.WithOrigin(s))...)
	over, ok := errors.AsType[*taskmanager.HandedOver](wait(t, h))
	if !ok {
		t.Fatalf("the task ended with %v", h.Err())
	}
	return over.State
}

// through returns a history that was stored as JSON.
func through(t *testing.T, s restart.State) (loaded restart.State) {
	t.Helper()
	stored, err := json.Marshal(s)
	check.Is(t, "Marshal", err, nil)
	check.Is(t, "Unmarshal", json.Unmarshal(stored, &loaded), nil)
	check.Equal(t, "state through JSON", loaded, s)
	return loaded
}

// TestOriginPolicySeesTheSameFailures checks that a task that is handed over after each execution,
// to a new manager each time, looks to its policy as one that stays does.
func TestOriginPolicySeesTheSameFailures(t *testing.T) {
	type seen struct {
		Attempt, Recent int
		Previous        time.Duration
		At              time.Duration
	}
	errs := []error{errFailed, taskmanager.NotYet(time.Second), errFailed, errFailed, taskmanager.NotYet(0), errFailed}
	for _, moves := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			begin := time.Now()
			var got []seen
			policy := windowed{time.Hour, restart.Func(func(f restart.Failure) (time.Duration, bool) {
				got = append(got, seen{f.Attempt, f.Recent, f.Previous, time.Since(begin)})
				return time.Duration(f.Attempt) * time.Minute, true
			})}
			again := taskmanager.WithRestart(policy)
			if moves {
				s := restart.State{}
				for i, err := range errs {
					s = through(t, handed(t, start(t), s, err, again))
					check.Equal(t, "attempts", s.Attempts, i+1)
					check.Equal(t, "due", time.Until(s.QueuedAt), s.Delay)
					time.Sleep(s.Delay)
				}
				h := submitFunc(t, start(t), "a", fn0, again, taskmanager.WithOrigin(s))
				check.Is(t, "the task", wait(t, h), nil)
				check.Equal(t, "attempt and restarts", []int{h.Status().Attempt, h.Status().Restarts}, []int{7, 0})
			} else {
				h := submitFunc(t, start(t), "a", at(errs...).execute, again)
				time.Sleep(time.Hour)
				check.Is(t, "the task", wait(t, h), nil)
			}
			m := time.Minute
			check.Equal(t, "failures", got, []seen{
				{1, 0, 0, 0}, {2, 1, m, m + time.Second}, {3, 2, 2 * m, 3*m + time.Second}, {4, 3, 3 * m, 6*m + time.Second},
			})
		})
	}
}

func TestOriginHandsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		m := start(t, taskmanager.WithLogger(log), taskmanager.WithHistory(2), taskmanager.WithWorkers(1, 1)) // nothing to log about workers
		ends := 0
		opts := []taskmanager.TaskOption{
			taskmanager.WithOrigin(restart.State{Attempts: 4, Row: 2, Previous: time.Second, LastError: "before"}),
			taskmanager.WithRestart(restart.MaxAttempts(4, restart.Constant(time.Minute))),
			taskmanager.WithOnEnd(func(*taskmanager.Handle) { ends++ }),
		}
		h := submitFunc(t, m, "a", func(context.Context) error { return errFailed }, opts...)
		err := wait(t, h)
		check.Is(t, "the task", err, errFailed)
		check.Equal(t, "error", err.Error(), "taskmanager: handed over after execution 5, to run again in 1m0s: failed")
		over, _ := errors.AsType[*taskmanager.HandedOver](err)
		check.Equal(t, "state", over.State, restart.State{
			Attempts: 5, Row: 3, Previous: time.Minute, Delay: time.Minute, LastError: "failed", QueuedAt: time.Now().Add(time.Minute),
		})
		later := submitFunc(t, m, "a", func(context.Context) error { return taskmanager.NotYet(time.Hour) }, opts...) // the name is free
		err = wait(t, later)
		check.Equal(t, "error", err.Error(), "taskmanager: handed over after execution 5, to run again in 1h0m0s")
		check.Equal(t, "Unwrap", errors.Unwrap(err), nil)
		over, _ = errors.AsType[*taskmanager.HandedOver](err)
		check.Equal(t, "state", over.State, restart.State{
			Attempts: 5, Row: 2, Previous: time.Second, Delay: time.Hour, LastError: "before", QueuedAt: time.Now().Add(time.Hour),
		})
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 2, HandedOver: 2})
		check.Equal(t, "ends", ends, 2)
		check.Equal(t, "outcome in the history", m.History()[1].Outcome, observe.HandedOver)
		synctest.Wait()
		check.Equal(t, "log", log.String(), `info taskmanager: task "a" is handed over, to restart in 1m0s after failure 3 in a row: failed`)
	})
}

// TestOriginOtherEndsAreFinal checks the ends that are not handed over.
func TestOriginOtherEndsAreFinal(t *testing.T) {
	for name, test := range map[string]struct {
		fn   func(context.Context) error
		opts []taskmanager.TaskOption
		end  func(m *taskmanager.TaskManager, h *taskmanager.Handle)
		want error
	}{
		"success":       {fn: fn0},
		"no policy":     {fn: func(context.Context) error { return errFailed }, want: errFailed},
		"given up":      {fn: func(context.Context) error { return errFailed }, opts: []taskmanager.TaskOption{taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(0)))}, want: taskmanager.ErrRestartsExhausted},
		"cancelled":     {fn: untilCancelled, end: func(_ *taskmanager.TaskManager, h *taskmanager.Handle) { h.Cancel() }, want: taskmanager.ErrCancelled},
		"stopped":       {fn: untilCancelled, end: func(m *taskmanager.TaskManager, _ *taskmanager.Handle) { stop(t, m) }, want: taskmanager.ErrStopped},
		"past deadline": {fn: untilCancelled, opts: []taskmanager.TaskOption{taskmanager.WithDeadline(time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC))}, want: taskmanager.ErrDeadlineExceeded},
		"cancelled, and returns NotYet": {
			fn:  func(ctx context.Context) error { <-ctx.Done(); return taskmanager.NotYet(time.Second) },
			end: func(_ *taskmanager.TaskManager, h *taskmanager.Handle) { h.Cancel() }, want: taskmanager.ErrCancelled,
		},
	} {
		bubble(t, func(t *testing.T) {
			m := start(t)
			h := submitFunc(t, m, "a", test.fn, append(test.opts, taskmanager.WithOrigin(restart.State{Attempts: 2, Row: 2}))...)
			synctest.Wait()
			if test.end != nil {
				test.end(m, h)
			}
			err := wait(t, h)
			check.Is(t, name, err, test.want)
			if _, over := errors.AsType[*taskmanager.HandedOver](err); over {
				t.Errorf("%s: handed over: %v", name, err)
			}
			check.Equal(t, name+": handed over", m.Counts().HandedOver, 0)
		})
	}
}

func TestOriginWaitCountsFromQueuedAt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Deadline(time.Minute)))
		m.Pause()
		begin := time.Now()
		order := ""
		note := func(name string, opts ...taskmanager.TaskOption) *taskmanager.Handle {
			return submitFunc(t, m, name, func(context.Context) error { order += name; return nil }, opts...)
		}
		note("a")
		h := note("b", taskmanager.WithOrigin(restart.State{Attempts: 1, QueuedAt: begin.Add(-time.Hour), LastError: "before"}))
		note("c", taskmanager.WithOrigin(restart.State{QueuedAt: begin.Add(time.Hour)})) // another clock
		s := h.Status()
		check.Equal(t, "QueuedAt", s.QueuedAt, begin.Add(-time.Hour))
		check.Equal(t, "status, attempt", []any{s.Status, s.Attempt, s.LastError.Error()}, []any{taskmanager.NotAssigned, 2, "before"})
		m.Resume()
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "order", order, "bac")
	})
}

func TestOriginTelemetry(t *testing.T) {
	for _, how := range []observe.Propagation{observe.Child, observe.Link, observe.None} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t, observe.WithPropagation(how))
			m := start(t, taskmanager.WithObserver(b.otel))
			_, submit := b.tracer.Start(t.Context(), "remote")
			submit.End()
			ctx := trace.ContextWithRemoteSpanContext(t.Context(), submit.SpanContext())
			var last trace.SpanContext
			for i, err := range []error{errFailed, taskmanager.NotYet(0), nil} {
				run := func(ctx context.Context) error {
					last = trace.SpanContextFromContext(ctx)
					return err
				}
				h, refused := m.SubmitFunc(observe.ContextWithPrevious(ctx, last), "a", run,
					taskmanager.WithOrigin(restart.State{Attempts: i}), taskmanager.WithRestart(restart.Constant(0)))
				check.Is(t, "SubmitFunc", refused, nil)
				await(t, h)
			}
			parent, links := "", []string(nil)
			switch how {
			case observe.Child:
				parent = "remote"
			case observe.Link:
				links = []string{"remote"}
			case observe.None:
			}
			second, third := append(slices.Clip(links), "run func 1"), append(slices.Clip(links), "run func 2")
			check.Equal(t, "spans", b.all(t), []emitted{
				{Name: "remote", Kind: "internal"},
				{Name: "run func", Kind: "consumer", Parent: parent, Links: links, Outcome: "failure", Attempt: 1, Status: codes.Error, ErrorType: "*errors.errorString"},
				{Name: "run func", Kind: "consumer", Parent: parent, Links: second, Outcome: "postponed", Attempt: 2},
				{Name: "run func", Kind: "consumer", Parent: parent, Links: third, Outcome: "success", Attempt: 3},
			})
			check.Equal(t, "ends", b.counts(t, "taskmanager.task.ends", "taskmanager.task.outcome"), map[string]int64{"handed_over": 2, "success": 1})
			check.Equal(t, "submissions", b.counts(t, "taskmanager.task.submissions", "taskmanager.submission.result"), map[string]int64{})
			check.Equal(t, "restarts", b.counts(t, "taskmanager.task.restarts", "taskmanager.task.kind"), map[string]int64{})
		})
	}
}

// TestOriginBudget checks that restarts that are handed over draw on the budget of the manager.
func TestOriginBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		budget := taskmanager.WithRestart(restart.Budget(0.001, 2, restart.Constant(0)))
		for range 2 {
			handed(t, m, restart.State{}, errFailed, budget)
		}
		h := submitFunc(t, m, "a", func(context.Context) error { return errFailed }, budget, taskmanager.WithOrigin(restart.State{}))
		check.Is(t, "the third", wait(t, h), taskmanager.ErrRestartsExhausted)
	})
}

// TestOriginExtremes checks that the largest numbers that are accepted cause no overflow.
func TestOriginExtremes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got restart.Failure
		policy := windowed{math.MaxInt64, restart.Func(func(f restart.Failure) (time.Duration, bool) { got = f; return math.MaxInt64, true })}
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel))
		const most = math.MaxInt / 2
		far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		s := restart.State{Attempts: most, Row: most, Previous: math.MaxInt64, Delay: math.MaxInt64, QueuedAt: time.Unix(0, 0), Recent: []time.Time{far, time.Unix(0, 0)}}
		s = handed(t, m, s, errFailed, taskmanager.WithRestart(policy))
		check.Equal(t, "the failure", []any{got.Attempt, got.Previous, got.Recent}, []any{most + 1, time.Duration(math.MaxInt64), 2})
		waited := attributeOf(b.spans.Ended()[0], "taskmanager.task.queue.duration").AsFloat64()
		check.Equal(t, "waited", waited, time.Since(time.Unix(0, 0)).Seconds())
		check.Equal(t, "the history", []any{s.Attempts, s.Row, s.Delay, len(s.Recent)}, []any{most + 1, most + 1, time.Duration(math.MaxInt64), 3})
		through(t, s)
	})
}

func TestOriginFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		fine := taskmanager.WithOrigin(restart.State{})
		_, err := m.SubmitFunc(t.Context(), "a", fn0, taskmanager.WithOrigin(restart.State{
			Attempts: -1, Row: 2, Previous: -1, Delay: -1, Recent: []time.Time{{}},
		}))
		check.Equal(t, "faults", strings.Split(err.Error(), "\n"), []string{
			"taskmanager: WithOrigin: Attempts is -1; it must be 0 or more",
			"Row is 2, with -1 attempts; there are no more failures than attempts",
			"Previous is -1ns; it must not be negative",
			"Delay is -1ns; it must not be negative",
			"Recent has 1 restarts, with -1 attempts; there are no more restarts than attempts",
			"Recent has a zero time",
		})
		_, err = m.SubmitFunc(t.Context(), "a", fn0, taskmanager.WithOrigin(restart.State{Row: -1}))
		check.Equal(t, "fault", err.Error(), "taskmanager: WithOrigin: Row is -1; it must be 0 or more")
		_, err = m.SubmitFunc(t.Context(), "a", fn0, taskmanager.WithOrigin(restart.State{
			Attempts: math.MaxInt, QueuedAt: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), // further than a Duration is long
		}))
		check.Equal(t, "faults", strings.Split(err.Error(), "\n"), []string{
			fmt.Sprintf("taskmanager: WithOrigin: Attempts is %d; it must be at most %d, as further executions are counted from there; give the number of executions so far", math.MaxInt, math.MaxInt/2),
			"QueuedAt is 0001-01-02 00:00:00 +0000 UTC; it must be the time at which the task was queued, not one before 1970; give the zero time for now",
		})
		for what, delay := range map[string]taskmanager.TaskOption{
			"WithDelay": taskmanager.WithDelay(0), "WithNotBefore": taskmanager.WithNotBefore(time.Now()),
		} {
			_, err = m.SubmitFunc(t.Context(), "a", fn0, fine, delay)
			check.Equal(t, what, err.Error(), "taskmanager: WithDelay and WithNotBefore are not allowed with WithOrigin; submit the task when it is due")
		}
		no := "taskmanager: WithOrigin is not allowed for tasks of groups, batches and schedules; submit the task itself"
		_, err = m.Every(t.Context(), time.Second, &task{name: "a"}, fine)
		check.Equal(t, "Every", err.Error(), no)
		check.Equal(t, "Group.Go", m.Group(t.Context()).Go("a", fn0, fine).Error(), no)
		_, err = m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "a"}}, fine)
		check.Equal(t, "SubmitAll", err.Error(),
			"taskmanager: SubmitAll: task 1: WithOrigin is not allowed, as tasks do not share a history; submit the tasks one by one")
		for name, taken := range map[string]taskmanager.TaskOption{"WithRerun": taskmanager.WithRerun(), "WithReplace": taskmanager.WithReplace()} {
			_, err = m.SubmitFunc(t.Context(), "a", fn0, fine, taken)
			check.Equal(t, name, err.Error(), "taskmanager: WithOrigin and "+name+" exclude each other: the store decides which task has the name")
		}
		check.Equal(t, "accepted", m.Counts().Accepted, 0)
	})
}

func TestCancelCause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		lost := errors.New("lease lost")
		var cause error
		running := submitFunc(t, m, "running", func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}, taskmanager.WithRestart(restart.Constant(0)))
		queued := submitFunc(t, m, "queued", fn0)
		plain := submitFunc(t, m, "plain", fn0)
		synctest.Wait()
		plain.CancelCause(nil)
		queued.CancelCause(lost)
		running.CancelCause(lost)
		running.CancelCause(errFailed) // too late
		for _, h := range []*taskmanager.Handle{running, queued} {
			err := wait(t, h)
			check.Is(t, h.Name(), err, lost)
			check.Is(t, h.Name(), err, taskmanager.ErrCancelled)
			check.Is(t, h.Name(), err, context.Canceled)
		}
		check.Equal(t, "error", queued.Err().Error(), "taskmanager: the task was cancelled: context canceled: lease lost")
		check.Is(t, "cause", cause, lost)
		check.Is(t, "cause", cause, taskmanager.ErrCancelled)
		check.Equal(t, "error without a reason", wait(t, plain), taskmanager.ErrCancelled)
		running.CancelCause(errFailed)
		check.Is(t, "an ended task", running.Err(), lost)
		stops := submitFunc(t, m, "stops", untilCancelled)
		stops.CancelCause(taskmanager.ErrStopped) // a reason like any other
		await(t, stops)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 4, Cancelled: 4})
	})
}

// room calls WaitRoom on its own goroutine, and returns its results.
func room(ctx context.Context, m *taskmanager.TaskManager, ahead int) (n *int, done <-chan error) {
	n, result := new(int), make(chan error, 1)
	go func() {
		var err error
		*n, err = m.WaitRoom(ctx, ahead)
		result <- err
	}()
	synctest.Wait()
	return n, result
}

func TestWaitRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 2))
		n, done := room(t.Context(), m, 1)
		check.Is(t, "WaitRoom", <-done, nil)
		check.Equal(t, "room", *n, 3)
		a := submitFunc(t, m, "a", untilCancelled)
		submitFunc(t, m, "b", func(ctx context.Context) error { return a.Wait(ctx) }) // lends its slot
		submitFunc(t, m, "c", untilCancelled)
		queued := submitFunc(t, m, "d", untilCancelled)
		n, done = room(t.Context(), m, 1)
		check.Equal(t, "calls that have returned", len(done), 0)
		queued.Cancel()
		check.Is(t, "WaitRoom", <-done, nil)
		check.Equal(t, "room", *n, 1)
	})
}

func TestWaitRoomEnds(t *testing.T) {
	for name, end := range map[string]func(m *taskmanager.TaskManager){
		"Close": (*taskmanager.TaskManager).Close,
		"Drain": func(m *taskmanager.TaskManager) { go func() { _ = m.Drain(context.Background()) }() },
		"Stop":  func(m *taskmanager.TaskManager) { stop(t, m) },
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1))
			submitFunc(t, m, "a", func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
				return nil
			})
			_, done := room(t.Context(), m, 0)
			check.Equal(t, name+": calls that have returned", len(done), 0)
			end(m)
			synctest.Wait()
			check.Is(t, name, <-done, taskmanager.ErrStopped)
			_, done = room(t.Context(), m, 0)
			check.Is(t, name+", later", <-done, taskmanager.ErrStopped)
		})
	}
}

func TestWaitRoomErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		//nolint:staticcheck // a nil context is what is tested
		_, err := m.WaitRoom(nil, 0)
		check.Is(t, "WaitRoom(nil)", err, taskmanager.ErrNilContext)
		_, err = m.WaitRoom(t.Context(), -1)
		check.Equal(t, "WaitRoom(-1)", err.Error(), "taskmanager: WaitRoom: ahead is -1; it must be 0 or more")
		m.Pause()
		ctx, cancel := context.WithCancelCause(t.Context())
		_, done := room(ctx, m, 5)
		cancel(errFailed)
		err = <-done
		check.Equal(t, "error", err.Error(), "taskmanager: wait for room: context canceled: failed")
		check.Is(t, "WaitRoom", err, errFailed)
	})
}

// TestWaitRoomOfATaskLendsItsSlot is a task that fetches work for its own manager, on one worker.
func TestWaitRoomOfATaskLendsItsSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		ran := 0
		fetches := submitFunc(t, m, "fetches", func(ctx context.Context) error {
			for i := range 5 {
				n, err := m.WaitRoom(ctx, 0)
				if err != nil || n != 1 {
					t.Errorf("WaitRoom returned %d, %v", n, err)
				}
				_, err = m.SubmitFunc(ctx, string(rune('a'+i)), func(context.Context) error { ran++; return nil })
				check.Is(t, "SubmitFunc", err, nil)
			}
			return nil
		})
		check.Is(t, "the task", wait(t, fetches), nil)
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "tasks that ran", ran, 5)
	})
}
