package taskmanager_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestStateOfAManager follows a manager from its start to its end, in both ways of ending.
func TestStateOfAManager(t *testing.T) {
	for name, end := range map[string]func(m *taskmanager.TaskManager){
		"Close": func(m *taskmanager.TaskManager) { m.Close() },
		"Stop":  func(m *taskmanager.TaskManager) { _ = m.Stop(cancelledContext()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1))
				states := []observe.State{}
				see := func() { synctest.Wait(); states = append(states, m.Describe().State) }
				release := make(chan struct{})
				see()
				submitFunc(t, m, "a", func(context.Context) error { <-release; return nil })
				m.Pause()
				see()
				m.Resume()
				see()
				m.Pause()
				end(m)
				see()
				m.Pause() // without effect
				see()
				close(release)
				<-m.Done()
				see()
				check.Equal(t, "states", states, []observe.State{
					observe.StateRunning, observe.StatePaused, observe.StateRunning,
					observe.StateDraining, observe.StateDraining, observe.StateStopped,
				})
			})
		})
	}
}

// cancelledContext returns a context that has ended.
func cancelledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// namedScaler is a scaler with a String method that calls name.
type namedScaler struct {
	scale.Scaler[scale.Snapshot]

	name func() string
}

func (s namedScaler) String() string { return s.name() }

// ownQueue is a discipline of a user.
type ownQueue struct {
	queue.Queue[*taskmanager.Handle]
}

// TestNamesOfTheConfiguration checks the names of disciplines, scalers and overflow policies,
// also of those of a user.
func TestNamesOfTheConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, c := range []struct {
			opts []taskmanager.Option
			want observe.Manager
		}{
			{nil, observe.Manager{Discipline: "FIFO", Scaler: "Demand(1)", Limit: -1}},
			{
				[]taskmanager.Option{
					taskmanager.WithName("n"), taskmanager.WithLimit(0, taskmanager.CallerRuns), taskmanager.WithScaler(scale.Fixed(0)),
					taskmanager.WithQueue(taskmanager.Priority(8)),
				},
				observe.Manager{Name: "n", Discipline: "Priority(8)", Scaler: "Fixed(max)", Limit: 0, Overflow: "CallerRuns"},
			},
			{
				[]taskmanager.Option{
					taskmanager.WithLimit(9, taskmanager.Block), taskmanager.WithQueue(taskmanager.LimitByKey(2, taskmanager.Deadline(time.Second))),
					taskmanager.WithScaler(scale.Stabilise(time.Minute, scale.TargetWait(scale.TargetWaitConfig{Wait: time.Second}))),
				},
				observe.Manager{
					Discipline: "LimitByKey over Deadline(1s)", Scaler: "Stabilise(1m0s, TargetWait(p95 ≤ 1s))", Limit: 9, Overflow: "Block",
				},
			},
			{
				[]taskmanager.Option{
					taskmanager.WithScaler(namedScaler{scale.Demand(1), func() string { return "mine" }}),
					taskmanager.WithQueue(taskmanager.Custom(queue.NewLIFO[*taskmanager.Handle])),
				},
				observe.Manager{Discipline: "Custom(*queue.lifo)", Scaler: "mine", Limit: -1},
			},
			{
				[]taskmanager.Option{
					taskmanager.WithScaler(namedScaler{scale.Demand(1), func() string { panic("no name") }}),
					taskmanager.WithQueue(taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] {
						return ownQueue{queue.NewLIFO[*taskmanager.Handle]()}
					})),
				},
				observe.Manager{Discipline: "Custom(taskmanager_test.ownQueue)", Scaler: "taskmanager_test.namedScaler", Limit: -1},
			},
		} {
			c.want.State = observe.StateRunning
			check.Equal(t, "manager", start(t, c.opts...).Describe(), c.want)
		}
	})
}

// poolWatcher is an observer that keeps the pool.
type poolWatcher struct{ pool observe.Pool }

func (w *poolWatcher) ObservePool(p observe.Pool) (stop func()) {
	w.pool = p
	return nil
}

