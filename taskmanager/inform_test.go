package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// finder is an observer that asks for the task in each event. It derives a context from each
// that it gets, as an observer does that adds values.
type finder struct {
	mu    sync.Mutex
	seen  []string
	kept  []context.Context // of events that are over
	react func(event string, ctx context.Context, h *taskmanager.Handle)
}

// see notes what FromContext finds in the event of a task.
func (f *finder) see(ctx context.Context, event, task string) context.Context {
	h, ok := taskmanager.FromContext(ctx)
	what := "nothing"
	if ok {
		s := h.Status()
		what = fmt.Sprintf("%s key=%s priority=%d %s", h.Name(), h.Key(), h.Priority(), s.Status)
	}
	ctx = context.WithValue(ctx, key(event), task)
	f.mu.Lock()
	f.seen = append(f.seen, fmt.Sprintf("%s of %s: %s", event, task, what))
	f.kept = append(f.kept, ctx)
	f.mu.Unlock()
	if f.react != nil {
		f.react(event, ctx, h)
	}
	return ctx
}

func (f *finder) BeginSubmit(caller, onto context.Context, s observe.Submission) context.Context {
	if h, ok := taskmanager.FromContext(caller); ok {
		f.mu.Lock()
		f.seen = append(f.seen, fmt.Sprintf("%s submits %s", h.Name(), s.Name))
		f.mu.Unlock()
	}
	return f.see(onto, "BeginSubmit", s.Name)
}

func (f *finder) EndSubmit(ctx context.Context, s observe.Submission, _ error) {
	f.see(ctx, "EndSubmit", s.Name)
}

func (f *finder) BeginRun(ctx context.Context, r observe.Run) context.Context {
	return f.see(ctx, "BeginRun", r.Name)
}

func (f *finder) EndRun(ctx context.Context, r observe.Run, _ observe.Result) {
	f.see(ctx, "EndRun", r.Name)
}

func (f *finder) BeginRestart(ctx context.Context, r observe.Restart) context.Context {
	return f.see(ctx, "BeginRestart", r.Name)
}

func (f *finder) EndRestart(ctx context.Context, r observe.Restart, _ error) {
	f.see(ctx, "EndRestart", r.Name)
}

func (f *finder) TaskEnded(ctx context.Context, e observe.End) { f.see(ctx, "TaskEnded", e.Name) }

// take returns what was seen since the last call, and checks that the contexts of events that are
// over lead to no task.
func (f *finder) take(t *testing.T) []string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ctx := range f.kept {
		if h, ok := taskmanager.FromContext(ctx); ok {
			t.Errorf("the context of an event that is over leads to %q", h.Name())
		}
	}
	seen := f.seen
	f.seen, f.kept = nil, nil
	return seen
}

