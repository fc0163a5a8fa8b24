package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// sheds is a FIFO that gives up every task named "x" when it is its turn.
type sheds struct {
	queue.Queue[*taskmanager.Handle]

	given []*taskmanager.Handle
}

func (s *sheds) Pop() (*taskmanager.Handle, bool) {
	for {
		h, ok := s.Queue.Pop()
		if !ok || h.Name() != "x" {
			return h, ok
		}
		s.given = append(s.given, h)
	}
}

func (s *sheds) Discarded() (h *taskmanager.Handle, ok bool, reason error) {
	if len(s.given) == 0 {
		return nil, false, nil
	}
	h, s.given = s.given[0], s.given[1:]
	return h, true, queue.ErrShed
}

// shedding is the discipline of sheds.
func shedding() taskmanager.Option {
	return taskmanager.WithQueue(taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] {
		return &sheds{Queue: queue.NewFIFO[*taskmanager.Handle]()}
	}))
}

// ending is a way in which the task "x" ends. A worker is busy with another task, unless free
// is set.
type ending struct {
	free    bool
	opts    []taskmanager.Option
	task    []taskmanager.TaskOption
	execute func(context.Context) error
	// then is called once the task is queued or running.
	then  func(t *testing.T, m *taskmanager.TaskManager, h *taskmanager.Handle)
	want  string // outcome, and error.type
	spans []string
	count func(taskmanager.Counts) uint64
}

// nextTask submits a task for which there is no room.
func nextTask(name string) func(*testing.T, *taskmanager.TaskManager, *taskmanager.Handle) {
	return func(t *testing.T, m *taskmanager.TaskManager, _ *taskmanager.Handle) {
		t.Helper()
		if _, err := m.SubmitFunc(t.Context(), name, fn0, taskmanager.WithKind("other")); err != nil {
			t.Fatal(err)
		}
	}
}

func cancelTask(_ *testing.T, _ *taskmanager.TaskManager, h *taskmanager.Handle) { h.Cancel() }

func stopManager(t *testing.T, m *taskmanager.TaskManager, _ *taskmanager.Handle) {
	t.Helper()
	stop(t, m)
}

func sleepMinute(*testing.T, *taskmanager.TaskManager, *taskmanager.Handle) { time.Sleep(time.Minute) }

