package record_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// slow is an observer that takes time before and after each execution.
type slow struct{ before, after time.Duration }

func (o slow) BeginRun(ctx context.Context, _ observe.Run) context.Context {
	time.Sleep(o.before)
	return ctx
}
func (o slow) EndRun(context.Context, observe.Run, observe.Result) { time.Sleep(o.after) }

const ms = time.Millisecond

// TestGaps checks which times between two executions are parts of the service. The worker takes 10 ms
// before each execution and 50 ms after it.
func TestGaps(t *testing.T) {
	for name, c := range map[string]struct {
		opts []taskmanager.Option
		do   func(t *testing.T, m *taskmanager.TaskManager)
		want []string
	}{
		"a task that waited all the time": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				submit(t, m, takes(2*s, nil))
				submit(t, m, takes(3*s, nil))
			},
			want: []string{"100,1,k,,,1,,,0.01,success", "100,2.06,k,,,1,,,1.07,success", "100,3.06,k,,,1,,,3.13,success"},
		},
		"a task that came in the gap": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				time.Sleep(s + 40*ms) // the first task has ended at 1.01 s
				submit(t, m, takes(s, nil))
			},
			want: []string{"100,1,k,,,1,,,0.01,success", "101.04,1.03,k,,,1,,,0.03,success"},
		},
		"a worker that was idle": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				time.Sleep(s + 61*ms)
				submit(t, m, takes(s, nil)) // it waits for 10 of the 61 ms since the end of the first
				time.Sleep(s + 101*ms)
				submit(t, m, takes(s, nil))
			},
			want: []string{"100,1,k,,,1,,,0.01,success", "101.061,1.01,k,,,1,,,0.01,success", "102.162,1,k,,,1,,,0.01,success"},
		},
		"a pause": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				submit(t, m, takes(s, nil))
				time.Sleep(500 * ms)
				m.Pause()
				time.Sleep(2 * s)
				m.Resume()
			},
			want: []string{"100,1,k,,,1,,,0.01,success", "100,1,k,,,1,,,2.51,success"},
		},
		"executions that fail": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				submit(t, m, sequence(errFailed, nil), taskmanager.WithRestart(restart.Constant(0)))
				submit(t, m, takes(s, nil))
			},
			// The first execution has a gap of 60 ms. The second one is queued 50 ms after the end of the first
			// one, behind the third task.
			want: []string{"100,1,k,,,1,,,0.01,success", "100,1.06,k,,,1,,,2.13,success", "100,1.06,k,,,1,,1,1.07,success"},
		},
		"two workers": {
			opts: []taskmanager.Option{taskmanager.WithWorkers(2, 2)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(s, nil))
				submit(t, m, takes(2*s+20*ms, nil))
				submit(t, m, takes(s, nil)) // from 1.07 s to 2.07 s
				submit(t, m, takes(s, nil)) // on the worker of the second one, which has ended at 2.03 s
			},
			want: []string{
				"100,1,k,,,1,,,0.01,success", "100,1.06,k,,,1,,,1.07,success", "100,1.06,k,,,1,,,2.09,success", "100,2.02,k,,,1,,,0.01,success",
			},
		},
		"the submitter runs it": {
			opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.CallerRuns)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(9*s, nil))
				submit(t, m, takes(s, nil))
				submit(t, m, takes(2*s, nil))
				submit(t, m, takes(3*s, nil))
			},
			want: []string{
				"100,1.06,k,,,1,,,9.07,success", "100,2,k,,,1,,,0.01,success", "100,9,k,,,1,,,0.01,success", "102.06,3,k,,,1,,,0.01,success",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec, rows := open(t, record.Config{})
				m := start(t, append(c.opts, taskmanager.WithObserver(rec, slow{10 * ms, 50 * ms}))...)
				time.Sleep(100 * s)
				c.do(t, m)
				if err := m.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(c.want, rows(), inAnyOrder); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestGapsOfSeveralManagers checks that the workers of managers with different names are told apart.
func TestGapsOfSeveralManagers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, rows := open(t, record.Config{})
		a := start(t, taskmanager.WithObserver(rec), taskmanager.WithName("a"))
		b := start(t, taskmanager.WithObserver(rec), taskmanager.WithName("b"))
		b.Pause()
		submit(t, a, takes(s, nil))
		submit(t, b, takes(s, nil))
		time.Sleep(s + 50*ms)
		b.Resume()
		for _, m := range []*taskmanager.TaskManager{a, b} {
			if err := m.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		}
		want := []string{"0,1,k,,,1,,,0,success", "0,1,k,,,1,,,1.05,success"}
		if diff := cmp.Diff(want, rows(), inAnyOrder); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// TestIdleWorkersAreForgotten runs a task in each of many managers.
func TestIdleWorkersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, rows := open(t, record.Config{})
		for i := range 200 {
			m := start(t, taskmanager.WithObserver(rec), taskmanager.WithName(fmt.Sprint(i)))
			submit(t, m, takes(s, nil))
			if err := m.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := rec.Remembered(); n > 64 {
			t.Errorf("%d workers are remembered", n)
		}
		if n := len(rows()); n != 200 {
			t.Errorf("%d rows", n)
		}
	})
}
