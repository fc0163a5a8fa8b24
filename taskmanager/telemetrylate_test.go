package taskmanager_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// install makes a backend whose providers are the global ones until the test ends.
func install(t *testing.T) *backend {
	t.Helper()
	b := &backend{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	installProviders(t, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(b.spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader)))
	return b
}

// installProviders sets the global providers until the test ends.
func installProviders(t *testing.T, tracers trace.TracerProvider, meters metric.MeterProvider) {
	t.Helper()
	beforeTracers, beforeMeters := otel.GetTracerProvider(), otel.GetMeterProvider()
	t.Cleanup(func() {
		otel.SetTracerProvider(beforeTracers)
		otel.SetMeterProvider(beforeMeters)
	})
	otel.SetTracerProvider(tracers)
	otel.SetMeterProvider(meters)
}

// names returns the names of the spans, in the order of their starts. It checks that all have
// ended.
func (b *backend) names(t *testing.T) []string {
	t.Helper()
	list := []string{}
	for _, s := range b.all(t) {
		list = append(list, s.Name)
	}
	return list
}

// active returns the metric taskmanager.task.active.
func (b *backend) active(t *testing.T) int64 {
	t.Helper()
	return b.counts(t, "taskmanager.task.active", "")[""]
}

// TestObserversReplacedTheTelemetry checks that observers are called in addition to the
// built-in telemetry.
func TestObserversReplacedTheTelemetry(t *testing.T) {
	for _, silent := range []bool{false, true} {
		b := install(t)
		ends := new(endings)
		opts := []taskmanager.Option{taskmanager.WithObserver(ends)}
		want := []string{"run job"}
		if silent {
			opts, want = append(opts, taskmanager.WithoutTelemetry()), []string{}
		}
		m := start(t, opts...)
		await(t, submitFunc(t, m, "a", fn0, taskmanager.WithKind("job")))
		stop(t, m)
		check.Equal(t, "spans", b.names(t), want)
		check.Equal(t, "ends that the observer saw", ends.of("a"), []string{"success "})
	}
}

// TestSDKInstalledAfterStartIsIgnored installs an SDK while a task runs, another waits in the
// queue and a third one is delayed. These remain unseen, since their beginning was; the next
// task is seen, and so is the pool.
func TestSDKInstalledAfterStartIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		release := make(chan struct{})
		submitFunc(t, m, "runs", func(context.Context) error { <-release; return nil })
		submit(t, m, sorted{&task{name: "waits"}, func() string { return "old" }})
		synctest.Wait()
		b := install(t)
		late := submit(t, m, sorted{&task{name: "late"}, func() string { return "new" }})
		check.Equal(t, "tasks in the queue", b.counts(t, "taskmanager.queue.length", ""), map[string]int64{"": 2})
		close(release)
		await(t, late)
		synctest.Wait()
		check.Equal(t, "spans", b.names(t), []string{"run new"})
		check.Equal(t, "submits", b.counts(t, "taskmanager.task.submissions", "taskmanager.task.kind"), map[string]int64{"new": 1})
		check.Equal(t, "ends", b.counts(t, "taskmanager.task.ends", "taskmanager.task.kind"), map[string]int64{"new": 1})
		check.Equal(t, "active", b.active(t), 0)
		stop(t, m)
		check.Equal(t, "workers after Stop", b.counts(t, "taskmanager.pool.worker.count", ""), map[string]int64{})
	})
}

// TestSDKInstalledBetweenTheRunsOfASchedule checks that each run counts as a task of its own.
func TestSDKInstalledBetweenTheRunsOfASchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		s := every(t, m, time.Second, sorted{&task{name: "a"}, func() string { return "job" }})
		time.Sleep(1500 * time.Millisecond)
		b := install(t)
		time.Sleep(2 * time.Second)
		s.Stop()
		check.Equal(t, "spans", b.names(t), []string{runJob, runJob})
		stop(t, m)
	})
}

// TestProviderThatIsReplacedAgain checks that a task belongs to the provider that was installed
// at its submit, and the pool to the last one.
func TestProviderThatIsReplacedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(3, 3))
		first := install(t)
		release := make(chan struct{})
		runs := func(context.Context) error { <-release; return nil }
		submitFunc(t, m, "a", runs, taskmanager.WithKind("first"))
		synctest.Wait()
		second := install(t)
		submitFunc(t, m, "b", runs, taskmanager.WithKind("second"))
		synctest.Wait()
		const workers = "taskmanager.pool.worker.min"
		check.Equal(t, "workers for the first", first.counts(t, workers, ""), map[string]int64{})
		check.Equal(t, "workers for the second", second.counts(t, workers, ""), map[string]int64{"": 3})
		installProviders(t, tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider())
		submitFunc(t, m, "c", runs, taskmanager.WithKind("nobody"))
		synctest.Wait()
		check.Equal(t, "workers for the second, when it is gone", second.counts(t, workers, ""), map[string]int64{})
		close(release)
		synctest.Wait()
		for kind, b := range map[string]*backend{"first": first, "second": second} {
			check.Equal(t, "spans of the "+kind, b.names(t), []string{"run " + kind})
			check.Equal(t, "ends of the "+kind, b.ends(t, ""), map[string]int64{"success ": 1})
		}
		stop(t, m)
	})
}

