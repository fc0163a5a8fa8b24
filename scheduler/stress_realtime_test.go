package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// token is an item of the stress test. Exactly one of a worker, a withdrawal and Dropped
// must get it.
type token struct {
	state   atomic.Int32 // 0 queued, 1 withdrawn, 2 claimed by the pool
	runs    atomic.Int32
	drops   atomic.Int32
	pending atomic.Int32 // remaining requeues
	how     ending
	key     int
}

func tokenKey(k *token) int { return k.key }

const (
	tokenWithdrawn = 1
	tokenClaimed   = 2
)

// stress is a pool with the record of its items.
type stress struct {
	pool      *scheduler.Pool[*token]
	offered   atomic.Int64 // calls of a submit method
	taken     atomic.Int64
	requeued  atomic.Int64
	withdrawn atomic.Int64
	crashed   atomic.Int64
	all       [submitters][]*token // accepted items by submitter
}

const (
	submitters = 4
	perHand    = 400
)

func newStress(t *testing.T, cfg scheduler.Config[*token]) *stress {
	t.Helper()
	s := &stress{}
	cfg.Hooks.Withdrawn = func(k *token) bool { return k.state.Load() == tokenWithdrawn }
	cfg.Hooks.Claim = func(k *token) bool { return k.state.CompareAndSwap(0, tokenClaimed) }
	cfg.Dropped = func(k *token, _ error) { k.drops.Add(1) }
	cfg.Crashed = func(int32, *token, error) { s.crashed.Add(1) }
	p, err := scheduler.NewPool(cfg, s.run)
	if err != nil {
		t.Fatal(err)
	}
	s.pool = p
	return s
}

func (s *stress) run(worker int32, k *token) {
	k.runs.Add(1)
	switch k.how {
	case panics:
		panic("stress")
	case exits:
		runtime.Goexit()
	case requeues:
		if k.pending.Add(-1) < 0 {
			return
		}
		k.state.Store(0)
		if s.pool.Requeue(k, worker*(k.pending.Load()&1)) == nil {
			s.requeued.Add(1)
		}
	case returns:
	}
}

// submit submits the items of one submitter, one by one and in batches, and withdraws some.
func (s *stress) submit(hand int) {
	random := rand.New(rand.NewPCG(uint64(hand), 1)) //nolint:gosec // reproducible
	ctx := context.Background()
	for range perHand {
		s.offered.Add(1)
		if random.IntN(10) == 0 {
			batch := make([]*token, random.IntN(100))
			for i := range batch {
				batch[i] = newToken(random)
			}
			err := s.pool.SubmitAll(ctx, batch)
			if be, ok := errors.AsType[*scheduler.BatchError](err); ok {
				batch = batch[:be.Admitted]
			}
			s.keep(hand, batch...)
			continue
		}
		k := newToken(random)
		var err error
		if random.IntN(3) == 0 {
			err = s.pool.TrySubmit(k)
		} else {
			err = s.pool.Submit(ctx, k)
		}
		if err != nil {
			continue
		}
		s.keep(hand, k)
		if random.IntN(5) == 0 && k.state.CompareAndSwap(0, tokenWithdrawn) {
			s.pool.Withdraw()
			s.withdrawn.Add(1)
		}
	}
}

func newToken(random *rand.Rand) *token {
	k := &token{key: random.IntN(5)}
	switch random.IntN(30) {
	case 0:
		k.how = panics
	case 1:
		k.how = exits
	case 2:
		k.how = requeues
		k.pending.Store(int32(random.IntN(3)))
	}
	return k
}

func (s *stress) keep(hand int, ks ...*token) {
	s.taken.Add(int64(len(ks)))
	s.all[hand] = append(s.all[hand], ks...)
}

// disturb resizes and pauses the pool until stop is closed.
func (s *stress) disturb(fixed bool, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	seen := int64(-1)
	for {
		select {
		case <-stop:
			s.pool.Resume()
			return
		default:
		}
		if s.offered.Load() == seen {
			runtime.Gosched() // one change per few items
			continue
		}
		seen = s.offered.Load()
		lo := random.IntN(4)
		hi := max(lo, 1) + random.IntN(4)
		if fixed {
			lo = hi
		}
		_ = s.pool.Resize(lo, hi) // ErrStopped at the end
		s.pool.Pause()
		runtime.Gosched()
		s.pool.Resume()
		_ = s.pool.Snapshot()
		_ = s.pool.Workers()
		runtime.Gosched()
	}
}

