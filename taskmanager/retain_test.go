package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// weight is what a test attaches to contexts, closures and policies, to see whether they stay.
type weight [1 << 10]byte

// scale collects the weights of a test. They must all have been freed at its end.
type scales map[string][]weak.Pointer[weight]

// add returns a new weight.
func (s scales) add(what string) *weight {
	w := new(weight)
	s[what] = append(s[what], weak.Make(w))
	return w
}

// context returns a context with a value.
func (s scales) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, key("weight"), s.add("values of contexts"))
}

// function returns a function of a task that holds a weight and then does what fn does.
func (s scales) function(fn func(context.Context) error) func(context.Context) error {
	w := s.add("functions")
	return func(ctx context.Context) error { w[0]++; return fn(ctx) }
}

// check fails the test if a weight stays in memory.
func (s scales) check(t *testing.T) {
	t.Helper()
	gone := func(p weak.Pointer[weight]) bool { return p.Value() == nil }
	for begin := time.Now(); ; runtime.GC() { // a worker drops its reference when it parks
		left := 0
		for what := range s {
			s[what] = slices.DeleteFunc(s[what], gone)
			left += len(s[what])
		}
		if left == 0 {
			return
		}
		if time.Since(begin) > 5*time.Second {
			for what, rest := range s {
				if len(rest) > 0 {
					t.Errorf("%d %s of ended tasks have not been freed", len(rest), what)
				}
			}
			return
		}
	}
}

// TestHandleKeepsWhatItsTaskNeeded keeps the handles of tasks that have ended in different ways,
// and checks that the values of their contexts, their functions and their policies are freed.
func TestHandleKeepsWhatItsTaskNeeded(t *testing.T) {
	type submit func(name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle
	endings := map[string]func(m *taskmanager.TaskManager, s scales, submit submit){
		"succeeds": func(_ *taskmanager.TaskManager, _ scales, submit submit) { submit("a", fn0) },
		"fails":    func(_ *taskmanager.TaskManager, _ scales, submit submit) { submit("a", fails) },
		"panics": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			submit("a", func(context.Context) error { panic("boom") })
		},
		"looks at its context": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			submit("a", func(ctx context.Context) error {
				child, cancel := context.WithCancel(ctx)
				defer cancel()
				return child.Err()
			})
		},
		"has limits": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			submit("a", fn0, taskmanager.WithTimeout(time.Hour), taskmanager.WithQueueTimeout(time.Hour),
				taskmanager.WithDeadline(time.Now().Add(time.Hour)), taskmanager.WithLinkedContext())
		},
		"has a function for its end": func(_ *taskmanager.TaskManager, s scales, submit submit) {
			w := s.add("functions of WithOnEnd")
			submit("a", fn0, taskmanager.WithOnEnd(func(*taskmanager.Handle) { w[0]++ }))
		},
		"restarts": func(_ *taskmanager.TaskManager, s scales, submit submit) {
			w, runs := s.add("policies"), 0
			submit("a", func(context.Context) error {
				if runs++; runs < 4 {
					return errFailed
				}
				return nil
			}, taskmanager.WithRestart(weighty{w}))
		},
		"is given up": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			submit("a", fails, taskmanager.WithRestart(restart.MaxAttempts(2, fixedDelay(0))))
		},
		"is cancelled while it runs": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			h := submit("a", untilCancelled)
			<-h.Started()
			h.Cancel()
		},
		"is cancelled and succeeds": func(_ *taskmanager.TaskManager, s scales, submit submit) {
			h := submit("a", func(ctx context.Context) error { <-ctx.Done(); return nil })
			<-h.Started()
			h.Cancel()
		},
		"is cancelled in the queue": func(m *taskmanager.TaskManager, _ scales, submit submit) {
			m.Pause()
			submit("a", fn0).Cancel()
			m.Resume()
		},
		"is cancelled before its time": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			submit("a", fn0, taskmanager.WithDelay(time.Hour)).Cancel()
		},
		"is cancelled during a restart": func(_ *taskmanager.TaskManager, _ scales, submit submit) {
			h := submit("a", fails, taskmanager.WithRestart(fixedDelay(time.Hour)))
			for h.Status().Status != taskmanager.Restarted {
				runtime.Gosched()
			}
			h.Cancel()
		},
		"is stopped in the queue": func(m *taskmanager.TaskManager, _ scales, submit submit) {
			m.Pause()
			submit("a", fn0)
			_ = m.Stop(context.Background())
		},
	}
	observers := map[string][]taskmanager.Option{
		"unobserved": {taskmanager.WithoutTelemetry()},
		"observed":   {taskmanager.WithObserver(valueObserver{})},
		"history":    {taskmanager.WithoutTelemetry(), taskmanager.WithHistory(10)},
		"profiles":   {taskmanager.WithoutTelemetry(), taskmanager.WithProfiling()},
	}
	for how, end := range endings {
		for which, opts := range observers {
			t.Run(how+" "+which, func(t *testing.T) {
				m := start(t, append(opts, taskmanager.WithWorkers(1, 1))...)
				s := scales{}
				var kept []*taskmanager.Handle
				end(m, s, func(name string, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
					h, err := m.SubmitFunc(s.context(t.Context()), name, s.function(fn), opts...)
					if err != nil {
						t.Fatal(err)
					}
					kept = append(kept, h)
					return h
				})
				for _, h := range kept {
					await(t, h)
				}
				s.check(t)
				runtime.KeepAlive(kept)
			})
		}
	}
}