// uncomparable is a provider whose values cannot be compared.
type uncomparable struct {
	trace.TracerProvider
	_ []int
}

// TestProviderThatCannotBeCompared must not crash the submit.
func TestProviderThatCannotBeCompared(t *testing.T) {
	m := start(t)
	recorder := tracetest.NewSpanRecorder()
	installProviders(t, uncomparable{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))}, metricnoop.NewMeterProvider())
	for i := range 3 {
		await(t, submitFunc(t, m, fmt.Sprint(i), fn0))
	}
	stop(t, m)
	check.Equal(t, "spans", len(recorder.Ended()), 3)
}

// TestSDKInstalledWhileTasksRun installs providers over and over, while tasks are submitted
// and run. Each span that is started must end, and each submit that is counted must have an
// end.
func TestSDKInstalledWhileTasksRun(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(2, 2))
	quit := make(chan struct{})
	var submitted atomic.Int64
	var submitters sync.WaitGroup
	for g := range 2 {
		submitters.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
				}
				h, err := m.SubmitFunc(context.Background(), fmt.Sprint(g, " ", i), fn0)
				if err != nil {
					t.Error(err)
					return
				}
				submitted.Add(1)
				if i%16 == 0 {
					await(t, h)
				}
			}
		})
	}
	var all []*backend
	for range 260 { // more often than a manager follows
		all = append(all, install(t))
		for before := submitted.Load(); submitted.Load() < before+1 && !t.Failed(); {
			runtime.Gosched()
		}
	}
	close(quit)
	submitters.Wait()
	if err := m.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, m)
	seen := int64(0)
	for _, b := range all {
		accepted := b.counts(t, "taskmanager.task.submissions", "taskmanager.submission.result")["accepted"]
		check.Equal(t, "ends", b.ends(t, "")["success "], accepted)
		seen += int64(len(b.names(t))) // which checks that all have ended
		check.Equal(t, "active", b.active(t), 0)
		seen += accepted
	}
	if seen < 200 {
		t.Errorf("%d submits and spans were seen", seen)
	}
}

// brokenMeters is a provider that makes no instruments.
type brokenMeters struct{ metric.MeterProvider }

func (brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

type brokenMeter struct{ metricnoop.Meter }

func (brokenMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errFailed
}

// brokenAndUncomparable is a provider that makes no instruments and cannot be compared.
type brokenAndUncomparable struct {
	brokenMeters
	_ []int
}

// TestLateSDKThatDoesNotWorkIsLogged checks that the tasks run, and that the error is logged
// once.
func TestLateSDKThatDoesNotWorkIsLogged(t *testing.T) {
	for _, broken := range []metric.MeterProvider{brokenMeters{}, brokenAndUncomparable{}} {
		log := new(recorder)
		m := start(t, taskmanager.WithLogger(log))
		installProviders(t, tracenoop.NewTracerProvider(), broken)
		for i := range 3 {
			if err := wait(t, submitFunc(t, m, fmt.Sprint(i), fn0)); err != nil {
				t.Error(err)
			}
		}
		stop(t, m)
		if n := strings.Count(log.String(), "no telemetry"); n != 1 {
			t.Errorf("%T: the log has %d messages, want 1:\n%s", broken, n, log)
		}
		installProviders(t, tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider())
	}
	installProviders(t, tracenoop.NewTracerProvider(), brokenMeters{})
	if _, err := observe.Installed(); err == nil {
		t.Error("Installed returned no error")
	}
}

// TestSDKInstalledAfterStop checks that a refused submit does not begin to observe the pool of a
// manager that has stopped: nothing would end that.
func TestSDKInstalledAfterStop(t *testing.T) {
	m := start(t)
	stop(t, m)
	b := install(t)
	_, err := m.SubmitFunc(t.Context(), "a", fn0)
	check.Is(t, "a submit", err, taskmanager.ErrStopped)
	check.Equal(t, "workers", b.counts(t, "taskmanager.pool.worker.min", ""), map[string]int64{})
}