// check accounts for every item.
func (s *stress) check(t *testing.T) {
	t.Helper()
	snap := s.pool.Snapshot()
	sum := snap.Completed + snap.Failed + snap.Withdrawn + snap.Shed + snap.Dropped
	if snap.Workers != 0 || snap.Busy != 0 || snap.Queued != 0 || snap.Submitted != sum {
		t.Errorf("the end is %+v; want no worker or item left, and each submitted one accounted for", counts(snap))
	}
	want := uint64(s.taken.Load() + s.requeued.Load())
	if snap.Submitted != want || snap.Withdrawn != uint64(s.withdrawn.Load()) || snap.Failed != uint64(s.crashed.Load()) {
		t.Errorf("submitted %d, withdrawn %d, failed %d; want %d, %d, %d", snap.Submitted, snap.Withdrawn, snap.Failed,
			want, s.withdrawn.Load(), s.crashed.Load())
	}
	var runs, drops uint64
	for _, ks := range s.all {
		for _, k := range ks {
			runs += uint64(k.runs.Load())
			drops += uint64(k.drops.Load())
			s.checkToken(t, k)
		}
	}
	if runs != snap.Started || drops != snap.Dropped+snap.Shed {
		t.Errorf("items ran %d times and were dropped %d times; the pool counted %d and %d", runs, drops, snap.Started, snap.Dropped+snap.Shed)
	}
}

func (s *stress) checkToken(t *testing.T, k *token) {
	t.Helper()
	ends := k.runs.Load() + k.drops.Load()
	if k.state.Load() == tokenWithdrawn {
		ends++
	}
	if k.how != requeues && ends != 1 {
		t.Fatalf("an item ran %d times, was dropped %d times, withdrawn: %v; want one of the three",
			k.runs.Load(), k.drops.Load(), k.state.Load() == tokenWithdrawn)
	}
}

func fairTokens() queue.Queue[*token] {
	return queue.Fair(queue.FairConfig[*token, int]{Key: tokenKey})()
}

// TestStress makes all kinds of calls concurrently, in real time.
func TestStress(t *testing.T) {
	shapes := map[string]scheduler.Config[*token]{
		"fixed":             {Min: 4, Max: 4},
		"fixed, one worker": {Min: 1, Max: 1},
		"fixed, LIFO":       {Min: 3, Max: 3, Queue: newLIFO[*token]},
		"growing":           {Max: 6, IdleTimeout: 50 * time.Microsecond},
		"growing, Step":     {Min: 1, Max: 6, IdleTimeout: 50 * time.Microsecond, Scaler: scale.Step(time.Microsecond)},
		"growing, bounded":  {Max: 6, IdleTimeout: 50 * time.Microsecond, Limit: 3},
		"handing over":      {Min: 1, Max: 6, IdleTimeout: 50 * time.Microsecond, Limit: scheduler.HandOver},
		"rejecting":         {Min: 2, Max: 2, Limit: 3, Overflow: scheduler.Reject},
		"dropping newest":   {Min: 1, Max: 3, Limit: 3, Overflow: scheduler.DropNewest},
		"dropping oldest":   {Min: 2, Max: 2, Limit: 3, Overflow: scheduler.DropOldest, Queue: queue.NewLIFO[*token]},
		"dropping worst":    {Min: 2, Max: 2, Limit: 9, Overflow: scheduler.DropWorst, Queue: fairTokens},
		"caller runs":       {Min: 2, Max: 2, Limit: 3, Overflow: scheduler.CallerRuns},
		"by priority":       {Min: 2, Max: 2, Queue: queue.Priority(tokenKey, 10)},
		"limited by key":    {Min: 1, Max: 4, Limit: 50, Overflow: scheduler.DropWorst, Queue: queue.LimitByKey(1, tokenKey, fairTokens)},
		"shedding": {Min: 2, Max: 2, Queue: queue.LimitByKey(2, tokenKey,
			queue.CoDel[*token](queue.CoDelConfig{Target: 1, Interval: 1}))},
	}
	for name, cfg := range shapes {
		for _, drain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, drain=%v", name, drain), func(t *testing.T) {
				runStress(t, cfg, drain)
			})
		}
	}
}

func runStress(t *testing.T, cfg scheduler.Config[*token], drain bool) {
	t.Helper()
	s := newStress(t, cfg)
	var hands, others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() { s.disturb(cfg.Min == cfg.Max, stop) })
	for i := range submitters {
		hands.Go(func() { s.submit(i) })
	}
	if drain {
		hands.Wait()
		close(stop)
		others.Wait()
		mustDrain(t, s.pool)
	} else {
		for s.offered.Load() < submitters*perHand/2 { // stop it in the middle
			runtime.Gosched()
		}
		mustStop(t, s.pool)
		hands.Wait()
		close(stop)
		others.Wait()
	}
	s.check(t)
	gives := cfg.Overflow > scheduler.Reject && cfg.Overflow < scheduler.CallerRuns
	if drain && !gives && s.pool.Snapshot().Dropped != 0 {
		t.Errorf("Drain dropped %d items, want 0", s.pool.Snapshot().Dropped)
	}
}
