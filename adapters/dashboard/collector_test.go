package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

type kind struct {
	Kind                                   string
	Succeeded, Failed, Cancelled, Restarts int
	Wait, Run                              []float64
}

type kinds struct {
	Available bool
	Kinds     []kind
}

func TestKinds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		for i := range 10 {
			run(t, m, fmt.Sprint("resize", i), func(context.Context) error { time.Sleep(time.Second); return nil }, taskmanager.WithKind("resize"))
		}
		run(t, m, "fetch", breakDown, taskmanager.WithKind("fetch"), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Second))))
		h := submit(t, m, "watch", untilCancelled, taskmanager.WithKind("watch"))
		<-h.Started()
		h.Cancel()
		<-h.Done()
		asked := 0
		run(t, m, "poll", func(context.Context) error {
			if asked++; asked < 3 {
				return taskmanager.NotYet(time.Second)
			}
			return nil
		}, taskmanager.WithKind("poll"))
		got := get[kinds](t, d, "kinds")
		equal(t, "the first kind", got.Kinds[0], kind{"resize", 10, 0, 0, 0, []float64{0, 0, 0}, []float64{1, 1, 1}}, roughly)
		numbers := map[string][4]int{}
		for _, k := range got.Kinds {
			numbers[k.Kind] = [4]int{k.Succeeded, k.Failed, k.Cancelled, k.Restarts}
		}
		equal(t, "succeeded, failed, cancelled, restarts", numbers, map[string][4]int{
			"resize": {10, 0, 0, 0}, "fetch": {0, 3, 0, 2}, "watch": {0, 0, 1, 0}, "poll": {1, 0, 0, 0},
		})
	})
}

// From the 65th kind and key on, all share one row.
func TestGroupsBeyondTheLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		for i := range 100 {
			for j := range 2 {
				run(t, m, fmt.Sprint(i, "-", j), succeed, taskmanager.WithKind(fmt.Sprint("kind", i)), taskmanager.WithKey(fmt.Sprint("key", i)))
			}
		}
		list := get[kinds](t, d, "kinds").Kinds
		equal(t, "kinds", len(list), 65)
		equal(t, "others", list[0], kind{"(other)", 72, 0, 0, 0, []float64{0, 0, 0}, []float64{0, 0, 0}}, roughly)
		keys := get[keys](t, d, "keys").Keys
		equal(t, "keys", len(keys), 65)
		sum := 0
		for _, k := range keys {
			sum += k.Succeeded
		}
		equal(t, "executions", sum, 200)
	})
}

type key struct {
	Key                      string
	Weight, Running, Started int
	Succeeded, Failed        int
	Share, Deserved          float64
	Wait, Run                []float64
}

type keys struct {
	Available, Fair bool
	Keys            []key
}

// The shares are exact: they include the part of a running task that lies in the window, and no more.
func TestSharesOfKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		weights := func(key string) int { return map[string]int{"large": 3}[key] + 1 }
		m, d := watched(t, taskmanager.WithWorkers(2, 2), taskmanager.WithQueue(taskmanager.Fair(weights)))
		look := func() (v keys) {
			synctest.Wait()
			v = get[keys](t, d, "keys")
			for i := range v.Keys {
				v.Keys[i].Wait, v.Keys[i].Run = nil, nil
			}
			return v
		}
		equal(t, "at first", look(), keys{Available: true, Fair: true, Keys: []key{}})
		run(t, m, "no key", succeed)
		equal(t, "without keys", look(), keys{Available: true, Fair: true, Keys: []key{}})
		h := submit(t, m, "long", untilCancelled, taskmanager.WithKey("large"))
		time.Sleep(10 * time.Minute)
		for i := range 30 { // 30 s in the window
			run(t, m, fmt.Sprint("short", i), func(context.Context) error { time.Sleep(time.Second); return nil }, taskmanager.WithKey("small"))
		}
		time.Sleep(half)
		v := look()
		window := 60.5 // the last mark is that of 60 s before 10:30
		equal(t, "keys", v, keys{true, true, []key{
			{"small", 1, 0, 30, 30, 0, 30 / (window + 30), 0.2, nil, nil}, // its tasks have waited, for no time
			{"large", 4, 1, 1, 0, 0, window / (window + 30), 0.8, nil, nil},
			{"", 1, 0, 1, 1, 0, 0, 0, nil, nil},
		}}, cmpopts.EquateApprox(0, 1e-9))
		time.Sleep(2 * time.Minute)
		h.Cancel()
		<-h.Done()
		v = look()
		equal(t, "the only active key", v.Keys[0], key{"large", 4, 0, 1, 0, 0, 1, 1, nil, nil})
		time.Sleep(2 * time.Minute)
		for _, k := range look().Keys {
			if k.Share != 0 || k.Deserved != 0 {
				t.Errorf("two idle minutes later: %+v", k)
			}
		}
	})
}

