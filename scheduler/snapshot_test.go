package scheduler_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestWorkersOnTheirWayAreNotIdle checks that a worker for which an item waits does not count
// as idle, unless a pause or the discipline keeps it from the item.
func TestWorkersOnTheirWayAreNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 2, Max: 10})
		synctest.Wait()
		mustSubmit(t, r.pool, newJobs(10)...)
		s := r.pool.Snapshot()
		check.Equal(t, "idle right after ten submits", s.Idle, 0)
		check.Equal(t, "queued and busy", s.Queued+s.Busy, 10)
		synctest.Wait()
		check.Equal(t, "busy", r.pool.Snapshot().Busy, 10)
		r.close(t)
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 3, Max: 3})
		r.pool.Pause()
		mustSubmit(t, r.pool, newJobs(2)...)
		check.Equal(t, "idle in a pause", r.pool.Snapshot().Idle, 3)
		r.close(t)
	})
	synctest.Test(t, func(t *testing.T) {
		all := func(*job) int { return 0 }
		r := newRig(t, scheduler.Config[*job]{Min: 3, Max: 3, Queue: queue.LimitByKey(1, all, queue.NewFIFO[*job])})
		mustSubmit(t, r.pool, newJobs(5)...)
		synctest.Wait()
		check.Equal(t, "idle beside items that are held back", r.pool.Snapshot().Idle, 2)
		r.close(t)
	})
}

// TestMarkFailed checks that an item counts as failed if its run function says so, on a
// worker and inline, and that the next item of the worker does not.
func TestMarkFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *scheduler.Pool[int]
		gate := make(chan struct{})
		pool, err := scheduler.NewPool(scheduler.Config[int]{
			Min: 1, Max: 1, Limit: scheduler.HandOver, Overflow: scheduler.CallerRuns,
			Hooks: scheduler.Hooks[int]{TrackCallers: true},
		}, func(worker int32, i int) {
			if i == 0 {
				<-gate
			}
			if i < 2 {
				pool.MarkFailed(worker)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 3 { // the first on the worker, the others inline
			check.Is(t, "Submit", pool.Submit(t.Context(), i), nil)
		}
		close(gate)
		synctest.Wait()
		check.Is(t, "Submit", pool.Submit(t.Context(), 3), nil) // on the worker
		mustDrain(t, pool)
		s := pool.Snapshot()
		check.Equal(t, "failed and completed", [2]uint64{s.Failed, s.Completed}, [2]uint64{2, 2})
		pool.MarkFailed(1) // without effect
		pool.MarkFailed(0)
		check.Equal(t, "failed", pool.Snapshot().Failed, 2)
	})
}

// TestSnapshotAddsUpAtEachMoment runs random calls on several goroutines, while another one
// reads snapshots. In each of them, every submitted item must be in exactly one place.
func TestSnapshotAddsUpAtEachMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		scripts := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(crowdActions), 5, 60), 1, 4).Draw(t, "scripts")
		stopReading := c.read(t)
		var wg sync.WaitGroup
		for _, script := range scripts {
			wg.Go(func() {
				for _, act := range script {
					c.act(act)
				}
			})
		}
		wg.Wait()
		c.pool.Resume()
		if rapid.Bool().Draw(t, "drain") {
			mustDrain(t, c.pool)
		} else {
			mustStop(t, c.pool)
		}
		stopReading()
		s := c.pool.Snapshot()
		check.Equal(t, "left", s.Queued+s.Busy+s.Inline+s.Lent+s.Workers+s.Idle, 0)
		check.Equal(t, "dropped and shed", s.Dropped+s.Shed, c.drops.Load())
	})
}

// crowd is a pool that several goroutines use.
type crowd struct {
	pool  *scheduler.Pool[*member]
	drops atomic.Uint64
	last  atomic.Pointer[member]
}

// member is an item. How it ends is decided before.
type member struct {
	act   string
	key   int
	state atomic.Int32 // 0: waits, 1: claimed, 2: withdrawn
}

var crowdActions = []string{
	"return", "return", "yield", "panic", "exit", "fail", "requeue", "lend", "batch", "withdraw", "withdraw", "pause", "resume", "resize",
}

