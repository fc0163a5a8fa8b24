package taskmanager_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// batchLog makes tasks and records the order in which they run.
type batchLog struct {
	mu  sync.Mutex
	ran []string
}

func (l *batchLog) tasks(names ...string) []taskmanager.Task {
	tasks := []taskmanager.Task{}
	for _, name := range names {
		tasks = append(tasks, &task{name: name, execute: func(context.Context) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ran = append(l.ran, name)
			return nil
		}})
	}
	return tasks
}

func (l *batchLog) order() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.ran...)
}

// wantNames checks the names of the handles, in order.
func wantNames(t *testing.T, handles []*taskmanager.Handle, want ...string) {
	t.Helper()
	got := []string{}
	for _, h := range handles {
		got = append(got, h.Name())
	}
	check.Equal(t, "the names of the handles", got, append([]string{}, want...))
}

// wantFree checks that no outstanding task has one of the names.
func wantFree(t *testing.T, m *taskmanager.TaskManager, names ...string) {
	t.Helper()
	for _, name := range names {
		if h, ok := m.Lookup(name); ok {
			t.Errorf("the name %q is that of %+v, want it free", name, h.Status())
		}
	}
}

// wantEnds waits for the tasks and checks their errors.
func wantEnds(t *testing.T, handles []*taskmanager.Handle, want ...error) {
	t.Helper()
	got := []error{}
	for _, h := range handles {
		got = append(got, wait(t, h))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("how the tasks ended (-want +got):\n%s", diff)
	}
}

// submitAll is a call of SubmitAll on another goroutine, and its results.
type submitAll struct {
	handles []*taskmanager.Handle
	err     error
	done    chan struct{}
}

func submitAllElsewhere(ctx context.Context, m *taskmanager.TaskManager, tasks []taskmanager.Task, opts ...taskmanager.TaskOption) *submitAll {
	s := &submitAll{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.handles, s.err = m.SubmitAll(ctx, tasks, opts...)
	}()
	synctest.Wait()
	return s
}

// TestSubmitAllWithRoom checks that all policies accept the whole batch, in order.
func TestSubmitAllWithRoom(t *testing.T) {
	for _, opt := range []taskmanager.Option{
		taskmanager.WithName("without a limit"),
		taskmanager.WithLimit(3, taskmanager.Block), taskmanager.WithLimit(3, taskmanager.Reject),
		taskmanager.WithLimit(3, taskmanager.DropNewest), taskmanager.WithLimit(3, taskmanager.DropOldest),
		taskmanager.WithLimit(3, taskmanager.DropWorst), taskmanager.WithLimit(3, taskmanager.CallerRuns),
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), opt)
			running := submitFunc(t, m, "running", untilCancelled)
			synctest.Wait()
			log := new(batchLog)
			handles, err := m.SubmitAll(t.Context(), log.tasks("a", "b", "c"))
			if err != nil {
				t.Fatal(err)
			}
			wantNames(t, handles, "a", "b", "c")
			check.Equal(t, "queued", m.Snapshot().Queued, 3)
			running.Cancel()
			wantEnds(t, handles, nil, nil, nil)
			check.Equal(t, "order", log.order(), []string{"a", "b", "c"})
		})
	}
}