// TestObserversFoundNoTask checks FromContext in each event: of a task that restarts, of one that never
// runs, of one that a task submits, of a batch, and of submits that are refused.
func TestObserversFoundNoTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := new(finder)
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(new(finder), f), taskmanager.WithRestart(fixedDelay(time.Second)))
		failed := false
		await(t, submitFunc(t, m, "a", func(context.Context) error {
			if failed {
				return nil
			}
			failed = true
			return errFailed
		}, taskmanager.WithRestart(fixedDelay(time.Second)), taskmanager.WithKey("k"), taskmanager.WithPriority(3)))
		const a = "a key=k priority=3 "
		var seen []string
		for _, s := range f.take(t) {
			if !strings.HasPrefix(s, "EndSubmit of a: "+a) { // which comes at any time, in any status
				seen = append(seen, s)
			}
		}
		check.Equal(t, "a task that restarts", seen, []string{
			"BeginSubmit of a: " + a + "not assigned", "BeginRun of a: " + a + "not assigned",
			"EndRun of a: " + a + "running", "BeginRestart of a: " + a + "running", "EndRestart of a: " + a + "restarted",
			"BeginRun of a: " + a + "restarted", "EndRun of a: " + a + "running", "TaskEnded of a: " + a + "running",
		})

		submitFunc(t, m, "b", fn0, taskmanager.WithDelay(time.Hour)).Cancel()
		check.Equal(t, "a task that never runs", f.take(t), []string{
			"BeginSubmit of b: b key= priority=0 not assigned", "EndSubmit of b: b key= priority=0 not assigned",
			"TaskEnded of b: b key= priority=0 not assigned",
		})

		m.Pause()
		hs, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "c"}, &task{name: "d"}})
		check.Equal(t, "SubmitAll", err, nil)
		const c, d = "c key= priority=0 ", "d key= priority=0 "
		check.Equal(t, "a batch", f.take(t), []string{
			"BeginSubmit of c: " + c + "not assigned", "BeginSubmit of d: " + d + "not assigned",
			"EndSubmit of d: " + d + "not assigned", "EndSubmit of c: " + c + "not assigned",
		})
		_, err = m.SubmitFunc(t.Context(), "c", fn0)
		check.Is(t, "a submit of a name that is taken", err, taskmanager.ErrAlreadyExists)
		check.Equal(t, "a refused submit", f.take(t), []string{
			"BeginSubmit of c: " + c + "not assigned", "EndSubmit of c: " + c + "finished",
		})
		m.Resume()
		for _, h := range hs {
			await(t, h)
		}
		f.take(t)

		await(t, submitFunc(t, m, "outer", func(ctx context.Context) error {
			_, err := m.SubmitFunc(context.WithValue(ctx, key("x"), 1), "inner", fn0)
			return err
		}))
		synctest.Wait()
		seen = f.take(t)
		if !slices.Contains(seen, "outer submits inner") || slices.Contains(seen, "BeginSubmit of inner: nothing") {
			t.Errorf("a task that submits: %q", seen)
		}
		check.Equal(t, "events of the other observer", len(seen), 2*5+1)
	})
}

// TestObserverCancelsInEachEvent lets an observer cancel the task in each event, also before the task is
// submitted, and checks that each task ends once.
func TestObserverCancelsInEachEvent(t *testing.T) {
	for _, event := range []string{"BeginSubmit", "EndSubmit", "BeginRun", "EndRun", "BeginRestart", "EndRestart", "TaskEnded"} {
		for name, opts := range map[string][]taskmanager.TaskOption{
			"plain": nil, "delayed": {taskmanager.WithDelay(time.Second)}, "with a key": {taskmanager.WithKey("k")},
		} {
			t.Run(event+" "+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := &finder{react: func(what string, _ context.Context, h *taskmanager.Handle) {
						if what == event {
							h.Cancel()
						}
					}}
					m := start(t, taskmanager.WithObserver(f), taskmanager.WithRestartPlain(), taskmanager.WithRestart(fixedDelay(time.Second)))
					h, err := m.SubmitFunc(t.Context(), "a", fails, opts...)
					if err != nil {
						t.Fatal(err)
					}
					if event == "BeginSubmit" || event == "EndSubmit" && name == "delayed" {
						check.Is(t, "the task", wait(t, h), taskmanager.ErrCancelled)
						check.Equal(t, "it has not run", h.Status().StartedAt.IsZero(), true)
					} else {
						time.Sleep(time.Minute)
						h.Cancel()
						await(t, h)
					}
					await(t, submitFunc(t, m, "b", fn0)) // the names and the pool are sound
					synctest.Wait()                      // the pool counts a task after it has ended
					check.Equal(t, "outstanding", m.Counts().Outstanding(), 0)
					p := m.Snapshot()
					check.Equal(t, "submitted to the pool", p.Submitted, p.Completed+p.Failed+p.Withdrawn)
					stop(t, m)
				})
			})
		}
	}
}