func fails(context.Context) error { return errFailed }

// weighty is a policy that holds a weight.
type weighty struct{ w *weight }

func (p weighty) Next(restart.Failure) (time.Duration, bool) { p.w[0]++; return 0, true }

// valueObserver adds a value to each context.
type valueObserver struct{}

func (valueObserver) BeginSubmit(_, onto context.Context, _ observe.Submission) context.Context {
	return context.WithValue(onto, key("submit"), new(weight))
}
func (valueObserver) EndSubmit(context.Context, observe.Submission, error) {}

func (valueObserver) BeginRun(ctx context.Context, _ observe.Run) context.Context {
	return context.WithValue(ctx, key("run"), new(weight))
}
func (valueObserver) EndRun(context.Context, observe.Run, observe.Result) {}

func (valueObserver) BeginRestart(ctx context.Context, _ observe.Restart) context.Context {
	return context.WithValue(ctx, key("restart"), new(weight))
}
func (valueObserver) EndRestart(context.Context, observe.Restart, error) {}

// TestFutureKeepsWhatItsTaskNeeded checks that a future keeps its value, unless the task has
// failed, and nothing else.
func TestFutureKeepsWhatItsTaskNeeded(t *testing.T) {
	m := start(t)
	s := scales{}
	var kept []*taskmanager.Future[*weight]
	for i, fail := range []error{nil, errFailed} {
		held := s.add("functions")
		f, err := taskmanager.Async(s.context(t.Context()), m, fmt.Sprint(i), func(context.Context) (*weight, error) {
			held[0]++
			if fail != nil {
				return s.add("values of failed futures"), fail
			}
			return new(weight), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, &f.Handle)
		kept = append(kept, f)
	}
	s.check(t)
	if w, err := kept[0].Result(t.Context()); w == nil || err != nil {
		t.Errorf("the result is %v, %v", w, err)
	}
	runtime.KeepAlive(kept)
}

// TestRefusedAndDroppedTasksStay checks tasks that the manager does not accept, or drops.
func TestRefusedAndDroppedTasksStay(t *testing.T) {
	for name, overflow := range map[string]taskmanager.Overflow{
		"Reject": taskmanager.Reject, "DropOldest": taskmanager.DropOldest, "DropNewest": taskmanager.DropNewest,
		"CallerRuns": taskmanager.CallerRuns, "Block": taskmanager.Block,
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, overflow))
			s := scales{}
			var kept []*taskmanager.Handle
			end := make(chan struct{})
			blocker := submitFunc(t, m, "blocker", func(context.Context) error { <-end; return nil })
			<-blocker.Started()
			for i := range 5 {
				ctx, cancel := context.WithCancel(s.context(t.Context()))
				if overflow == taskmanager.Block && i >= 2 { // end the wait for room
					go cancel()
				}
				h, err := m.SubmitFunc(ctx, fmt.Sprint(i), s.function(fn0))
				cancel()
				if err == nil {
					kept = append(kept, h)
				}
			}
			_, err := m.SubmitFunc(s.context(t.Context()), "blocker", s.function(fn0))
			check.Is(t, "a submit of a name that is taken", err, taskmanager.ErrAlreadyExists)
			close(end)
			for _, h := range kept {
				await(t, h)
			}
			await(t, blocker)
			s.check(t)
			runtime.KeepAlive(kept)
		})
	}
}