// TestSubmitAllFaults checks batches with invalid tasks. No task is accepted, the error
// reports all faults, and every name stays free.
func TestSubmitAllFaults(t *testing.T) {
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(errFailed)
	tests := map[string]struct {
		ctx   context.Context
		tasks []taskmanager.Task
		opts  []taskmanager.TaskOption
		want  []error
		says  []string
	}{
		"two of a name":      {tasks: new(batchLog).tasks("a", "b", "a"), want: []error{taskmanager.ErrAlreadyExists}, says: []string{`"a"`}},
		"a name that is out": {tasks: new(batchLog).tasks("a", "b", "outstanding"), want: []error{taskmanager.ErrAlreadyExists}, says: []string{`"outstanding"`}},
		"no task": {
			tasks: append(new(batchLog).tasks("a"), nil, nil),
			want:  []error{taskmanager.ErrNilTask}, says: []string{"task 2", "task 3", "pass a Task"},
		},
		"no name": {tasks: new(batchLog).tasks("a", ""), want: []error{taskmanager.ErrEmptyName}, says: []string{"task 2"}},
		"a name that panics": {
			tasks: append(new(batchLog).tasks("a", ""), &task{nameOf: func() string { panic(errFailed) }}),
			want:  []error{errFailed, taskmanager.ErrEmptyName}, says: []string{"task 2", "task 3", "Name method"},
		},
		"an option": {
			tasks: new(batchLog).tasks("a"), opts: []taskmanager.TaskOption{taskmanager.WithTimeout(-1)},
			says: []string{"WithTimeout", "must be positive"},
		},
		"a deadline that has passed": {
			tasks: new(batchLog).tasks("a"), opts: []taskmanager.TaskOption{taskmanager.WithDeadline(time.Unix(1, 0))},
			want: []error{taskmanager.ErrDeadlineExceeded},
		},
		"a context that has ended": {ctx: ended, tasks: new(batchLog).tasks("a", "b"), want: []error{errFailed, context.Canceled}},
	}
	for name, test := range tests {
		for _, opt := range []taskmanager.Option{taskmanager.WithName("m"), taskmanager.WithLimit(5, taskmanager.Block), taskmanager.WithLimit(1, taskmanager.DropOldest)} {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), opt, taskmanager.WithHistory(10))
				submitFunc(t, m, "outstanding", untilCancelled)
				synctest.Wait()
				ctx := test.ctx
				if ctx == nil {
					ctx = t.Context()
				}
				before := m.Snapshot().Submitted
				handles, err := m.SubmitAll(ctx, test.tasks, test.opts...)
				if err == nil || handles != nil {
					t.Fatalf("%s: SubmitAll returned %v, %v; want no handles and an error", name, handles, err)
				}
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("%s: the error is %v, want it to match %v", name, err, want)
					}
				}
				for _, says := range test.says {
					if !strings.Contains(err.Error(), says) {
						t.Errorf("%s: the error is %q, want it to say %q", name, err, says)
					}
				}
				if len(test.says) > 0 && test.says[0] == "task 2" && strings.Contains(err.Error(), "task 1:") {
					t.Errorf("%s: the error is %q, want it to say nothing of the first task", name, err)
				}
				wantFree(t, m, "a", "b", "")
				check.Equal(t, "submitted of a batch that was refused", m.Snapshot().Submitted-before, 0)
				check.Equal(t, "ended tasks", len(m.History()), 0)
			})
		}
	}
}

// TestSubmitAllOfNothing checks an empty batch, a nil context, and a stopped manager.
func TestSubmitAllOfNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithLimit(1, taskmanager.Block))
		if handles, err := m.SubmitAll(t.Context(), nil); len(handles) != 0 || err != nil {
			t.Errorf("an empty batch returned %v, %v; want nothing and nil", handles, err)
		}
		_, err := m.SubmitAll(nil, new(batchLog).tasks("a")) //nolint:staticcheck // the fault is the test
		if !errors.Is(err, taskmanager.ErrNilContext) {
			t.Errorf("a batch with a nil context returned %v, want ErrNilContext", err)
		}
		stop(t, m)
		if _, err := m.SubmitAll(t.Context(), new(batchLog).tasks("a", "b")); !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a batch for a stopped manager returned %v, want ErrStopped", err)
		}
		if _, err := m.TrySubmit(t.Context(), &task{name: "a"}); !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("TrySubmit to a stopped manager returned %v, want ErrStopped", err)
		}
	})
}

// TestSubmitAllUnderReject checks that no task is accepted if there is no room for all.
func TestSubmitAllUnderReject(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, taskmanager.Reject))
		running := submitFunc(t, m, "running", untilCancelled)
		synctest.Wait()
		log := new(batchLog)
		if _, err := m.SubmitAll(t.Context(), log.tasks("a", "b", "c")); !errors.Is(err, taskmanager.ErrQueueFull) {
			t.Errorf("a batch of 3 with room for 2 returned %v, want ErrQueueFull", err)
		}
		wantFree(t, m, "a", "b", "c")
		handles, err := m.SubmitAll(t.Context(), log.tasks("a", "b"))
		if err != nil {
			t.Fatalf("a batch of 2 with room for 2: %v", err)
		}
		running.Cancel()
		wantEnds(t, handles, nil, nil)
		check.Equal(t, "order", log.order(), []string{"a", "b"})
	})
}