func newCrowd(t *rapid.T) *crowd {
	c := new(crowd)
	most := rapid.IntRange(1, 3).Draw(t, "max")
	cfg := scheduler.Config[*member]{
		Min: rapid.IntRange(0, most).Draw(t, "min"), Max: most,
		Crashed: func(int32, *member, error) {},
		Dropped: func(*member, error) { c.drops.Add(1) },
		Hooks: scheduler.Hooks[*member]{
			Claim:        func(m *member) bool { return m.state.CompareAndSwap(0, 1) },
			Withdrawn:    func(m *member) bool { return m.state.Load() == 2 },
			TrackCallers: true,
		},
	}
	if cfg.Limit = rapid.SampledFrom([]int{0, scheduler.HandOver, 2}).Draw(t, "limit"); cfg.Limit != 0 {
		cfg.Overflow = rapid.SampledFrom([]scheduler.Overflow{
			scheduler.Reject, scheduler.DropNewest, scheduler.DropOldest, scheduler.CallerRuns,
		}).Draw(t, "overflow")
	}
	if cfg.Overflow != scheduler.DropOldest && cfg.Overflow != scheduler.CallerRuns {
		keys := func(m *member) int { return m.key }
		cfg.Queue = rapid.SampledFrom([]queue.Factory[*member]{
			queue.NewFIFO[*member], queue.NewLIFO[*member], queue.LimitByKey(1, keys, queue.NewFIFO[*member]),
		}).Draw(t, "discipline")
	}
	if rapid.Bool().Draw(t, "metered") {
		cfg.Scaler = scalerFunc(scale.Demand(1).Scale)
	}
	pool, err := scheduler.NewPool(cfg, c.run)
	if err != nil {
		t.Fatalf("NewPool: %v", err)
	}
	c.pool = pool
	return c
}

func (c *crowd) run(worker int32, m *member) {
	switch m.act {
	case "panic":
		panic(m.act)
	case "exit":
		runtime.Goexit()
	case "fail":
		c.pool.MarkFailed(worker)
	case "yield":
		runtime.Gosched()
	case "lend":
		resume := c.pool.Lend(worker, nil)
		runtime.Gosched()
		resume(nil)
	case "requeue":
		m.act = "return"
		m.state.Store(0)
		if c.pool.Requeue(m, worker) != nil {
			m.state.Store(1)
		}
	}
}

// act makes one call of the pool.
func (c *crowd) act(act string) {
	m := &member{act: act, key: len(act)}
	switch act {
	case "pause":
		c.pool.Pause()
	case "resume":
		c.pool.Resume()
	case "resize":
		_ = c.pool.Resize(0, 3)
	case "withdraw":
		if m := c.last.Load(); m != nil && m.state.CompareAndSwap(0, 2) {
			c.pool.Withdraw()
		}
	case "batch":
		_ = c.pool.SubmitTogether(context.Background(), []*member{m, {act: act}})
	default:
		c.last.Store(m) // so that another goroutine may withdraw it before its submit
		if c.pool.Submit(context.Background(), m) != nil && !m.state.CompareAndSwap(0, 1) {
			c.pool.UndoWithdraw()
		}
	}
}

// read checks snapshots until stop is called.
func (c *crowd) read(t *rapid.T) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		last := c.pool.Snapshot()
		for {
			s := c.pool.Snapshot()
			sum := s.Completed + s.Failed + s.Withdrawn + s.Shed + s.Dropped + uint64(s.Queued+s.Busy+s.Inline+s.Lent)
			if s.Submitted != sum || min(s.Queued, s.Busy, s.Inline, s.Lent, s.Idle) < 0 {
				t.Errorf("%d items were submitted and %d are accounted for: %+v", s.Submitted, sum, s)
				return
			}
			if s.Submitted < last.Submitted || s.Completed < last.Completed || s.Failed < last.Failed || s.Dropped < last.Dropped {
				t.Errorf("a count has decreased: from %+v to %+v", last, s)
				return
			}
			last = s
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// TestWithdrawalBeforeThePushCountsLater withdraws an item before its submit has pushed it.
// The withdrawal counts when the item does.
func TestWithdrawalBeforeThePushCountsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1})
		withdrawn := func() [2]uint64 {
			s := r.pool.Snapshot()
			return [2]uint64{s.Submitted, s.Withdrawn}
		}
		j := newJob(1)
		j.gone.Store(true)
		r.pool.Withdraw()
		check.Equal(t, "submitted and withdrawn", withdrawn(), [2]uint64{0, 0})
		mustSubmit(t, r.pool, j)
		check.Equal(t, "submitted and withdrawn", withdrawn(), [2]uint64{1, 1})
		synctest.Wait()
		check.Equal(t, "submitted and withdrawn", withdrawn(), [2]uint64{1, 1})
		r.close(t)
	})
}
