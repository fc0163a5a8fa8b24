package taskmanager_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// sorted is a task with a Kind method.
type sorted struct {
	*task

	kind func() string
}

func (s sorted) Kind() string { return s.kind() }

// TestKindsOfTasks checks the kinds in the names of spans, for several ways to submit.
func TestKindsOfTasks(t *testing.T) {
	thumbnail := func() string { return "thumbnail" }
	submits := map[string]func(ctx context.Context, m *taskmanager.TaskManager) error{
		"run *taskmanager_test.task": func(ctx context.Context, m *taskmanager.TaskManager) error {
			_, err := m.TrySubmit(ctx, &task{name: "a"})
			return err
		},
		"run thumbnail": func(ctx context.Context, m *taskmanager.TaskManager) error {
			_, err := m.SubmitAll(ctx, []taskmanager.Task{sorted{&task{name: "a"}, thumbnail}})
			return err
		},
		"run given": func(ctx context.Context, m *taskmanager.TaskManager) error {
			return m.Group(ctx).Submit(sorted{&task{name: "a"}, thumbnail}, taskmanager.WithKind("given"))
		},
		"run func": func(ctx context.Context, m *taskmanager.TaskManager) error {
			_, err := taskmanager.Async(ctx, m, "a", func(context.Context) (int, error) { return 0, nil })
			return err
		},
	}
	for want, submit := range submits {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			m := start(t, taskmanager.WithObserver(b.otel))
			if err := submit(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			got := b.all(t)
			if len(got) != 1 || got[0].Name != want {
				t.Errorf("the spans are %+v, want one %q", got, want)
			}
		})
	}
	m := start(t, taskmanager.WithObserver(newBackend(t).otel))
	if _, err := m.Submit(t.Context(), sorted{&task{name: "a"}, func() string { panic(errFailed) }}); !errors.Is(err, errFailed) {
		t.Errorf("a task whose Kind panics: %v", err)
	}
	if _, err := m.Submit(t.Context(), &task{name: "a"}, taskmanager.WithKind("")); err == nil {
		t.Error("an empty kind is no error")
	}
}

// TestRefusedSubmitsAreErrors checks that the span of a refused submit has the status
// error.
func TestRefusedSubmitsAreErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel))
		busy := submitFunc(t, m, "a", untilCancelled)
		ctx, span := b.tracer.Start(t.Context(), "request")
		if _, err := m.SubmitFunc(ctx, "a", fn0); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Fatal(err)
		}
		if _, err := m.SubmitAll(ctx, []taskmanager.Task{&task{name: "b"}, &task{name: "a"}}); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Fatal(err)
		}
		span.End()
		busy.Cancel()
		synctest.Wait()
		refused := 0
		for _, s := range b.all(t) {
			if s.Parent == "request" && s.Status == codes.Error && s.ErrorType != "" {
				refused++
			}
		}
		check.Equal(t, "spans of refused submits", refused, 3)
		check.Equal(t, "submissions", b.counts(t, "taskmanager.task.submissions", "taskmanager.submission.result"),
			map[string]int64{"accepted": 1, "refused": 3})
	})
}

// TestRunsOfAScheduleAreLinked checks that the spans of runs are linked to the span in
// which the schedule was made, and are not its children.
func TestRunsOfAScheduleAreLinked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel))
		ctx, span := b.tracer.Start(t.Context(), "request")
		s, err := m.Every(ctx, time.Second, &task{name: "a"}, taskmanager.WithKind("job"))
		if err != nil {
			t.Fatal(err)
		}
		span.End()
		time.Sleep(2500 * time.Millisecond)
		s.Stop()
		synctest.Wait()
		run := emitted{Name: runJob, Kind: "consumer", Links: []string{"request"}, Outcome: "success", Attempt: 1}
		if diff := cmp.Diff([]emitted{{Name: "request", Kind: "internal"}, run, run}, b.all(t)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
	})
}

// TestTelemetryIsOnIfAnSDKIsInstalled also checks that WithoutTelemetry turns the built-in
// telemetry off, and that an OTel of the user's takes its place.
func TestTelemetryIsOnIfAnSDKIsInstalled(t *testing.T) {
	spans := func(opts ...taskmanager.Option) int {
		recorder := tracetest.NewSpanRecorder()
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
		defer otel.SetTracerProvider(before)
		m := start(t, opts...)
		await(t, submitFunc(t, m, "a", fn0))
		stop(t, m)
		return len(recorder.Ended())
	}
	if o, err := observe.Installed(); o != nil || err != nil {
		t.Errorf("no SDK is installed, and Installed returns %v, %v", o, err)
	}
	check.Equal(t, "spans", spans(), 1)
	check.Equal(t, "spans without telemetry", spans(taskmanager.WithoutTelemetry()), 0)
	own := newBackend(t)
	check.Equal(t, "spans in the global SDK, with an observer of its own", spans(taskmanager.WithObserver(own.otel)), 0)
	check.Equal(t, "spans in the observer's", len(own.spans.Ended()), 1)
}

