package taskmanager_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// attempts is an observer that notes End.Attempts and End.Waiting by the name of the task.
type attempts struct {
	sync.Map
}

func (a *attempts) TaskEnded(_ context.Context, e observe.End) {
	a.Store(e.Name, fmt.Sprint(e.Attempts, " ", e.Waiting))
}

// TestEndTellsTheNumberOfExecutions checks it for tasks that ran, that waited for a restart, and
// that never ran.
func TestEndTellsTheNumberOfExecutions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ends := new(attempts)
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(ends), taskmanager.WithRestart(fixedDelay(time.Second)))
		failing := func(name string) *task {
			return &task{name: name, execute: func(context.Context) error { return errFailed }, restart: func(context.Context, error) bool { return true }}
		}
		await(t, submitFunc(t, m, "ran", fn0))
		waits := submit(t, m, failing("waits"))
		time.Sleep(1500 * time.Millisecond)
		waits.Cancel()
		again := submit(t, m, failing("queued again"))
		synctest.Wait()
		submitFunc(t, m, "busy", untilCancelled)
		submitFunc(t, m, "queued", fn0).Cancel()
		time.Sleep(1500 * time.Millisecond)
		again.Cancel()
		stop(t, m)
		for name, want := range map[string]string{
			"ran": "1 false", "waits": "2 false", "queued again": "1 true", "busy": "1 false", "queued": "0 true",
		} {
			got, _ := ends.Load(name)
			check.Equal(t, name, got, any(want))
		}
	})
}

// TestRunOfAScheduleEndedTheSpanOfItsMaker checks that runs leave the span that was current when
// the schedule was made as it is.
func TestRunOfAScheduleEndedTheSpanOfItsMaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel))
		ctx, span := b.tracer.Start(t.Context(), "request")
		s, err := m.Every(ctx, time.Second, &task{name: "a"})
		check.Is(t, "Every", err, nil)
		time.Sleep(2500 * time.Millisecond)
		check.Equal(t, "the span is recording", span.IsRecording(), true)
		s.Stop()
		span.End()
	})
}

// TestEndOfAQueuedTaskIsLinked checks the span end under Link.
func TestEndOfAQueuedTaskIsLinked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t, observe.WithPropagation(observe.Link))
		m := start(t, taskmanager.WithObserver(b.otel))
		ctx, span := b.tracer.Start(t.Context(), "request")
		h, err := m.SubmitFunc(ctx, "a", fn0, taskmanager.WithKind("job"), taskmanager.WithDelay(time.Hour))
		check.Is(t, "SubmitFunc", err, nil)
		span.End()
		h.Cancel()
		stop(t, m)
		want := emitted{Name: "end job", Kind: "internal", Links: []string{submitJob}, Outcome: "cancelled"}
		var got emitted
		for _, e := range b.all(t) {
			if e.Name == want.Name {
				got = e
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("span (-want +got):\n%s", diff)
		}
	})
}

// TestDesiredWorkersAreWithinTheBounds also covers a scaler that has not decided yet.
func TestDesiredWorkersAreWithinTheBounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel), taskmanager.WithWorkers(3, 9))
		desired := func(want int64) {
			t.Helper()
			check.Equal(t, "desired", b.counts(t, "taskmanager.pool.worker.desired", ""), map[string]int64{"": want})
		}
		desired(3)
		for i := range 6 {
			submitFunc(t, m, strconv.Itoa(i), untilCancelled)
		}
		synctest.Wait()
		desired(6)
		check.Is(t, "Resize", m.Resize(1, 2), nil)
		desired(2)
		stop(t, m)
	})
}

// TestWorkerKeepsNoLabels checks that an idle worker does not have the labels of its last task.
func TestWorkerKeepsNoLabels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithProfiling())
		await(t, submitFunc(t, m, "ended", fn0))
		synctest.Wait()
		check.Equal(t, "labelled", labelled(t, observe.NameLabel, "ended"), false)
		stop(t, m)
	})
}

// TestCallsOfObserversTakeNoMemory checks that the list of calls in progress does not grow.
func TestCallsOfObserversTakeNoMemory(t *testing.T) {
	m := start(t, taskmanager.WithObserver(new(attempts)), taskmanager.WithWorkers(1, 1))
	for i := range 500 {
		await(t, submitFunc(t, m, strconv.Itoa(i), fn0))
	}
	if n := taskmanager.RoomForCalls(m); n > 100 {
		t.Errorf("after 500 calls, there is room for %d", n)
	}
}