// TestSubmitAllUnderBlock checks that a batch waits for room for all its tasks. Until then
// none of them runs, even if there is room for some, and no later submit overtakes the
// batch.
func TestSubmitAllUnderBlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, taskmanager.Block))
		log := new(batchLog)
		running := submitFunc(t, m, "running", untilCancelled)
		synctest.Wait()
		queued := submitFunc(t, m, "queued", untilCancelled)
		batch := submitAllElsewhere(t.Context(), m, log.tasks("a", "b"))
		later := submitAllElsewhere(t.Context(), m, log.tasks("later"))
		got := m.Snapshot()
		if got.Queued != 1 || got.Blocked != 3 || isClosed(batch.done) || isClosed(later.done) {
			t.Errorf("with room for one of two: %+v; want 1 queued, 3 blocked, and both submits waiting", got)
		}
		for _, name := range []string{"a", "b", "later"} {
			if got := m.TaskStatus()[name].Status; got != taskmanager.NotAssigned {
				t.Errorf("task %q, whose submit waits, is %q, want not assigned", name, got)
			}
		}
		running.Cancel()
		<-batch.done
		if batch.err != nil {
			t.Fatal(batch.err)
		}
		wantNames(t, batch.handles, "a", "b")
		synctest.Wait()
		check.Equal(t, "the batch has room, and the next submit waits still", isClosed(later.done), false)
		queued.Cancel()
		wantEnds(t, batch.handles, nil, nil)
		<-later.done
		wantEnds(t, later.handles, nil)
		check.Equal(t, "order", log.order(), []string{"a", "b", "later"})
	})
}

// TestWaitingSubmitAllEnds ends a waiting SubmitAll by its context, by the cancellation or
// a limit of one of its tasks, and by Stop. No task of the batch runs, and the submits
// behind it continue.
func TestWaitingSubmitAllEnds(t *testing.T) {
	tests := map[string]struct {
		opts []taskmanager.TaskOption
		end  func(m *taskmanager.TaskManager, cancel context.CancelCauseFunc)
		want error
	}{
		"context":       {end: func(_ *taskmanager.TaskManager, cancel context.CancelCauseFunc) { cancel(errFailed) }, want: errFailed},
		"cancel of one": {end: func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) { m.Cancel("b") }, want: taskmanager.ErrCancelled},
		"queue time":    {opts: []taskmanager.TaskOption{taskmanager.WithQueueTimeout(time.Second)}, want: taskmanager.ErrQueueTimeout},
		"linked context": {
			opts: []taskmanager.TaskOption{taskmanager.WithLinkedContext()},
			end:  func(_ *taskmanager.TaskManager, cancel context.CancelCauseFunc) { cancel(errFailed) }, want: errFailed,
		},
		"stop": {end: func(m *taskmanager.TaskManager, _ context.CancelCauseFunc) {
			_ = m.Stop(context.Background())
		}, want: taskmanager.ErrStopped},
	}
	for name, test := range tests {
		bubble(t, func(t *testing.T) {
			m := crowded(t, taskmanager.Block, taskmanager.WithHistory(10))
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			log := new(batchLog)
			batch := submitAllElsewhere(ctx, m, log.tasks("a", "b"), test.opts...)
			if isClosed(batch.done) {
				t.Fatalf("%s: SubmitAll did not wait: %v", name, batch.err)
			}
			if test.end != nil {
				test.end(m, cancel)
			}
			<-batch.done
			if !errors.Is(batch.err, test.want) || batch.handles != nil {
				t.Errorf("%s: SubmitAll returned %v, %v; want no handles and %v", name, batch.handles, batch.err, test.want)
			}
			if name == "cancel of one" && !strings.Contains(batch.err.Error(), `"b"`) {
				t.Errorf("%s: SubmitAll returned %v, which does not say which", name, batch.err)
			}
			wantFree(t, m, "a", "b")
			check.Equal(t, "blocked", m.Snapshot().Blocked, 0)
			m.Cancel("running")
			synctest.Wait()
			check.Equal(t, "tasks of the batch that ran", log.order(), []string{})
			for _, r := range m.History() {
				if r.Name == "a" || r.Name == "b" {
					t.Errorf("%s: the history has %q, whose submit was refused", name, r.Name)
				}
			}
		})
	}
}

