package taskmanager_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hostile is an error whose methods are given by the test.
type hostile struct{ text, kind func() string }

func (h hostile) Error() string     { return h.text() }
func (h hostile) ErrorType() string { return h.kind() }

// TestTypeOfAFailureIsThatOfItsEnd lets the time limit pass in the Restart method. The span
// and the metric of the restart must still have the type of the failure.
func TestTypeOfAFailureIsThatOfItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBackend(t)
		m := start(t, taskmanager.WithObserver(b.otel), taskmanager.WithRestart(fixedDelay(time.Second)))
		runs := 0
		b.life(t, m, &task{name: "a", execute: func(ctx context.Context) error {
			_ = ctx.Done()
			if runs++; runs == 1 {
				return hostile{func() string { return "" }, func() string { return "broken" }}
			}
			return nil
		}, restart: func(context.Context, error) bool { time.Sleep(2 * time.Second); return true }}, taskmanager.WithTimeout(time.Second))
		check.Equal(t, "spans", b.summary(t), []string{submitJob, runJob + " failure broken", waitJob + " broken", runJob + " success"})
		check.Equal(t, "restarts", b.counts(t, "taskmanager.task.restarts", "error.type"), map[string]int64{"broken": 1})
	})
}

// TestCrashOfACancelledTaskIsAFailure checks that a crash after a cancellation is reported
// as a failure: it may be a bug in the task's handling of cancellation.
func TestCrashOfACancelledTaskIsAFailure(t *testing.T) {
	for want, crash := range map[string]func(){
		"panic": func() { panic("in the clean-up") }, "goexit": runtime.Goexit,
	} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			m := start(t, taskmanager.WithObserver(b.otel))
			h := submitFunc(t, m, "a", func(ctx context.Context) error {
				<-ctx.Done()
				crash()
				return nil
			}, taskmanager.WithKind("job"))
			synctest.Wait()
			h.Cancel()
			synctest.Wait()
			check.Equal(t, "spans", b.summary(t), []string{runJob + " failure " + want})
		})
	}
}

// meddler is an observer that calls a function when an execution begins.
type meddler struct {
	do   func()
	told chan string
}

func (m meddler) BeginRun(ctx context.Context, r observe.Run) context.Context {
	m.told <- fmt.Sprint("worker ", r.Worker)
	m.do()
	return ctx
}

func (m meddler) EndRun(_ context.Context, r observe.Run, result observe.Result) {
	m.told <- fmt.Sprint("worker ", r.Worker, " ", result.Outcome, " ", result.Type)
}

// TestTaskEndsBeforeItsExecutionBegins ends a task between the call of BeginRun and the
// start of the execution.
func TestTaskEndsBeforeItsExecutionBegins(t *testing.T) {
	for want, end := range map[string]func(m *taskmanager.TaskManager){
		"worker 1 cancelled ":      func(m *taskmanager.TaskManager) { m.Cancel("a") },
		"worker 1 failure timeout": func(*taskmanager.TaskManager) { time.Sleep(2 * time.Second) },
	} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			var m *taskmanager.TaskManager
			observer := meddler{func() { end(m) }, make(chan string, 2)}
			m = start(t, taskmanager.WithObserver(b.otel, observer), taskmanager.WithWorkers(1, 1))
			submitFunc(t, m, "a", func(context.Context) error { t.Error("the task runs"); return nil },
				taskmanager.WithDeadline(time.Now().Add(time.Second)))
			synctest.Wait()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			check.Equal(t, "what the observer was told", []string{<-observer.told, <-observer.told}, []string{"worker 1", want})
			check.Equal(t, "spans", len(b.all(t)), 1)
		})
	}
}

// TestCancelDuringRestart checks that the span of the wait ends if the task is cancelled in
// its Restart method or while it waits.
func TestCancelDuringRestart(t *testing.T) {
	for _, asked := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			b := newBackend(t)
			m := start(t, taskmanager.WithObserver(b.otel), taskmanager.WithRestart(fixedDelay(time.Hour)))
			h := submit(t, m, &task{
				name: "a", execute: func(context.Context) error { return errFailed },
				restart: func(context.Context, error) bool { m.Cancel(map[bool]string{true: "a"}[asked]); return true },
			}, taskmanager.WithKind("job"))
			synctest.Wait()
			h.Cancel()
			synctest.Wait()
			check.Equal(t, "spans", b.summary(t), []string{runJob + " failure", waitJob + " cancelled"})
		})
	}
}

// TestOnlyWhatIsInstalledIsEmitted checks that no spans are made with a meter provider
// only, and that spans are made with a tracer provider only.
func TestOnlyWhatIsInstalledIsEmitted(t *testing.T) {
	tracers, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	defer otel.SetTracerProvider(tracers)
	defer otel.SetMeterProvider(meters)
	run := func() float64 {
		m := start(t, taskmanager.WithWorkers(1, 1))
		defer stop(t, m)
		return allocationsOf(m)
	}
	without := run()
	reader := sdkmetric.NewManualReader()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if with := run(); with > without+0.1 {
		t.Errorf("%.2f allocations a task with metrics alone, and %.2f without", with, without)
	}
	b := &backend{reader: reader}
	if n := b.counts(t, "taskmanager.task.submissions", "taskmanager.submission.result")["accepted"]; n == 0 {
		t.Error("no submit was counted")
	}
	otel.SetMeterProvider(meters)
	recorder := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
	run()
	if len(recorder.Ended()) == 0 {
		t.Error("there are no spans")
	}
}