// TestMetricsOfThePool checks the metrics of a running manager, and that a stopped one
// emits none.
func TestMetricsOfThePool(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for limit, want := range map[int]map[string]int64{-1: {}, 0: {"images": 0}, 7: {"images": 7}} {
			b := newBackend(t)
			opts := []taskmanager.Option{taskmanager.WithObserver(b.otel), taskmanager.WithName("images"), taskmanager.WithWorkers(1, 3)}
			if limit >= 0 {
				opts = append(opts, taskmanager.WithLimit(limit, taskmanager.Block))
			}
			m := start(t, opts...)
			for _, name := range []string{"a", "b"} {
				submitFunc(t, m, name, untilCancelled)
			}
			synctest.Wait()
			const pool = "taskmanager.pool.name"
			check.Equal(t, "limit", b.counts(t, "taskmanager.queue.limit", pool), want)
			check.Equal(t, "length", b.counts(t, "taskmanager.queue.length", pool), map[string]int64{"images": 0})
			check.Equal(t, "workers", b.counts(t, "taskmanager.pool.worker.count", "taskmanager.worker.state"),
				map[string]int64{"busy": 2, "idle": 0, "lent": 0})
			for name, want := range map[string]int64{"desired": 2, "min": 1, "max": 3} {
				check.Equal(t, name, b.counts(t, "taskmanager.pool.worker."+name, pool), map[string]int64{"images": want})
			}
			check.Equal(t, "decisions", b.counts(t, "taskmanager.scaler.decisions", "taskmanager.scaler.direction"), map[string]int64{"up": 1, "down": 0})
			check.Equal(t, "active", b.counts(t, "taskmanager.task.active", pool), map[string]int64{"images": 2})
			stop(t, m)
			check.Equal(t, "workers after Stop", b.counts(t, "taskmanager.pool.worker.count", pool), map[string]int64{})
		}
	})
}

// TestObserverThatPanicsLosesNothing checks that a panic in one observer loses no task, no
// worker, and no span of the observers before and after it.
func TestObserverThatPanicsLosesNothing(t *testing.T) {
	whole := []string{"submit sort", "run sort failure", "restart sort", "run sort success"}
	for _, of := range []string{"BeginSubmit", "EndSubmit", "BeginRun", "EndRun", "BeginRestart", "EndRestart"} {
		t.Run(of, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				before, after := newBackend(t), newBackend(t)
				panics := listener(func(method string) {
					if method == of {
						panic("observer")
					}
				})
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithRestart(fixedDelay(time.Second)),
					taskmanager.WithObserver(before.otel, panics, after.otel))
				ctx, request := before.tracer.Start(t.Context(), "request")
				gate, runs := make(chan struct{}), 0
				h, err := m.Submit(ctx, &task{name: "a", execute: func(context.Context) error {
					<-gate
					if runs++; runs == 1 {
						return errFailed
					}
					return nil
				}, restart: func(context.Context, error) bool { return true }}, taskmanager.WithKind("sort"))
				if err != nil {
					t.Fatal(err)
				}
				request.End()
				close(gate)
				if err := wait(t, h); err != nil {
					t.Errorf("the task ended with %v", err)
				}
				synctest.Wait()
				check.Equal(t, "spans of the observer before", before.summary(t), whole)
				check.Equal(t, "spans of the one after", after.summary(t), whole)
				await(t, submitFunc(t, m, "next", fn0))
				synctest.Wait()
				s := m.Snapshot()
				check.Equal(t, "workers, and tasks that are left", []int{s.Workers, s.Busy, len(m.TaskStatus())}, []int{1, 0, 0})
			})
		})
	}
}

// summary returns a text for each span of a task, with its outcome and, unless it is the
// name of a Go type, the type of the error.
func (b *backend) summary(t *testing.T) (list []string) {
	t.Helper()
	for _, s := range b.all(t) {
		if s.Name == "request" {
			continue
		}
		text := s.Name
		for _, more := range []string{s.Outcome, s.ErrorType} {
			if more != "" && !strings.HasPrefix(more, "*") {
				text += " " + more
			}
		}
		list = append(list, text)
	}
	return list
}

// vague is an observer that returns nil contexts.
type vague struct{}

func (vague) BeginSubmit(_, _ context.Context, _ observe.Submission) context.Context { return nil }
func (vague) EndSubmit(context.Context, observe.Submission, error)                   {}
func (vague) BeginRun(context.Context, observe.Run) context.Context                  { return nil }
func (vague) EndRun(context.Context, observe.Run, observe.Result)                    {}
func (vague) BeginRestart(context.Context, observe.Restart) context.Context          { return nil }
func (vague) EndRestart(context.Context, observe.Restart, error)                     {}

// TestObserverWithoutContextsDoesNoHarm checks that the context of the task then has the
// values of the submit's context.
func TestObserverWithoutContextsDoesNoHarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithObserver(vague{}), taskmanager.WithRestart(fixedDelay(time.Second)))
		type key struct{}
		ctx, runs := context.WithValue(t.Context(), key{}, "value"), 0
		h, err := m.Submit(ctx, &task{name: "a", execute: func(ctx context.Context) error {
			check.Equal(t, "the value in the context", ctx.Value(key{}), any("value"))
			if runs++; runs == 1 {
				return errFailed
			}
			return nil
		}, restart: func(context.Context, error) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(t, h); err != nil || runs != 2 {
			t.Errorf("the task ended with %v after %d runs, want 2 and no error", err, runs)
		}
	})
}