// endingsOfATask are the ways in which a task ends.
func endingsOfATask() map[string]ending {
	dropped := func(c taskmanager.Counts) uint64 { return c.Dropped }
	cancelled := func(c taskmanager.Counts) uint64 { return c.Cancelled }
	stopped := func(c taskmanager.Counts) uint64 { return c.Stopped }
	failed := func(c taskmanager.Counts) uint64 { return c.Failed }
	timedOut := func(c taskmanager.Counts) uint64 { return c.TimedOut }
	limit := func(o taskmanager.Overflow) []taskmanager.Option {
		return []taskmanager.Option{taskmanager.WithLimit(1, o)}
	}
	run := func(result string) []string { return []string{"run job " + result} }
	waited := func(result string) []string { return []string{"end job " + result} }
	return map[string]ending{
		"succeeds": {
			free: true, want: "success ", spans: run("success"),
			count: func(c taskmanager.Counts) uint64 { return c.Succeeded },
		},
		"fails": {
			free: true, execute: func(context.Context) error { return errFailed },
			want: "failure *errors.errorString", spans: run("failure *errors.errorString"), count: failed,
		},
		"panics": {
			free: true, execute: func(context.Context) error { panic("no") },
			want: "failure panic", spans: run("failure panic"), count: failed,
		},
		"Goexit": {
			free: true, execute: func(context.Context) error { runtime.Goexit(); return nil },
			want: "failure goexit", spans: run("failure goexit"), count: failed,
		},
		"is cancelled while it runs": {
			free: true, execute: untilCancelled, then: cancelTask,
			want: "cancelled ", spans: run("cancelled"), count: cancelled,
		},
		"is stopped while it runs": {
			free: true, execute: untilCancelled, then: stopManager,
			want: "stopped ", spans: run("cancelled"), count: stopped,
		},
		"panics when it is cancelled": {
			free: true, execute: func(ctx context.Context) error { <-ctx.Done(); panic("no") }, then: cancelTask,
			want: "failure panic", spans: run("failure panic"), count: failed,
		},
		"runs for too long": {
			free: true, execute: untilCancelled, task: []taskmanager.TaskOption{taskmanager.WithTimeout(time.Second)}, then: sleepMinute,
			want: "timed_out timeout", spans: run("failure timeout"), count: timedOut,
		},
		"misses its deadline while it runs": {
			free: true, execute: untilCancelled, then: sleepMinute,
			task: []taskmanager.TaskOption{taskmanager.WithDeadline(time.Date(2000, 1, 1, 0, 0, 2, 0, time.UTC))},
			want: "timed_out timeout", spans: run("failure timeout"), count: timedOut,
		},
		"is cancelled in the queue": {then: cancelTask, want: "cancelled ", spans: waited("cancelled"), count: cancelled},
		"is stopped in the queue":   {then: stopManager, want: "stopped ", spans: waited("stopped"), count: stopped},
		"times out in the queue": {
			task: []taskmanager.TaskOption{taskmanager.WithQueueTimeout(time.Second)}, then: sleepMinute,
			want: "timed_out timeout", spans: waited("timed_out timeout"), count: timedOut,
		},
		"is cancelled before it is due": {
			free: true, task: []taskmanager.TaskOption{taskmanager.WithDelay(time.Hour)}, then: cancelTask,
			want: "cancelled ", spans: waited("cancelled"), count: cancelled,
		},
		"is stopped before it is due": {
			free: true, task: []taskmanager.TaskOption{taskmanager.WithDelay(time.Hour)}, then: stopManager,
			want: "stopped ", spans: waited("stopped"), count: stopped,
		},
		"is dropped as the oldest": {
			opts: limit(taskmanager.DropOldest), then: nextTask("y"),
			want: "dropped dropped", spans: waited("dropped dropped"), count: dropped,
		},
		"is shed": {
			opts: []taskmanager.Option{shedding()},
			then: func(_ *testing.T, m *taskmanager.TaskManager, _ *taskmanager.Handle) { m.Cancel("busy") },
			want: "shed shed", spans: waited("shed shed"), count: func(c taskmanager.Counts) uint64 { return c.Shed },
		},
		"gives up after restarts": {
			free: true, execute: func(context.Context) error { return errFailed }, then: sleepMinute,
			task: []taskmanager.TaskOption{taskmanager.WithRestart(modelPolicy{})},
			want: "failure restarts_exhausted", count: failed,
			spans: []string{
				"run job failure *errors.errorString", "restart job *errors.errorString",
				"run job failure *errors.errorString", "restart job *errors.errorString",
				"run job failure *errors.errorString", "restart job *errors.errorString",
				"run job failure *errors.errorString",
			},
		},
		"is cancelled while it waits for its restart": {
			free: true, execute: func(context.Context) error { return errFailed }, then: cancelTask,
			task: []taskmanager.TaskOption{taskmanager.WithRestart(fixedDelay(time.Hour))},
			want: "cancelled ", spans: []string{"run job failure *errors.errorString", "restart job cancelled *errors.errorString"}, count: cancelled,
		},
	}
}

// TestTasksThatDidNotRunEndedUnseen checks that each accepted task reports exactly one end,
// with its outcome, in the metric, to the manager's counts, and in the trace.
func TestTasksThatDidNotRunEndedUnseen(t *testing.T) {
	all := endingsOfATask()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			l := all[name]
			bubble(t, func(t *testing.T) {
				b := newBackend(t)
				ends := new(endings)
				m := start(t, append([]taskmanager.Option{
					taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(b.otel, ends),
				}, l.opts...)...)
				if !l.free {
					submitFunc(t, m, "busy", untilCancelled, taskmanager.WithKind("busy"))
					synctest.Wait()
				}
				if l.execute == nil {
					l.execute = fn0
				}
				h := submitFunc(t, m, "x", l.execute, append(l.task, taskmanager.WithKind("job"))...)
				synctest.Wait()
				if l.then != nil {
					l.then(t, m, h)
				}
				synctest.Wait()
				if !isClosed(h.Done()) {
					t.Fatal("the task has not ended")
				}
				check.Equal(t, "ends", b.ends(t, "job"), map[string]int64{l.want: 1})
				check.Equal(t, "ends that the observer saw", ends.of("x"), []string{l.want})
				busy := uint64(0)
				if l.want == "stopped " && !l.free { // the other task is stopped too
					busy = 1
				}
				check.Equal(t, "the count of the outcome", l.count(m.Counts()), 1+busy)
				stop(t, m)
				check.Equal(t, "spans", b.spansOf(t, "job"), l.spans)
				checkCounts(t, m.Counts(), 0)
			})
		})
	}
}

