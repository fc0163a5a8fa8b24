package record_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var errFailed = errors.New("failed")

// open returns a recorder that writes to a file of its own, and a function that closes it and
// returns the rows.
func open(t *testing.T, cfg record.Config) (rec *record.Recorder, rows func() []string) {
	t.Helper()
	cfg.File = filepath.Join(t.TempDir(), "trace.csv")
	rec, err := record.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rec, func() []string {
		t.Helper()
		if err := rec.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		return rowsOf(t, cfg.File)
	}
}

// rowsOf returns the rows of a file, after its head.
func rowsOf(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 3 || lines[0] != "at,service,kind,key,priority,cost,deadline,fails,wait,outcome" ||
		!strings.HasPrefix(lines[1], "# recording began 20") || lines[len(lines)-1] != "" {
		t.Fatalf("%s is %q", name, content)
	}
	return lines[2 : len(lines)-1]
}

// start starts a manager with one worker, unless opts say otherwise.
func start(t *testing.T, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(append([]taskmanager.Option{taskmanager.WithWorkers(1, 1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// submit submits a function under a name of its own.
func submit(t *testing.T, m *taskmanager.TaskManager, fn func(context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
	t.Helper()
	h, err := m.SubmitFunc(t.Context(), "t", fn, append([]taskmanager.TaskOption{taskmanager.WithUniqueName(), taskmanager.WithKind("k")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// takes returns the function of a task that takes some time and then returns err.
func takes(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sequence returns the function of a task whose executions take a second each and return the errors
// in turn.
func sequence(errs ...error) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(time.Second)
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

const s = time.Second

// inAnyOrder is for rows of tasks that end at the same time.
var inAnyOrder = cmpopts.SortSlices(strings.Compare)

// TestRows checks the exact rows of tasks that end in each way. Each case begins 100 s after the
// recording, so that its arrivals differ from its waits.
func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		opts []taskmanager.Option
		do   func(t *testing.T, m *taskmanager.TaskManager)
		want []string
	}{
		"success": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(2*s, nil))
				time.Sleep(time.Second)
				submit(t, m, takes(3*s+1, nil), taskmanager.WithKey("acme"), taskmanager.WithPriority(-7), taskmanager.WithCost(9),
					taskmanager.WithDeadline(time.Now().Add(time.Hour)))
			},
			want: []string{"100,2,k,,,1,,,0,success", "101,3.000000001,k,acme,-7,9,3600,,1,success"},
		},
		"success after failures": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(2*s, nil))
				slow := takes(7*s, errFailed)
				submit(t, m, func(ctx context.Context) error {
					defer func() { slow = takes(4*s, nil) }()
					return slow(ctx)
				}, taskmanager.WithRestart(restart.Constant(time.Minute)))
			},
			want: []string{"100,2,k,,,1,,,0,success", "100,5.5,k,,,1,,1,2,success"},
		},
		"failure": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(2*s, errFailed))
				submit(t, m, func(context.Context) error { time.Sleep(s); panic("") })
				submit(t, m, takes(3*s, errFailed), taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(0))))
			},
			want: []string{
				"100,2,k,,,1,,1,0,failure", "100,1,k,,,1,,1,2,failure", "100,3,k,,,1,,3,3,failure",
			},
		},
		"cancelled": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				running, waiting := submit(t, m, takes(time.Hour, nil)), submit(t, m, takes(s, nil))
				delayed := submit(t, m, takes(s, nil), taskmanager.WithDelay(time.Hour))
				time.Sleep(5 * s)
				waiting.Cancel()
				time.Sleep(s)
				running.Cancel()
				delayed.Cancel()
				restarting := submit(t, m, takes(4*s, errFailed), taskmanager.WithRestart(restart.Constant(time.Hour)))
				time.Sleep(time.Minute)
				restarting.Cancel()
			},
			want: []string{
				"100,,k,,,1,,,5,cancelled", "100,,k,,,1,,,6,cancelled", "100,6,k,,,1,,,0,cancelled", "106,4,k,,,1,,1,0,cancelled",
			},
		},
		"dropped": {
			opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.DropOldest)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(9*s, nil))
				submit(t, m, takes(s, nil))
				time.Sleep(s)
				submit(t, m, takes(2*s, nil))
			},
			want: []string{"100,,k,,,1,,,1,dropped", "100,9,k,,,1,,,0,success", "101,2,k,,,1,,,8,success"},
		},
		"shed": {
			opts: []taskmanager.Option{taskmanager.WithQueue(taskmanager.CoDel(taskmanager.CoDelConfig{}))},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				for range 3 {
					submit(t, m, takes(9*s, nil))
				}
				time.Sleep(time.Minute) // a drain sheds nothing
			},
			want: []string{"100,9,k,,,1,,,0,success", "100,9,k,,,1,,,9,success", "100,,k,,,1,,,18,shed"},
		},
		"timed out": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(time.Hour, nil), taskmanager.WithTimeout(4*s))
				submit(t, m, takes(s, nil), taskmanager.WithQueueTimeout(3*s))
				submit(t, m, takes(time.Hour, nil), taskmanager.WithDeadline(time.Now().Add(10*s)))
			},
			want: []string{
				"100,,k,,,1,,,3,timed_out", "100,4,k,,,1,,1,0,timed_out", "100,6,k,,,1,10,1,4,timed_out",
			},
		},
		"stopped": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(time.Hour, nil))
				submit(t, m, takes(s, nil))
				time.Sleep(s)
				_ = m.Stop(t.Context())
			},
			want: []string{"100,,k,,,1,,,1,stopped", "100,1,k,,,1,,,0,stopped"},
		},
		"postponed": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(2*s, nil))
				submit(t, m, sequence(taskmanager.NotYet(time.Minute), errFailed, taskmanager.ErrNotYet, nil),
					taskmanager.WithRestart(restart.Constant(time.Minute)))
				never := submit(t, m, sequence(taskmanager.NotYet(time.Hour)))
				time.Sleep(500 * s)
				never.Cancel()
			},
			want: []string{"100,2,k,,,1,,,0,success", "100,2,k,,,1,,1,2,success", "100,1,k,,,1,,,3,cancelled"},
		},
		"a delay": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(12*s, nil))
				submit(t, m, takes(s, nil), taskmanager.WithDelay(5*s), taskmanager.WithDeadline(time.Now().Add(60*s)))
			},
			want: []string{"100,12,k,,,1,,,0,success", "105,1,k,,,1,55,,7,success"},
		},
		"a wait for room": {
			opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.Block)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				for range 4 {
					go func() {
						if _, err := m.SubmitFunc(t.Context(), "t", takes(2*s, nil), taskmanager.WithUniqueName(), taskmanager.WithKind("k")); err != nil {
							t.Error(err)
						}
					}()
				}
			},
			want: []string{"100,2,k,,,1,,,0,success", "100,2,k,,,1,,,2,success", "100,2,k,,,1,,,4,success", "100,2,k,,,1,,,6,success"},
		},
		"the submitter runs it": {
			opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.CallerRuns)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(9*s, nil))
				submit(t, m, takes(s, nil))
				submit(t, m, takes(2*s, nil))
			},
			want: []string{"100,2,k,,,1,,,0,success", "100,9,k,,,1,,,0,success", "100,1,k,,,1,,,9,success"},
		},
		"a refused submit": {
			opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.Reject)},
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(2*s, nil))
				submit(t, m, takes(s, nil))
				if _, err := m.SubmitFunc(t.Context(), "x", takes(s, nil)); !errors.Is(err, taskmanager.ErrQueueFull) {
					t.Error(err)
				}
			},
			want: []string{"100,2,k,,,1,,,0,success", "100,1,k,,,1,,,2,success"},
		},
		"a deadline that has passed": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				if _, err := m.Submit(t.Context(), late{}); err != nil {
					t.Error(err)
				}
			},
			want: []string{"100,0,record_test.late,,,1,0.000000001,,0,success"},
		},
		"tasks of one name": {do: duplicates, want: []string{
			"102,0,k,,,1,,,1,cancelled", // replaced while it waited for the name
			"100,5,k,,,1,,,0,success",
			"105,6,k,,,1,,,0,success", // got the name at 105
			"106,1,other,,,1,,,5,success",
			"111,7,k,,,1,,,1,success",
			"120,0,k,,,1,,,1,cancelled", // replaced in the queue
			"120,3,other,,,1,,,0,success",
			"121,1,k,,,1,,,2,success",
		}},
		"tasks of a store": {do: handOvers, want: []string{
			"100,9,k,,,1,,,0,success",
			"60,2,k,,,1,,,49,handed_over",
			"0,3,k,,,1,,,111,handed_over",
			"100,4,k,,,1,,1,14,failure",
			"100,5,k,,,1,,,18,success",
		}},
		"a schedule": {
			do: func(t *testing.T, m *taskmanager.TaskManager) {
				submit(t, m, takes(11*s, nil))
				if _, err := m.Every(t.Context(), 10*s, tick{}, taskmanager.WithRuns(2)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			},
			want: []string{"100,11,k,,,1,,,0,success", "110,1,record_test.tick,,,1,,,1,success", "120,1,record_test.tick,,,1,,,0,success"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec, rows := open(t, record.Config{})
				m := start(t, append(c.opts, taskmanager.WithObserver(rec))...)
				time.Sleep(100 * s)
				c.do(t, m)
				synctest.Wait()
				if err := m.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(c.want, rows(), inAnyOrder); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
				if n := rec.Dropped(); n != 0 {
					t.Errorf("%d rows were dropped", n)
				}
			})
		})
	}
}

