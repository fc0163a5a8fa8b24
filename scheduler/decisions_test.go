package scheduler_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestDecisionsAreExplained checks that each decision that changes the target is listed, and
// reported to Decided without a lock held, with its time, numbers of workers and reason.
func TestDecisionsAreExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet(t)
		var mu sync.Mutex
		var told []scheduler.Decided
		r := newRig(t, scheduler.Config[*job]{
			Max: 3, IdleTimeout: time.Second, Scaler: scale.Demand(2),
			Decided: func(d scheduler.Decided) {
				mu.Lock()
				told = append(told, d)
				mu.Unlock()
				panic("in Decided") // must have no effect
			},
		})
		defer r.close(t)
		begin := time.Now()
		js := newJobs(2)
		for _, j := range js {
			mustSubmit(t, r.pool, j)
			synctest.Wait() // until a worker has taken the item, so that the scaler sees reproducible numbers
		}
		time.Sleep(time.Second)
		for _, j := range js {
			j.end <- returns
		}
		time.Sleep(3 * time.Second)
		want := []scheduler.Decided{
			{Number: 1, At: begin, Workers: 0, Target: 0, Reason: "demand"},
			{Number: 2, At: begin, Workers: 0, Target: 1, Reason: "demand"},
			{Number: 3, At: begin, Workers: 1, Target: 2, Reason: "demand"},
			{Number: 4, At: begin.Add(2 * time.Second), Workers: 2, Target: 0, Reason: "demand"},
		}
		check.Equal(t, "decisions", r.pool.Decisions(), want)
		mu.Lock()
		defer mu.Unlock()
		check.Equal(t, "decisions told", told, want)
	})
}

// TestDecidedMaySubmit checks that Decided is called without a lock held, not even that of
// the scaler.
func TestDecidedMaySubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *scheduler.Pool[int]
		submits := 3
		pool, err := scheduler.NewPool(scheduler.Config[int]{
			Max: 10,
			Decided: func(d scheduler.Decided) {
				if d.Target > 0 && submits > 0 {
					submits--
					mustSubmit(t, pool, d.Target)
				}
			},
		}, func(int32, int) { time.Sleep(time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		mustSubmit(t, pool, 0)
		synctest.Wait()
		check.Equal(t, "items that run", pool.Snapshot().Busy, 4)
		mustStop(t, pool)
	})
}

// TestDecisionsAreFew checks that a pool keeps the last 32 decisions.
func TestDecisionsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := 0
		r := newRig(t, scheduler.Config[*job]{Max: 100, Scaler: scalerFunc(func(scale.Snapshot) scale.Decision {
			next++
			return scale.Decision{Target: next, Reason: "one more"}
		})})
		defer r.close(t)
		for range 90 {
			mustSubmit(t, r.pool, newJob(1))
			synctest.Wait() // otherwise the pool asks once for several submits
		}
		ds := r.pool.Decisions()
		if len(ds) != 32 || ds[31].Target != next || ds[0].Target != next-31 {
			t.Errorf("%d decisions are remembered, the last for %d; want 32, the last for %d", len(ds), ds[len(ds)-1].Target, next)
		}
	})
}

// TestFirmDecisions checks that workers above a firm target leave at once when idle, and
// otherwise when they have finished their item, even while items wait.
func TestFirmDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var target atomic.Int32
		target.Store(4)
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 8, Scaler: scalerFunc(func(scale.Snapshot) scale.Decision {
			return scale.Decision{Target: int(target.Load()), Again: time.Second, Firm: true, Reason: "firm"}
		})})
		defer r.close(t)
		js := newJobs(10)
		wantWorkers(t, r, 4)
		mustSubmit(t, r.pool, js[:2]...)
		target.Store(1)
		time.Sleep(time.Second)
		wantWorkers(t, r, 2) // the two idle ones have left
		mustSubmit(t, r.pool, js[2:]...)
		wantWorkers(t, r, 2)
		js[1].end <- returns
		wantWorkers(t, r, 1)
		check.Equal(t, "running", r.running(), []int{1})
		target.Store(0) // one worker must stay, since items wait
		time.Sleep(time.Second)
		js[0].end <- returns
		synctest.Wait()
		check.Equal(t, "running", r.running(), []int{3})
		target.Store(3)
		time.Sleep(time.Second)
		wantWorkers(t, r, 3)
		if err := r.pool.Resize(1, 2); err != nil {
			t.Fatal(err)
		}
		js[2].end <- returns
		wantWorkers(t, r, 2)
	})
}

// firmAtFirst makes three firm decisions for two workers, and then acts as Demand.
type firmAtFirst struct{ asked int }

func (f *firmAtFirst) NeedsTime() bool { return false }

func (f *firmAtFirst) Scale(s scale.Snapshot) scale.Decision {
	if f.asked++; f.asked <= 3 {
		return scale.Decision{Target: 2, Again: time.Second, Firm: true, Reason: "firm"}
	}
	return scale.Decision{Target: s.Busy + s.Queued + s.Blocked, Reason: "demand"}
}

// TestNoLongerFirm checks that a scaler that is no longer firm is asked at submits again.
func TestNoLongerFirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 50, Scaler: new(firmAtFirst)})
		defer r.close(t)
		mustSubmit(t, r.pool, newJobs(3)...)
		time.Sleep(20 * time.Second)
		check.Equal(t, "running after a while", len(r.running()), 3)
		for id := 4; id <= 8; id++ {
			mustSubmit(t, r.pool, newJob(id))
		}
		synctest.Wait()
		check.Equal(t, "running", len(r.running()), 8)
	})
}