// ends returns the values of the metric taskmanager.task.ends for a kind, by outcome and
// error.type.
func (b *backend) ends(t testing.TB, kind string) map[string]int64 {
	t.Helper()
	sums := map[string]int64{}
	for _, p := range b.points(t, "taskmanager.task.ends") {
		if k, _ := p.Attributes.Value("taskmanager.task.kind"); k.AsString() == kind || kind == "" {
			outcome, _ := p.Attributes.Value("taskmanager.task.outcome")
			errorType, _ := p.Attributes.Value("error.type")
			sums[outcome.AsString()+" "+errorType.AsString()] += p.Value
		}
	}
	return sums
}

// spansOf returns the spans of a kind: the name, the outcome and the error.type. The status
// is an error exactly if an execution, a submit or an end has an error.type.
func (b *backend) spansOf(t *testing.T, kind string) []string {
	t.Helper()
	var list []string
	for _, e := range b.all(t) {
		if len(e.Name) < len(kind) || e.Name[len(e.Name)-len(kind):] != kind {
			continue
		}
		text := e.Name
		for _, s := range []string{e.Outcome, e.ErrorType} {
			if s != "" {
				text += " " + s
			}
		}
		list = append(list, text)
		if failed := e.Status == codes.Error; failed != (e.ErrorType != "") && e.Name != "restart "+kind {
			t.Errorf("the span %q has the status %v", text, e.Status)
		}
	}
	return list
}

// endings is an observer of ends.
type endings struct {
	mu   sync.Mutex // guards seen
	seen []string
}

func (e *endings) TaskEnded(_ context.Context, end observe.End) {
	errorType := ""
	switch end.Outcome {
	case observe.Failure, observe.TimedOut, observe.Dropped, observe.Shed:
		errorType = end.Type
		if errorType == "" {
			errorType = observe.ErrorType(end.Err)
		}
	case observe.Success, observe.Cancelled, observe.Stopped:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, fmt.Sprint(end.Name, ": ", end.Outcome, " ", errorType))
}

// of returns the ends of a task.
func (e *endings) of(name string) (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.seen {
		if len(s) > len(name) && s[:len(name)+2] == name+": " {
			list = append(list, s[len(name)+2:])
		}
	}
	return list
}

// checkCounts checks that every accepted task is outstanding or has ended.
func checkCounts(t failer, c taskmanager.Counts, outstanding uint64) {
	t.Helper()
	ended := c.Succeeded + c.Failed + c.Cancelled + c.Stopped + c.Dropped + c.Shed + c.TimedOut
	if c.Accepted != ended+outstanding || c.Outstanding() != outstanding || c.Ended() != ended {
		t.Errorf("the counts are %+v, of which %d have ended; want %d outstanding", c, ended, outstanding)
	}
}

// TestRefusedTasksHaveNoEnd checks that a submit that fails reports no end and does not
// count as accepted.
func TestRefusedTasksHaveNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.Reject), taskmanager.WithObserver(b.otel))
		for _, name := range []string{"runs", "waits"} {
			submitFunc(t, m, name, untilCancelled)
			synctest.Wait()
		}
		refused := func(want error, err error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("the submit returned %v, want %v", err, want)
			}
		}
		_, err := m.SubmitFunc(t.Context(), "full", fn0)
		refused(taskmanager.ErrQueueFull, err)
		_, err = m.SubmitFunc(t.Context(), "runs", fn0)
		refused(taskmanager.ErrAlreadyExists, err)
		_, err = m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "a"}, &task{name: "b"}})
		refused(taskmanager.ErrQueueFull, err)
		_, err = m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "a"}, &task{name: "runs"}})
		refused(taskmanager.ErrAlreadyExists, err)
		err = m.Group(t.Context()).Go("full", fn0)
		refused(taskmanager.ErrQueueFull, err)
		checkCounts(t, m.Counts(), 2)
		check.Equal(t, "ends", len(b.ends(t, "")), 0)
		stop(t, m)
		checkCounts(t, m.Counts(), 0)
		check.Equal(t, "ends", b.ends(t, ""), map[string]int64{"stopped ": 2})
		check.Equal(t, "accepted", m.Counts().Accepted, 2)
	})
}