// late is a task whose deadline has passed when it is submitted.
type late struct{}

func (late) Name() string                  { return "late" }
func (late) Execute(context.Context) error { return nil }
func (late) Deadline() (time.Time, bool)   { return time.Now().Add(-time.Hour), true }

// tick is a task of a schedule.
type tick struct{}

func (tick) Name() string                  { return "tick" }
func (tick) Execute(context.Context) error { time.Sleep(time.Second); return nil }

// duplicates submits tasks of one name, and others.
func duplicates(t *testing.T, m *taskmanager.TaskManager) {
	named := func(d time.Duration, opts ...taskmanager.TaskOption) {
		t.Helper()
		if _, err := m.SubmitFunc(t.Context(), "x", takes(d, nil), append(opts, taskmanager.WithKind("k"))...); err != nil {
			t.Fatal(err)
		}
	}
	named(5 * s)
	time.Sleep(2 * s)
	named(time.Hour, taskmanager.WithReplace())
	time.Sleep(s)
	named(6*s, taskmanager.WithReplace())
	time.Sleep(3 * s)
	submit(t, m, takes(s, nil), taskmanager.WithKind("other"))
	time.Sleep(s)
	named(7*s, taskmanager.WithRerun())
	time.Sleep(13 * s)
	submit(t, m, takes(3*s, nil), taskmanager.WithKind("other"))
	named(time.Hour)
	time.Sleep(s)
	named(s, taskmanager.WithReplace())
}

// handOvers submits tasks that a store keeps: one that was queued there before its submit, one that
// was queued before the recording began, one that fails for the last time, and one that succeeds.
func handOvers(t *testing.T, m *taskmanager.TaskManager) {
	began, again := time.Now().Add(-100*s), taskmanager.WithRestart(restart.Constant(s))
	submit(t, m, takes(9*s, nil))
	submit(t, m, takes(2*s, errFailed), again, taskmanager.WithOrigin(restart.State{QueuedAt: began.Add(60 * s)}))
	submit(t, m, takes(3*s, taskmanager.NotYet(s)), taskmanager.WithOrigin(restart.State{QueuedAt: began.Add(-time.Hour)}))
	submit(t, m, takes(4*s, errFailed), taskmanager.WithRestart(restart.Never()), taskmanager.WithOrigin(restart.State{Attempts: 2, Row: 2}))
	submit(t, m, takes(5*s, nil), taskmanager.WithOrigin(restart.State{}))
}