// TestKeptHandleOfARefusedSubmit checks that the handle of a task whose name was taken is that of a task
// that has ended.
func TestKeptHandleOfARefusedSubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var last *taskmanager.Handle
		f := &finder{react: func(event string, _ context.Context, h *taskmanager.Handle) {
			if event == "BeginSubmit" {
				last = h
			}
		}}
		m := start(t, taskmanager.WithObserver(f), taskmanager.WithWorkers(1, 1))
		m.Pause()
		first := submitFunc(t, m, "a", fn0)
		_, refused := m.SubmitFunc(t.Context(), "a", fn0)
		_, batch := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "b"}, &task{name: "a"}})
		for _, err := range []error{refused, batch} {
			check.Is(t, "submit", err, taskmanager.ErrAlreadyExists)
		}
		if last == first {
			t.Fatal("the observer got the handle of the other task")
		}
		check.Is(t, "Wait", last.Wait(t.Context()), taskmanager.ErrAlreadyExists)
		last.Cancel()
		check.Equal(t, "outstanding", m.Counts().Outstanding(), 1)
		by := submitFunc(t, m, "a", fn0, taskmanager.WithRerun())
		check.Equal(t, "the first task serves the submit", by == first, true)
		m.Resume()
		check.Equal(t, "the first task", wait(t, first), nil)
	})
}

// TestObserverIsNotInsideTheTask calls the manager with the context of an event on the goroutine of a
// submitter: that is no call by the task, nor is a submit one by it.
func TestObserverIsNotInsideTheTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var m *taskmanager.TaskManager
		var got []error
		f := &finder{react: func(event string, ctx context.Context, h *taskmanager.Handle) {
			if event == "EndSubmit" && h.Name() == "a" {
				got = append(got, m.WaitIdle(ctx))
				b, err := m.SubmitFunc(ctx, "b", func(ctx context.Context) error {
					h, _ := taskmanager.FromContext(ctx)
					if h.Name() != "b" {
						t.Errorf("the task b finds %q", h.Name())
					}
					return nil
				})
				got = append(got, err, b.Wait(ctx))
			}
		}}
		m = start(t, taskmanager.WithObserver(f), taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		submitFunc(t, m, "a", fn0)
		check.Equal(t, "results", got, []error{nil, nil, nil})
		if !slices.Contains(f.take(t), "a submits b") { // the caller is the event, which is about a
			t.Error("the caller of the submit of b leads to nothing")
		}
	})
}

// TestEventsKeepNoTasks runs a chain of tasks, each submitted by an observer at the end of the
// previous one with the context of that event, and checks that the ended ones are freed.
func TestEventsKeepNoTasks(t *testing.T) {
	const length = 200
	var handles []weak.Pointer[taskmanager.Handle]
	last := make(chan struct{})
	var m *taskmanager.TaskManager
	left := length
	m = start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(&chainer{func(ctx context.Context, h *taskmanager.Handle) {
		handles = append(handles, weak.Make(h))
		if left--; left == 0 {
			close(last)
			return
		}
		if _, err := m.SubmitFunc(ctx, fmt.Sprint(left), fn0); err != nil && !errors.Is(err, taskmanager.ErrStopped) {
			t.Error(err)
		}
	}}))
	submitFunc(t, m, "first", fn0)
	<-last
	await(t, submitFunc(t, m, "another", fn0)) // so that the worker has let go of the last one
	for begin := time.Now(); time.Since(begin) < 5*time.Second; runtime.GC() {
		kept := 0
		for _, h := range handles[:length-10] {
			if h.Value() != nil {
				kept++
			}
		}
		if kept == 0 {
			return
		}
	}
	t.Error("ended tasks have not been freed")
}

// chainer is an observer of ends.
type chainer struct {
	do func(ctx context.Context, h *taskmanager.Handle)
}

func (c *chainer) TaskEnded(ctx context.Context, e observe.End) {
	if h, ok := taskmanager.FromContext(ctx); ok && e.Name != "another" {
		c.do(ctx, h)
	}
}