// TestBatchKeepsWhatItsTasksNeeded checks the handles of a batch, and a batch that is refused.
func TestBatchKeepsWhatItsTasksNeeded(t *testing.T) {
	m := start(t)
	s := scales{}
	batch := func() (tasks []taskmanager.Task) {
		for i := range 10 {
			tasks = append(tasks, &task{name: fmt.Sprint(i % 10), execute: s.function(fn0)})
		}
		return tasks
	}
	kept, err := m.SubmitAll(s.context(t.Context()), batch(), taskmanager.WithLinkedContext())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.SubmitAll(s.context(t.Context()), append(batch(), batch()...)); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("a batch with the same name twice: %v", err)
	}
	for _, h := range kept {
		await(t, h)
	}
	s.check(t)
	runtime.KeepAlive(kept)
}

// TestGroupKeepsWhatItsTasksNeeded checks that a group and the handles of its tasks keep neither
// the values that the submits' options bring nor the functions.
func TestGroupKeepsWhatItsTasksNeeded(t *testing.T) {
	m := start(t)
	s := scales{}
	var kept []any
	func() { // a function, so that the stack does not refer to the group afterwards
		g := m.Group(s.context(t.Context()))
		results := taskmanager.NewResultGroup[int](t.Context(), m, taskmanager.WithCollect())
		hold := make(chan struct{})
		for i := range 10 {
			if err := g.Go(fmt.Sprint("a", i), s.function(func(context.Context) error { <-hold; return nil })); err != nil {
				t.Fatal(err)
			}
			fn := s.function(fails)
			if err := results.Go(fmt.Sprint("b", i), func(ctx context.Context) (int, error) { return 1, fn(ctx) }); err != nil {
				t.Fatal(err)
			}
		}
		for h := range m.Tasks() {
			kept = append(kept, h)
		}
		close(hold)
		check.Equal(t, "Wait", g.Wait(t.Context()), nil)
		_, err := results.Wait(t.Context())
		check.Is(t, "Wait", err, errFailed)
		kept = append(kept, results) // g promises to use its context again
	}()
	s.check(t)
	runtime.KeepAlive(kept)
}