// TestSubmitAllUnderBlockThatCannotWait checks that SubmitAll refuses at once a batch that
// could never fit, and a batch that a task submits to its own manager.
func TestSubmitAllUnderBlockThatCannotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithLimit(2, taskmanager.Block))
		log := new(batchLog)
		if _, err := m.SubmitAll(t.Context(), log.tasks("a", "b", "c", "d", "e")); !errors.Is(err, taskmanager.ErrQueueFull) {
			t.Errorf("a batch of 5 for 2 workers and a limit of 2 returned %v, want ErrQueueFull", err)
		}
		wantFree(t, m, "a", "b", "c", "d", "e")
		h := submitFunc(t, m, "outer", func(ctx context.Context) error {
			_, err := m.SubmitAll(ctx, log.tasks("a", "b", "c", "d"))
			return err
		})
		if err := wait(t, h); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
			t.Errorf("SubmitAll in a task returned %v, want ErrWouldDeadlock", err)
		}
		wantFree(t, m, "a", "b", "c", "d")
		synctest.Wait() // the worker of the outer task is idle again
		handles, err := m.SubmitAll(t.Context(), log.tasks("a", "b", "c", "d"))
		if err != nil {
			t.Fatalf("a batch of 4 that fits exactly: %v", err)
		}
		wantEnds(t, handles, nil, nil, nil, nil)
	})
}

// TestSubmitAllUnderPoliciesThatDrop checks that all tasks are accepted, and that one is
// dropped for each task that exceeds the limit.
func TestSubmitAllUnderPoliciesThatDrop(t *testing.T) {
	dropped := taskmanager.ErrDropped
	for overflow, want := range map[taskmanager.Overflow][]error{ // the errors of the queued task and of a, b, c, d
		taskmanager.DropNewest: {nil, nil, dropped, dropped, dropped},
		taskmanager.DropWorst:  {nil, nil, dropped, dropped, dropped},
		taskmanager.DropOldest: {dropped, dropped, dropped, nil, nil},
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(2, overflow))
			running := submitFunc(t, m, "running", untilCancelled)
			synctest.Wait()
			queued := submitFunc(t, m, "queued", fn0)
			handles, err := m.SubmitAll(t.Context(), new(batchLog).tasks("a", "b", "c", "d"))
			if err != nil {
				t.Fatalf("%v: %v", overflow, err)
			}
			wantNames(t, handles, "a", "b", "c", "d")
			running.Cancel()
			wantEnds(t, append([]*taskmanager.Handle{queued}, handles...), want...)
		})
	}
}

