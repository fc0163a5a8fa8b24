package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/yardstick"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestSnapshotHadNoTimesUnderDemand checks the exact times of a snapshot with the default scaler, during
// a burst and after it, and that there are none without the option.
func TestSnapshotHadNoTimesUnderDemand(t *testing.T) {
	type times struct {
		OldestWait                           time.Duration
		Busy, Queued, Workers, Service, Wait float64
	}
	of := func(s scale.Snapshot) times {
		return times{s.OldestWait, s.BusyTime, s.QueuedTime, s.WorkerTime, s.ServiceTime, s.WaitTime}
	}
	for name, c := range map[string]struct {
		opts          []taskmanager.Option
		during, after times
	}{
		"with": {
			[]taskmanager.Option{taskmanager.WithPoolTimes()},
			times{time.Second, 1, 2, 1, 0, 0},
			times{0, 30, 30, 100, 30, 30}, // waits of 0, 10 and 20 seconds
		},
		"without": {nil, times{}, times{}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, append(c.opts, taskmanager.WithWorkers(1, 1))...)
				for _, name := range []string{"a", "b", "c"} {
					submitFunc(t, m, name, func(context.Context) error { time.Sleep(10 * time.Second); return nil })
				}
				synctest.Wait()
				time.Sleep(time.Second)
				check.Equal(t, "times during the burst", of(m.Snapshot()), c.during)
				time.Sleep(99 * time.Second)
				check.Equal(t, "times after the burst", of(m.Snapshot()), c.after)
			})
		})
	}
}

// BenchmarkPoolTimes runs named tasks that do nothing with the times and without them, in turns. The
// metric "ratio" is the cost of the option.
func BenchmarkPoolTimes(b *testing.B) {
	const workers = 2
	submits := func(opts ...taskmanager.Option) yardstick.Work {
		m := start(b, append(opts, taskmanager.WithWorkers(workers, workers))...)
		return named(b, func(name string, fn func(context.Context) error) error {
			_, err := m.SubmitFunc(context.Background(), name, fn)
			return err
		})
	}
	yardstick.Compare(b, submits(taskmanager.WithPoolTimes()), submits())
}