// TestEndsOfManyTasks counts ends of tasks that run in their submit, in batches, in groups
// and in schedules.
func TestEndsOfManyTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithWorkers(1, 2), taskmanager.WithLimit(0, taskmanager.CallerRuns), taskmanager.WithObserver(b.otel))
		var batch []taskmanager.Task
		for i := range 10 {
			batch = append(batch, &task{name: fmt.Sprint(i)})
		}
		if _, err := m.SubmitAll(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		g := m.Group(t.Context())
		for i := range 5 {
			_ = g.Go(fmt.Sprint("member ", i), func(context.Context) error {
				if i == 0 {
					return errFailed
				}
				return nil
			})
			synctest.Wait()
		}
		s := every(t, m, time.Second, &task{name: "over and over"})
		time.Sleep(3500 * time.Millisecond)
		s.Stop()
		synctest.Wait()
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 14, Succeeded: 13, Failed: 1})
		check.Equal(t, "ends", b.ends(t, ""), map[string]int64{"success ": 13, "failure *errors.errorString": 1})
	})
}

// checkEnds checks that each accepted task is outstanding, and counted under its state, or has
// reported exactly one end, with the outcome that the model expects.
func (s *system) checkEnds(t *rapid.T) {
	want := taskmanager.Counts{Accepted: uint64(len(s.all()))}
	for _, x := range s.ended {
		if x.err == nil { // accepted
			want.Accepted++
			*x.counter(&want)++
		}
	}
	for _, x := range s.all() {
		switch waits := slices.Contains(s.delayed, x); {
		case x.executing():
			want.Running++
		case waits && x.phase == taskmanager.Restarted:
			want.Restarting++
		case waits:
			want.Delayed++
		default:
			want.Queued++
		}
	}
	if diff := cmp.Diff(want, s.m.Counts()); diff != "" {
		t.Fatalf("counts (-want +got):\n%s", diff)
	}
	if s.backend == nil {
		return
	}
	var ends int64
	for _, p := range s.backend.points(t, "taskmanager.task.ends") {
		ends += p.Value
	}
	if ends != int64(want.Ended()) { //nolint:gosec // small
		t.Fatalf("%d ends were counted, want %d", ends, want.Ended())
	}
}

// counter returns the count to which the end of a task belongs.
func (x *modelTask) counter(c *taskmanager.Counts) *uint64 {
	is := func(reasons ...error) bool {
		return slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(x.end, r) })
	}
	switch {
	case x.handed != nil:
		return &c.HandedOver
	case x.end == nil:
		return &c.Succeeded
	case is(taskmanager.ErrDropped):
		return &c.Dropped
	case is(taskmanager.ErrShed):
		return &c.Shed
	case is(taskmanager.ErrStopped):
		return &c.Stopped
	case is(taskmanager.ErrCancelled, taskmanager.ErrReplaced, taskmanager.ErrGroupFailed):
		return &c.Cancelled
	case is(taskmanager.ErrTimeout, taskmanager.ErrQueueTimeout, taskmanager.ErrDeadlineExceeded),
		is(taskmanager.ErrRestartsExhausted) && errors.Is(x.last, taskmanager.ErrTimeout):
		return &c.TimedOut
	}
	return &c.Failed
}

// TestSubmitsDuringStopAreAcceptedOrRefused lets submits of all kinds race with Stop. Each
// submit that succeeds must be counted as accepted and as ended, and no other one.
func TestSubmitsDuringStopAreAcceptedOrRefused(t *testing.T) {
	for range 200 {
		m := start(t, taskmanager.WithWorkers(1, 2))
		var succeeded atomic.Uint64
		var all, begun sync.WaitGroup
		for g := range 4 {
			begun.Add(1)
			all.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprint(g, " ", i)
					var err error
					tasks := uint64(1)
					switch g {
					case 0:
						_, err = m.SubmitFunc(context.Background(), name, fn0)
					case 1:
						_, err = m.SubmitFunc(context.Background(), name, fn0, taskmanager.WithDelay(time.Hour))
					case 2:
						_, err = m.SubmitAll(context.Background(), []taskmanager.Task{&task{name: name}, &task{name: "also " + name}})
						tasks = 2
					default:
						_, err = m.SubmitAll(context.Background(), []taskmanager.Task{&task{name: name}, &task{name: "also " + name}},
							taskmanager.WithDelay(time.Hour))
						tasks = 2
					}
					if i == 0 {
						begun.Done()
					}
					if err != nil {
						return
					}
					succeeded.Add(tasks)
				}
			})
		}
		begun.Wait()
		stop(t, m)
		all.Wait()
		c := m.Counts()
		checkCounts(t, c, 0)
		if c.Accepted != succeeded.Load() {
			t.Fatalf("%d tasks were submitted without an error, and %+v counted", succeeded.Load(), c)
		}
	}
}
