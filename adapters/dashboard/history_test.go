package dashboard_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// execution is a row of the history.
type execution struct {
	Seq          int
	Name         string
	ID           *string
	Kind, Key    string
	Attempt      int
	Outcome      string
	Type, Error  string
	Stack        string
	Waited, Took float64
	Trace        string
}

type history struct {
	Executions []execution
	Available  bool
	Forgotten  int
}

// summary has what most tests compare: how each execution ended.
func (h history) summary() (lines []string) {
	for _, e := range h.Executions {
		lines = append(lines, fmt.Sprintf("%s %s %d", e.Outcome, e.Name, e.Attempt))
	}
	return lines
}

// run submits functions, and waits for their ends.
func run(t *testing.T, m *taskmanager.TaskManager, name string, f func(context.Context) error, opts ...taskmanager.TaskOption) {
	t.Helper()
	h := submit(t, m, name, f, opts...)
	<-h.Done()
}

func TestHistory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		run(t, m, "good", succeed)
		run(t, m, "broken", func(context.Context) error { time.Sleep(2 * time.Second); return errBroken }, taskmanager.WithKind("fetch"), taskmanager.WithKey("acme"))
		run(t, m, "crashed", func(context.Context) error { panic("out of paper") })
		running := submit(t, m, "cancelled", untilCancelled)
		synctest.Wait()
		late := submit(t, m, "late", succeed, taskmanager.WithQueueTimeout(time.Minute))
		waiting := submit(t, m, "waiting", succeed)
		<-late.Done()
		waiting.Cancel()
		<-waiting.Done()
		running.Cancel()
		<-running.Done()
		synctest.Wait()

		all := get[history](t, d, "history")
		equal(t, "all but successes", all.summary(), []string{
			"cancelled cancelled 1", "cancelled waiting 0", "timed_out late 0", "failure crashed 1", "failure broken 1",
		})
		equal(t, "successes", get[history](t, d, "history?outcome=success").summary(), []string{"success good 1"})
		equal(t, "failures", get[history](t, d, "history?outcome=failure").summary(), []string{
			"timed_out late 0", "failure crashed 1", "failure broken 1",
		})
		equal(t, "cancelled", get[history](t, d, "history?outcome=cancelled").summary(), []string{"cancelled cancelled 1", "cancelled waiting 0"})
		equal(t, "by kind", get[history](t, d, "history?kind=fetch").summary(), []string{"failure broken 1"})
		equal(t, "by name", get[history](t, d, "history?name=ash").summary(), []string{"failure crashed 1"})
		equal(t, "a part", get[history](t, d, "history?skip=1&limit=2").summary(), []string{"cancelled waiting 0", "timed_out late 0"})

		broken, crashed := all.Executions[4], all.Executions[3]
		if broken.Error != errBroken.Error() || broken.Key != "acme" || broken.Took != 2 || broken.Type == "" {
			t.Errorf("the failure is %+v", broken)
		}
		if crashed.Type != "panic" || !strings.Contains(crashed.Error, "out of paper") || !strings.Contains(crashed.Stack, "history_test.go") {
			t.Errorf("the panic is %+v", crashed)
		}
		if late := all.Executions[2]; late.Waited != 60 || late.Took != 0 {
			t.Errorf("the task that timed out is %+v", late)
		}
	})
}

// A flood of successes, cancellations and tasks that did not run does not replace a failure.
func TestAFailureIsNotForgottenInAFlood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.DropNewest))
		run(t, m, "broken", breakDown)
		for i := range 2000 {
			run(t, m, fmt.Sprint("good", i), succeed)
		}
		blocker := submit(t, m, "blocker", untilCancelled)
		synctest.Wait()
		for i := range 2000 {
			submit(t, m, fmt.Sprint("surplus", i), succeed)
		}
		blocker.Cancel()
		<-blocker.Done()
		equal(t, "failures", get[history](t, d, "history?outcome=failure").summary(), []string{"failure broken 1"})
		all := get[history](t, d, "history?limit=200")
		if all.Forgotten < 1000 {
			t.Errorf("%d forgotten", all.Forgotten)
		}
		if n := len(get[history](t, d, "history?outcome=success&limit=200").Executions); n < 50 || n > 200 {
			t.Errorf("%d successes are remembered", n)
		}
	})
}

func TestTheOldestFailuresAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		for i := range 510 {
			run(t, m, fmt.Sprint("broken", i), breakDown)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		failures := get[history](t, d, "history?outcome=failure&skip=499")
		equal(t, "the oldest", failures.summary(), []string{"failure broken10 1"})
		equal(t, "forgotten", failures.Forgotten, 10)
		equal(t, "failures", get[struct{ Failures int }](t, d, "overview").Failures, 510)
	})
}

func TestHistoryWithoutCollector(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		d := show(t, dashboard.Manager("m", m))
		equal(t, "the history of a manager that keeps none", get[history](t, d, "history"), history{Executions: []execution{}})
		kept := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithHistory(10))
		d = show(t, dashboard.Manager("m", kept))
		run(t, kept, "good", succeed)
		run(t, kept, "crashed", func(context.Context) error { time.Sleep(time.Second); panic("out of paper") })
		h := get[history](t, d, "history")
		equal(t, "all but successes", h.summary(), []string{"failure crashed 1"})
		if e := h.Executions[0]; !h.Available || e.Took != 1 || e.Waited != 0 || e.Type != "panic" || e.Stack == "" {
			t.Errorf("the panic is %+v", e)
		}
		equal(t, "successes", get[history](t, d, "history?outcome=success").summary(), []string{"success good 1"})
		run(t, kept, "broken", breakDown)
		equal(t, "panics", get[history](t, d, "history?outcome=panic").summary(), []string{"failure crashed 1"})
	})
}

// Without a collector, answers read the errors of records. An error that does not answer delays them for a moment.
func TestErrorsOfRecordsAreAskedApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithHistory(10), taskmanager.WithLogger(nil))
		d := show(t, dashboard.Manager("m", m))
		var stuck atomic.Bool
		release := make(chan struct{})
		run(t, m, "stuck", func(context.Context) error {
			return badError{func() string {
				if stuck.Load() {
					<-release
				}
				return "out of paper"
			}}
		})
		run(t, m, "exits", func(context.Context) error {
			return badError{func() string {
				if stuck.Load() {
					runtime.Goexit()
				}
				return ""
			}}
		})
		run(t, m, "broken", breakDown)
		stuck.Store(true)
		look := func(place string, took time.Duration, want ...string) {
			t.Helper()
			begin := time.Now()
			var texts []string
			v := get[struct{ Executions, Past []execution }](t, d, place)
			for _, e := range append(v.Executions, v.Past...) {
				texts = append(texts, e.Name+": "+e.Error)
			}
			equal(t, place, texts, want)
			equal(t, "duration of "+place, time.Since(begin), took)
		}
		const mute = "stuck: (no answer)"
		look("history", 50*time.Millisecond, "broken: it is broken", "exits: ", mute)
		look("history", 0, "broken: it is broken", "exits: ", mute)
		look("task?name=stuck", 0, mute)
		close(release)
		time.Sleep(time.Minute)
		look("history", 0, "broken: it is broken", "exits: ", "stuck: out of paper")
	})
}

// Panics, and failures that were the end of their tasks, are remembered for longer than failures before restarts.
func TestPanicsAndEndsAreNotForgottenAmongRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLogger(nil))
		crashed := false
		h := submit(t, m, "crashed once", func(context.Context) error {
			if !crashed {
				crashed = true
				panic("out of paper")
			}
			return nil
		}, taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(1))))
		<-h.Done()
		run(t, m, "given up", breakDown, taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(1))))
		run(t, m, "timed out", untilCancelled, taskmanager.WithTimeout(time.Second))
		run(t, m, "flaky", breakDown, taskmanager.WithRestart(restart.MaxAttempts(600, restart.Constant(1))))
		equal(t, "panics", get[history](t, d, "history?outcome=panic").summary(), []string{"failure crashed once 1"})
		for _, place := range []string{"history?limit=200&skip=499", "history?outcome=failure&limit=200&skip=499"} {
			v := get[history](t, d, place)
			equal(t, place, v.summary(), []string{"failure flaky 101", "failure timed out 1", "failure given up 2", "failure crashed once 1"})
			equal(t, "forgotten", v.Forgotten, 101) // the first execution that was given up, and 100 flaky ones
		}
	})
}
