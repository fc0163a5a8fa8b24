package scheduler_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

func wantGoroutines(t *testing.T, r *rig, want int, when string) {
	t.Helper()
	synctest.Wait()
	if got := r.pool.Goroutines(); got != want {
		t.Errorf("%d goroutines %s, want %d", got, when, want)
	}
}

// TestWorkersHaveGoroutinesWhenTheyHaveItems checks that the workers of the minimum have
// goroutines at once and the others from their first item on, and that workers without a
// goroutine leave after the idle timeout.
func TestWorkersHaveGoroutinesWhenTheyHaveItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 9, IdleTimeout: idleTimeout, Scaler: scale.Fixed(6)})
		wantWorkers(t, r, 6)
		wantGoroutines(t, r, 2, "without items")
		js := newJobs(5)
		mustSubmit(t, r.pool, js...)
		wantGoroutines(t, r, 5, "with 5 items that block")
		if err := r.pool.Resize(6, 9); err != nil {
			t.Fatal(err)
		}
		wantGoroutines(t, r, 6, "with a minimum of 6")
		if err := r.pool.Resize(1, 9); err != nil {
			t.Fatal(err)
		}
		for _, j := range js {
			j.end <- returns
		}
		time.Sleep(10 * idleTimeout)
		wantGoroutines(t, r, 6, "that Fixed keeps")
		mustStop(t, r.pool)
	})
}

// TestShortItemsMakeNoGoroutines checks that the existing workers run items that end before
// the next worker starts, however many workers the scaler wants. On one processor the next
// worker starts only when the first is preempted, after 10 ms.
func TestShortItemsMakeNoGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		const items = 1000
		var ran atomic.Int64 // no lock, on which a worker could block
		p, err := scheduler.NewPool(scheduler.Config[int]{Max: items, IdleTimeout: idleTimeout},
			func(int32, int) { ran.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		p.Pause()
		if err := p.SubmitAll(t.Context(), make([]int, items)); err != nil {
			t.Fatal(err)
		}
		p.Resume()
		synctest.Wait()
		if got := ran.Load(); got != items {
			t.Errorf("%d of %d items have run", got, items)
		}
		if got := p.Goroutines(); got > items/10 {
			t.Errorf("%d items that return at once have made %d goroutines, want a few", items, got)
		}
		time.Sleep(idleTimeout)
		synctest.Wait()
		if workers, goroutines := p.Snapshot().Workers, p.Goroutines(); workers != 0 || goroutines != 0 {
			t.Errorf("%d workers, %d goroutines after the timeout, want none", workers, goroutines)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestWorkersAreListedByTheNumbersThatTheyGet checks the list of workers with dormant ones,
// and after some have left.
func TestWorkersAreListedByTheNumbersThatTheyGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := func(r *rig) (lines []string) {
			synctest.Wait()
			for _, w := range r.pool.Workers() {
				lines = append(lines, fmt.Sprint(w.ID, " ", w.Busy))
			}
			return lines
		}
		r := newRig(t, scheduler.Config[*job]{Max: 5, IdleTimeout: idleTimeout, Scaler: scale.Fixed(4)})
		js := newJobs(4)
		mustSubmit(t, r.pool, js[:2]...)
		if diff := cmp.Diff([]string{"1 true", "2 true", "3 false", "4 false"}, list(r)); diff != "" {
			t.Errorf("with two items (-want +got):\n%s", diff)
		}
		mustSubmit(t, r.pool, js[2:]...)
		if diff := cmp.Diff([]string{"1 true", "2 true", "3 true", "4 true"}, list(r)); diff != "" {
			t.Errorf("with four items (-want +got):\n%s", diff)
		}
		if err := r.pool.Resize(0, 2); err != nil {
			t.Fatal(err)
		}
		js[0].end <- returns
		js[2].end <- returns
		if diff := cmp.Diff([]string{"2 true", "4 true"}, list(r)); diff != "" {
			t.Errorf("when 1 and 3 have left (-want +got):\n%s", diff)
		}
		if err := r.pool.Resize(0, 5); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1 false", "2 true", "3 false", "4 true"}, list(r)); diff != "" {
			t.Errorf("when two are wanted again (-want +got):\n%s", diff)
		}
		js[1].end <- returns
		js[3].end <- returns
		mustStop(t, r.pool)
		if got := r.pool.Snapshot().Workers + len(r.pool.Workers()); got != 0 {
			t.Errorf("%d workers after Stop", got)
		}
	})
}

// TestKeptWorkersLeaveTheAlarmQuiet checks that workers that the scaler keeps beyond their
// timeout, and an item that none of them may take, do not make the alarm ring repeatedly.
func TestKeptWorkersLeaveTheAlarmQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		r := newRig(t, scheduler.Config[*job]{
			Max: 5, IdleTimeout: idleTimeout, Queue: queue.LimitByKey(1, func(*job) int { return 1 }, nil),
			Scaler: scalerFunc(func(scale.Snapshot) scale.Decision {
				if asked.Add(1) > 1000 {
					return scale.Decision{} // so that the test ends
				}
				return scale.Decision{Target: 4}
			}),
		})
		defer r.close(t)
		js := newJobs(2)
		mustSubmit(t, r.pool, js...)
		wantWorkers(t, r, 4)
		time.Sleep(10 * idleTimeout)
		if n := asked.Load(); n > 20 {
			t.Errorf("the scaler was asked %d times in ten timeouts", n)
		}
		wantWorkers(t, r, 4)
		for _, j := range js {
			j.end <- returns
		}
	})
}

// TestIdleWorkersLeaveInTimeBesideDormantOnes checks that dormant workers, which became so
// later, do not delay the timeout of idle ones.
func TestIdleWorkersLeaveInTimeBesideDormantOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var more atomic.Int32
		r := newRig(t, scheduler.Config[*job]{Max: 20, IdleTimeout: idleTimeout, Scaler: scalerFunc(func(s scale.Snapshot) scale.Decision {
			return scale.Decision{Target: max(scale.Demand(1).Scale(s).Target, int(more.Load()))}
		})})
		js := newJobs(5)
		mustSubmit(t, r.pool, js...)
		wantGoroutines(t, r, 5, "with 5 items")
		for _, j := range js {
			j.end <- returns
		}
		time.Sleep(time.Second)
		more.Store(12)
		r.pool.Resume() // asks the scaler
		wantWorkers(t, r, 12)
		more.Store(0)
		time.Sleep(idleTimeout - time.Second)
		wantWorkers(t, r, 7)
		wantGoroutines(t, r, 0, "when the idle workers have left")
		time.Sleep(time.Second)
		wantWorkers(t, r, 0)
		mustStop(t, r.pool)
	})
}