// TestScheduleKeepsWhatItsTaskNeeded checks that a schedule that has ended, in whichever way,
// keeps neither its context nor its task nor its timetable.
func TestScheduleKeepsWhatItsTaskNeeded(t *testing.T) {
	endings := map[string]func(m *taskmanager.TaskManager, s *taskmanager.Schedule, cancel func()){
		"Schedule.Stop":    func(_ *taskmanager.TaskManager, s *taskmanager.Schedule, _ func()) { s.Stop() },
		"end of context":   func(_ *taskmanager.TaskManager, _ *taskmanager.Schedule, cancel func()) { cancel() },
		"Stop":             func(m *taskmanager.TaskManager, _ *taskmanager.Schedule, _ func()) { _ = m.Stop(context.Background()) },
		"Stop during runs": nil,
	}
	for how, end := range endings {
		t.Run(how, func(t *testing.T) {
			m := start(t)
			s := scales{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx = s.context(ctx)
			ran, hold := make(chan struct{}), make(chan struct{})
			held := s.add("timetables")
			times := timetable(func(after time.Time) time.Time { held[0]++; return after.Add(time.Millisecond) })
			schedule, err := m.Repeat(ctx, times, &task{name: "a", execute: s.function(func(context.Context) error {
				ran <- struct{}{}
				<-hold
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			<-ran
			if end == nil {
				schedule.Stop()
				close(hold)
			} else {
				close(hold)
				go func() {
					for range ran { // a further run may have begun
						continue
					}
				}()
				end(m, schedule, cancel)
			}
			check.Equal(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			close(ran)
			s.check(t)
			runtime.KeepAlive(schedule)
		})
	}
}

// TestGoroutineThatATaskLeftBehindKeepsItsValues checks that a goroutine that a task leaves
// behind finds the values of its context also after the end of the task.
func TestGoroutineThatATaskLeftBehindKeepsItsValues(t *testing.T) {
	for restarts, opts := range [][]taskmanager.TaskOption{{taskmanager.WithTimeout(time.Hour)}, {taskmanager.WithRestart(fixedDelay(0))}} {
		m := start(t)
		ended, got := make(chan struct{}), make(chan any)
		runs := 0
		h, err := m.SubmitFunc(context.WithValue(t.Context(), key("k"), "v"), "a", func(ctx context.Context) error {
			if runs++; runs <= restarts {
				return errFailed
			}
			go func() {
				<-ended
				got <- ctx.Value(key("k"))
			}()
			return nil
		}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		await(t, h)
		close(ended)
		check.Equal(t, "the value after the end", <-got, any("v"))
	}
}

// heavyError is the cause of the end of a context, and holds a weight.
type heavyError struct{ w *weight }

func (e heavyError) Error() string { return fmt.Sprint("heavy ", e.w[0]) }

// TestCancellationThatCameTooLateStays checks that a task that was cancelled and succeeded does
// not keep the reason of its cancellation, which nothing reports.
func TestCancellationThatCameTooLateStays(t *testing.T) {
	s := scales{}
	var h *taskmanager.Handle
	bubble(t, func(t *testing.T) {
		m := start(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		hold := make(chan struct{})
		var err error
		h, err = m.SubmitFunc(ctx, "a", func(context.Context) error { <-hold; return nil }, taskmanager.WithLinkedContext())
		check.Equal(t, "Submit", err, nil)
		<-h.Started()
		cancel(heavyError{s.add("causes")})
		synctest.Wait() // the cancellation has been noted
		close(hold)
		check.Equal(t, "the error of the task", wait(t, h), nil)
	})
	s.check(t)
	runtime.KeepAlive(h)
}

// TestEndedTasksAreFreedWhileALongOneRuns: the names of ended tasks are removed late, and until then
// keep their tasks in memory. Here the only worker ends tasks and then runs a long one, and nothing
// is submitted. A moment later the futures and their values are gone.
func TestEndedTasksAreFreedWhileALongOneRuns(t *testing.T) {
	const moment = 20 * time.Millisecond // which Async promises
	for _, tasks := range []int{1, 63, 64, 65, 300} {
		t.Run(fmt.Sprint(tasks, " tasks"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithoutTelemetry())
				s := scales{}
				var futures []weak.Pointer[taskmanager.Future[*weight]]
				begin, end := make(chan struct{}), make(chan struct{})
				submitFunc(t, m, "before", func(context.Context) error { <-begin; return nil })
				for i := range tasks {
					ctx := []context.Context{context.Background(), s.context(t.Context())}[i%2]
					f, err := taskmanager.Async(ctx, m, fmt.Sprint(i), func(context.Context) (*weight, error) {
						return s.add("values of futures"), nil
					})
					check.Equal(t, "Async", err, nil)
					futures = append(futures, weak.Make(f))
				}
				long := submitFunc(t, m, "long", func(context.Context) error { <-end; return nil })
				close(begin)
				<-long.Started()
				time.Sleep(moment)
				synctest.Wait()
				runtime.GC()
				check.Equal(t, "futures and weights that are left", []int{left(futures), left(s["values of futures"]),
					left(s["values of contexts"])}, []int{0, 0, 0})
				check.Equal(t, "values that there were", len(s["values of futures"]), tasks)
				close(end)
				await(t, long)
			})
		})
	}
}

// left returns the number of pointers whose values have not been freed.
func left[V any](all []weak.Pointer[V]) (n int) {
	for _, p := range all {
		if p.Value() != nil {
			n++
		}
	}
	return n
}