// TestPoolObserverDescribesTheManager checks that the observer of a pool gets the description,
// also after the end.
func TestPoolObserverDescribesTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := new(poolWatcher)
		m := start(t, taskmanager.WithName("m"), taskmanager.WithObserver(w))
		check.Equal(t, "manager", w.pool.Describe(), m.Describe())
		stop(t, m)
		check.Equal(t, "state", w.pool.Describe().State, observe.StateStopped)
	})
}

// decisionWatcher is an observer that keeps decisions.
type decisionWatcher struct {
	mu   sync.Mutex
	seen []observe.Decision
	do   func()
}

func (w *decisionWatcher) ScalerDecided(d observe.Decision) {
	w.mu.Lock()
	w.seen = append(w.seen, d)
	w.mu.Unlock()
	if w.do != nil {
		w.do()
	}
}

// TestDecisionsWereMissed makes more decisions than the pool keeps, and checks that an observer
// gets all of them, in spite of another one that panics.
func TestDecisionsWereMissed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const bursts = 50
		w, bad := new(decisionWatcher), &decisionWatcher{do: func() { panic("no") }}
		m := start(t, taskmanager.WithName("m"), taskmanager.WithWorkers(0, 4), taskmanager.WithIdleTimeout(time.Second),
			taskmanager.WithObserver(bad, w))
		for burst := range bursts {
			for i := range 2 {
				submitFunc(t, m, fmt.Sprint(burst, "/", i), func(context.Context) error { time.Sleep(time.Second); return nil })
				synctest.Wait()
			}
			time.Sleep(time.Minute)
		}
		stop(t, m)
		w.mu.Lock()
		defer w.mu.Unlock()
		slices.SortFunc(w.seen, func(a, b observe.Decision) int { return int(a.Number) - int(b.Number) })
		for i, d := range w.seen {
			check.Equal(t, "number", d.Number, uint64(i+1))
			check.Equal(t, "manager", d.Manager, "m")
		}
		check.Equal(t, "decisions", len(w.seen), 1+3*bursts) // the first one, and 1, 2 and 0 workers in each burst
		check.Equal(t, "decisions of the observer that panics", len(bad.seen), len(w.seen))
		kept := m.Decisions()
		check.Equal(t, "decisions kept", len(kept), 32)
		for i, d := range kept {
			s := w.seen[len(w.seen)-len(kept)+i]
			check.Equal(t, "decision", s, observe.Decision{
				Manager: "m", Number: d.Number, At: d.At, Workers: d.Workers, Target: d.Target, Reason: d.Reason,
			})
		}
	})
}

// TestRecordHasTheTrace checks the trace of a record: that of the last execution, also if the task
// ends while it waits for its restart, and none without tracing.
func TestRecordHasTheTrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o, err := observe.New(observe.WithTracerProvider(sdktrace.NewTracerProvider()), observe.WithMeterProvider(metricnoop.NewMeterProvider()),
			observe.WithPropagation(observe.None))
		if err != nil {
			t.Fatal(err)
		}
		m := start(t, taskmanager.WithObserver(o), taskmanager.WithHistory(10), taskmanager.WithRestart(fixedDelay(time.Hour)))
		traces := map[string]string{}
		work := func(name string, err error) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				traces[name] = trace.SpanContextFromContext(ctx).TraceID().String()
				return err
			}
		}
		await(t, submitFunc(t, m, "succeeds", work("succeeds", nil)))
		h := submitFunc(t, m, "restarts", work("restarts", errFailed), taskmanager.WithRestart(fixedDelay(time.Hour)))
		synctest.Wait()
		h.Cancel()
		submitFunc(t, m, "never runs", fn0, taskmanager.WithDelay(time.Hour)).Cancel()
		got := map[string]string{}
		for _, r := range m.History() {
			got[r.Name] = r.TraceID
		}
		traces["never runs"] = ""
		check.Equal(t, "traces", got, traces)
		if len(traces["succeeds"]) != 32 || traces["succeeds"] == traces["restarts"] {
			t.Errorf("the traces are %v", traces)
		}
		plain := start(t, taskmanager.WithHistory(1))
		await(t, submitFunc(t, plain, "a", fn0))
		check.Equal(t, "trace without tracing", plain.History()[0].TraceID, "")
	})
}