// TestSubmitAllUnderCallerRuns checks that SubmitAll queues the tasks that fit and runs the
// others itself, one after another. A crash of one does not affect the others, and one that
// was cancelled meanwhile does not run.
func TestSubmitAllUnderCallerRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := crowded(t, taskmanager.CallerRuns)
		m.Cancel("queued") // leaves room for one
		log := new(batchLog)
		tasks := log.tasks("a", "b", "c", "d", "e")
		tasks[1].(*task).execute = func(context.Context) error {
			m.Cancel("d")
			time.Sleep(time.Second)
			panic(errFailed)
		}
		begin := time.Now()
		tasks[2].(*task).execute = func(ctx context.Context) error {
			h, _ := taskmanager.FromContext(ctx)
			check.Equal(t, "the worker of a task that its submitter runs", h.Status().Worker, 0)
			check.Equal(t, "c begins after", time.Since(begin), time.Second)
			time.Sleep(time.Second)
			return nil
		}
		batch := submitAllElsewhere(t.Context(), m, tasks)
		for _, name := range []string{"a", "c", "d", "e"} {
			if got := m.TaskStatus()[name].Status; got != taskmanager.NotAssigned {
				t.Errorf("task %q is %q while another one of its batch runs, want not assigned", name, got)
			}
		}
		<-batch.done
		check.Equal(t, "the submit took", time.Since(begin), 2*time.Second)
		if batch.err != nil {
			t.Fatal(batch.err)
		}
		wantNames(t, batch.handles, "a", "b", "c", "d", "e")
		check.Equal(t, "what has run when the submit returns", log.order(), []string{"e"})
		m.Cancel("running")
		wantEnds(t, batch.handles, nil, errFailed, nil, taskmanager.ErrCancelled, nil)
		check.Equal(t, "order", log.order(), []string{"e", "a"})
	})
}

// TestOptionsOfABatchApplyToEachTask checks that each task has its own limits and delays.
func TestOptionsOfABatchApplyToEachTask(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithQueue(taskmanager.Fair(nil)), taskmanager.WithLimit(1, taskmanager.Reject))
		begin := time.Now()
		tasks := []taskmanager.Task{}
		for _, name := range []string{"a", "b"} {
			tasks = append(tasks, &task{name: name, execute: untilCancelled})
		}
		handles, err := m.SubmitAll(t.Context(), tasks, taskmanager.WithKey("acme"), taskmanager.WithDescription("what it does"),
			taskmanager.WithDelay(time.Second), taskmanager.WithTimeout(time.Second), taskmanager.WithQueueTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range handles {
			s := h.Status()
			check.Equal(t, "what is known of "+h.Name(), []any{h.Key(), s.Description, s.DueAt.Sub(begin)}, []any{"acme", "what it does", time.Second})
		}
		wantEnds(t, handles, taskmanager.ErrTimeout, taskmanager.ErrTimeout)
		check.Equal(t, "the last end", time.Since(begin), 2*time.Second)
	})
}

// TestTrySubmitWithoutRoom checks that TrySubmit neither waits nor runs the task. Depending
// on the policy it returns an error, or a task is dropped.
func TestTrySubmitWithoutRoom(t *testing.T) {
	for overflow, want := range map[taskmanager.Overflow]struct{ refused, queued, own error }{
		taskmanager.Block:      {refused: taskmanager.ErrQueueFull},
		taskmanager.Reject:     {refused: taskmanager.ErrQueueFull},
		taskmanager.CallerRuns: {refused: taskmanager.ErrQueueFull},
		taskmanager.DropNewest: {own: taskmanager.ErrDropped},
		taskmanager.DropWorst:  {own: taskmanager.ErrDropped},
		taskmanager.DropOldest: {queued: taskmanager.ErrDropped},
	} {
		bubble(t, func(t *testing.T) {
			m := crowded(t, overflow, taskmanager.WithHistory(10))
			queued, _ := m.Lookup("queued")
			h, err := m.TrySubmit(t.Context(), &task{name: "new"})
			if !errors.Is(err, want.refused) || (h == nil) != (want.refused != nil) {
				t.Fatalf("%v: TrySubmit returned %v, %v; want a handle or %v", overflow, h, err, want.refused)
			}
			if want.refused != nil {
				wantFree(t, m, "new")
				check.Equal(t, "ended tasks", len(m.History()), 0)
			}
			m.Cancel("running")
			wantEnds(t, []*taskmanager.Handle{queued}, want.queued)
			if h != nil {
				wantEnds(t, []*taskmanager.Handle{h}, want.own)
			}
			synctest.Wait() // the worker is idle again
			h, err = m.TrySubmit(t.Context(), &task{name: "new"}, taskmanager.WithDescription("with room"))
			if err != nil {
				t.Fatalf("%v: TrySubmit with room: %v", overflow, err)
			}
			wantEnds(t, []*taskmanager.Handle{h}, nil)
		})
	}
}
