package taskmanager_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestStopDoesNotSayWhatIsBlocked blocks each kind of user code that Stop waits for, and checks
// that the error of a Stop that gives up names the code and the task.
func TestStopDoesNotSayWhatIsBlocked(t *testing.T) {
	const observer = " of the observer taskmanager_test.listener for task \"a\""
	tests := map[string]struct {
		submit  func(m *taskmanager.TaskManager, ran func()) error // nil: a task that fails, and restarts a second later
		calls   string                                             // what StopError says is called
		running []string
	}{
		"BeginRun":     {calls: "BeginRun" + observer, running: []string{"a"}},
		"EndRun":       {calls: "EndRun" + observer, running: []string{"a"}},
		"BeginRestart": {calls: "BeginRestart" + observer, running: []string{"a"}},
		"EndRestart":   {calls: "EndRestart" + observer, running: []string{"a"}},
		"logger":       {calls: `the logger for task "a"`, running: []string{"a"}},
		"context logger": {
			calls: `the logger for task "a"`, running: []string{"a"},
		},
		"logger of an ended task": {
			submit: func(m *taskmanager.TaskManager, _ func()) error {
				_, err := m.SubmitFunc(context.Background(), "a", fails, taskmanager.WithRestart(restart.Never()))
				return err
			},
			calls: `the logger for task "a"`, running: []string{"a"},
		},
		"timetable": {
			submit: func(m *taskmanager.TaskManager, block func()) error {
				asked := 0
				_, err := m.Repeat(context.Background(), timetable(func(after time.Time) time.Time {
					if asked++; asked > 1 {
						block()
					}
					return after.Add(time.Second)
				}), &task{name: "a"})
				return err
			},
			calls: `the timetable for task "a"`, running: []string{},
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				hold := make(chan struct{})
				block := func(called bool) {
					if called {
						<-hold
					}
				}
				log := blockingLogger(func() { block(strings.HasPrefix(what, "logger")) })
				var logger taskmanager.Logger = log
				if what == "context logger" {
					logger = blockingContextLogger{blockingLogger(func() { block(true) })}
				}
				m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1),
					taskmanager.WithObserver(listener(func(method string) { block(method == what) })),
					taskmanager.WithLogger(logger))
				if err != nil {
					t.Fatal(err)
				}
				if test.submit == nil {
					submitFunc(t, m, "a", fails, taskmanager.WithRestart(fixedDelay(time.Second)))
				} else if err := test.submit(m, func() { <-hold }); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err = m.Stop(ctx)
				stop, ok := err.(*taskmanager.StopError) //nolint:errorlint // Stop returns it unwrapped
				if !ok {
					t.Fatalf("Stop returned %v, want a *StopError", err)
				}
				check.Equal(t, "the running tasks", stop.Running, test.running)
				check.Equal(t, "the calls", stop.Calls, []string{test.calls})
				if !strings.Contains(err.Error(), "waiting for "+test.calls+":") {
					t.Errorf("the error is %q, which does not say what it waits for", err)
				}
				close(hold)
				synctest.Wait()
				check.Equal(t, "Stop in the end", m.Stop(t.Context()), nil)
			})
		})
	}
}

// blockingLogger is a Logger that may block.
type blockingLogger func()

func (l blockingLogger) Infof(string, ...any)  { l() }
func (l blockingLogger) Info(...any)           { l() }
func (l blockingLogger) Errorf(string, ...any) { l() }
func (l blockingLogger) Error(...any)          { l() }

type blockingContextLogger struct{ blockingLogger }

func (l blockingContextLogger) InfofContext(context.Context, string, ...any)  { l.blockingLogger() }
func (l blockingContextLogger) ErrorfContext(context.Context, string, ...any) { l.blockingLogger() }

// TestManyBlockedObservers checks that Stop names all tasks whose observers are blocked, and
// none whose observers have returned, also if they panicked.
func TestManyBlockedObservers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const tasks = 100
		hold := make(chan struct{})
		m, err := taskmanager.Start(taskmanager.WithWorkers(0, 2*tasks), taskmanager.WithObserver(
			beginRun(func(name string) {
				if strings.HasPrefix(name, "blocked") {
					<-hold
				}
				panic("boom")
			})))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range tasks {
			name := fmt.Sprintf("blocked %02d", i)
			want = append(want, name)
			submitFunc(t, m, name, fn0)
			submitFunc(t, m, fmt.Sprint("free", i), fn0)
		}
		slices.Sort(want)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		synctest.Wait()
		stop, ok := m.Stop(ctx).(*taskmanager.StopError) //nolint:errorlint // Stop returns it unwrapped
		if !ok {
			t.Fatal("Stop returned no *StopError")
		}
		check.Equal(t, "the running tasks", stop.Running, want)
		check.Equal(t, "the number of calls", len(stop.Calls), tasks)
		close(hold)
		check.Equal(t, "Stop in the end", m.Stop(t.Context()), nil)
	})
}

// beginRun is an observer of the begin of executions.
type beginRun func(name string)

func (b beginRun) BeginRun(ctx context.Context, r observe.Run) context.Context {
	b(r.Name)
	return ctx
}
func (beginRun) EndRun(context.Context, observe.Run, observe.Result) {}