// TestCancelOfATaskThatIsTooLate checks that a task counts as cancelled, although it had exceeded
// the limit of its execution before.
func TestCancelOfATaskThatIsTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submitFunc(t, m, "a", func(context.Context) error { time.Sleep(3 * time.Second); return errFailed },
			taskmanager.WithTimeout(time.Second))
		time.Sleep(2 * time.Second)
		h.Cancel()
		await(t, h)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 1, Cancelled: 1})
	})
}

// fragile is sheds whose Push panics for tasks whose names begin with "bad".
type fragile struct{ sheds }

func (f *fragile) Push(h *taskmanager.Handle) {
	if h.Name()[:1] == "b" {
		panic("broken")
	}
	f.Queue.Push(h)
}

// TestShedTasksHideAFaultOfTheDiscipline checks that panics of a discipline are logged as errors,
// apart from the tasks that it sheds, and that the end of the manager logs how many there were.
func TestShedTasksHideAFaultOfTheDiscipline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log, ends := new(levels), new(endings)
		m := start(t, taskmanager.WithLogger(log), taskmanager.WithObserver(ends), taskmanager.WithQueue(taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] {
			return &fragile{sheds{Queue: queue.NewFIFO[*taskmanager.Handle]()}}
		})))
		await(t, submitFunc(t, m, "x", fn0))
		for i := range 3 {
			await(t, submitFunc(t, m, fmt.Sprint("bad", i), fn0))
		}
		stop(t, m)
		check.Equal(t, "errors", log.errors, []string{"task %v will not run: %v", "%s will not run"})
		check.Equal(t, "end", ends.of("bad0"), []string{"dropped panic"})
	})
}

// levels is a Logger that keeps the formats of errors.
type levels struct {
	recorder

	errors []string
}

func (l *levels) Errorf(format string, _ ...any) {
	l.errors = append(l.errors, format[len("taskmanager: "):])
}

// TestSDKOfTheStartIsReplaced checks that the providers of the start no longer observe the pool.
func TestSDKOfTheStartIsReplaced(t *testing.T) {
	first := install(t)
	m := start(t)
	second := install(t)
	await(t, submitFunc(t, m, "a", fn0))
	const workers = "taskmanager.pool.worker.min"
	check.Equal(t, "workers for the first", first.counts(t, workers, ""), map[string]int64{})
	check.Equal(t, "workers for the second", second.counts(t, workers, ""), map[string]int64{"": 1})
	stop(t, m)
}

// TestStatusOfASuccessHasNoError checks a task that has failed before.
func TestStatusOfASuccessHasNoError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		runs := 0
		h := submitFunc(t, start(t), "a", func(context.Context) error {
			if runs++; runs == 1 {
				return errFailed
			}
			return nil
		}, taskmanager.WithRestart(fixedDelay(time.Second)))
		await(t, h)
		check.Equal(t, "restarts", h.Status().Restarts, 1)
		check.Is(t, "LastError", h.Status().LastError, nil)
	})
}

// ctxLogger is a ContextLogger that notes whether a context has ended.
type ctxLogger struct {
	recorder

	errs []error
}

func (l *ctxLogger) InfofContext(ctx context.Context, _ string, _ ...any) {
	l.errs = append(l.errs, ctx.Err())
}

func (l *ctxLogger) ErrorfContext(ctx context.Context, _ string, _ ...any) {
	l.errs = append(l.errs, ctx.Err())
}

// TestContextOfALogMessageDoesNotEnd checks that a logger gets a usable context, even if that of
// the submit has ended.
func TestContextOfALogMessageDoesNotEnd(t *testing.T) {
	log := new(ctxLogger)
	m := start(t, taskmanager.WithLogger(log))
	ctx, cancel := context.WithCancel(t.Context())
	h, err := m.SubmitFunc(ctx, "a", func(context.Context) error { cancel(); return errFailed })
	check.Is(t, "SubmitFunc", err, nil)
	await(t, h)
	stop(t, m)
	check.Equal(t, "errors of the contexts", log.errs, []error{nil})
}