// The key with the longest waits of the last minute comes first.
func TestTheOrderOfKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		for i, key := range []string{"a", "b", "c"} {
			submit(t, m, fmt.Sprint(i), func(context.Context) error { time.Sleep(time.Second); return nil }, taskmanager.WithKey(key))
		}
		time.Sleep(5 * time.Second)
		var order []string
		for _, k := range get[keys](t, d, "keys").Keys {
			order = append(order, k.Key)
			equal(t, "fields without a fair discipline", [2]float64{float64(k.Weight), k.Deserved}, [2]float64{-1, -1})
		}
		equal(t, "order", order, []string{"c", "b", "a"})
		time.Sleep(2 * time.Minute)
		equal(t, "percentiles of an idle minute", get[keys](t, d, "keys").Keys[0].Wait, []float64{-1, -1, -1})
	})
}

// spans is an observer that gives each execution a trace, as the telemetry does.
type spans struct{}

var traceID = trace.TraceID{1: 0xab, 15: 0xcd}

func (spans) BeginRun(ctx context.Context, _ observe.Run) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1}}))
}

func (spans) EndRun(context.Context, observe.Run, observe.Result) {}

func TestTraces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := dashboard.NewCollector()
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(spans{}, c))
		d := show(t, dashboard.Manager("m", m, c))
		id := traceID.String()
		h := submit(t, m, "running", untilCancelled)
		<-h.Started()
		submit(t, m, "queued", succeed)
		synctest.Wait()
		type workers struct {
			Workers []struct{ Task, Trace string }
		}
		equal(t, "the worker", get[workers](t, d, "workers").Workers[0].Trace, id)
		equal(t, "the row", get[page](t, d, "tasks?q=running").Tasks[0].Trace, id)
		equal(t, "the row of a task that has not run", get[page](t, d, "tasks?q=queued").Tasks[0].Trace, "")
		h.Cancel()
		<-h.Done()
		synctest.Wait()
		equal(t, "an idle worker", get[workers](t, d, "workers").Workers[0].Trace, "")
		equal(t, "the record", get[history](t, d, "history").Executions[0].Trace, id)
	})
}

// The collector alone must stand errors whose methods panic.
func TestAnErrorThatPanics(t *testing.T) {
	c := dashboard.NewCollector()
	for _, err := range []error{
		badError{func() string { panic("out of paper") }},
		badError{func() string { return strings.Repeat("\xff", 1<<20) }},
		(*badError)(nil),
		errors.Join(badError{func() string { panic("out of paper") }}),
	} {
		r := observe.Run{Task: observe.Task{Name: "x"}, Attempt: 1, Worker: 1}
		c.EndRun(c.BeginRun(t.Context(), r), r, observe.Result{Outcome: observe.Failure, Err: err})
	}
}

// Counting is exact when many goroutines count and read at the same time.
func TestConcurrentUse(t *testing.T) {
	m, d := watched(t, taskmanager.WithWorkers(8, 8))
	var reading sync.WaitGroup
	stop := make(chan struct{})
	for _, place := range []string{"overview", "kinds", "keys", "history", "tasks", "workers", "series", "decisions", "queue"} {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					do(t, d, "GET", "/api/v1/"+place, "")
				}
			}
		})
	}
	var submitting sync.WaitGroup
	for s := range 4 {
		submitting.Go(func() {
			for i := range 500 {
				f := succeed
				if i%10 == 0 {
					f = breakDown
				}
				h, err := m.SubmitFunc(context.Background(), fmt.Sprint(s, "-", i), f, taskmanager.WithKind(fmt.Sprint(i%3)), taskmanager.WithKey(fmt.Sprint(s)))
				if err != nil {
					t.Error(err)
					return
				}
				<-h.Done()
			}
		})
	}
	submitting.Wait()
	close(stop)
	reading.Wait()
	succeeded, failed, started := 0, 0, 0
	for _, k := range get[kinds](t, d, "kinds").Kinds {
		succeeded, failed = succeeded+k.Succeeded, failed+k.Failed
	}
	for _, k := range get[keys](t, d, "keys").Keys {
		started += k.Started
		if k.Running != 0 || k.Share < 0 || k.Share > 1 || math.IsNaN(k.Share) {
			t.Errorf("a key is %+v", k)
		}
	}
	equal(t, "succeeded, failed, started", [3]int{succeeded, failed, started}, [3]int{1800, 200, 2000})
}
