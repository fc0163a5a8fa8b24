package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

// soakItem is an item of a pool. Exactly one of a worker, a withdrawal and Dropped gets it.
type soakItem struct {
	state  atomic.Int32
	inside atomic.Int32
	runs   atomic.Int32
	drops  atomic.Int32
	again  atomic.Int32 // how often it was queued again
	key    int
	seed   uint64
	way    string
	taken  bool // the submit succeeded
}

// The states of an item.
const (
	itemWaits = iota
	itemWithdrawn
	itemClaimed
)

// itemWays are the things that items do. Those that follow breedingWays do not only run.
var itemWays = []string{"returns", "returns soon", "works", "panics", "exits", "is marked as failed", "waits for its pool", "is queued again", "is queued first", "lends", "submits"}

const breedingWays = 7

func (p *soakPool) newItem(random *rand.Rand) *soakItem {
	ways := itemWays
	if !p.breeds {
		ways = ways[:breedingWays]
	}
	i := &soakItem{key: random.IntN(4), seed: random.Uint64(), way: ways[random.IntN(len(ways))]}
	p.mu.Lock()
	p.items = append(p.items, i)
	p.mu.Unlock()
	return i
}

// run is the function of the pool.
func (p *soakPool) run(worker int32, i *soakItem) {
	n := i.runs.Add(1)
	if i.inside.Add(1) != 1 || i.state.Load() != itemClaimed {
		p.fail("an item that %s runs twice at once, or was not claimed", i.way)
	}
	p.inside.Add(1)
	p.begin(worker)
	queuedAgain := false
	defer func() {
		if worker != 0 {
			p.running.Add(-1)
		}
		p.inside.Add(-1)
		if !queuedAgain {
			i.inside.Add(-1)
		}
	}()
	p.x.s.count("pool: an item " + i.way)
	if c, ok := p.pool.Caller(); p.tracks && !ok || ok && (c.Item != i || c.Worker != worker || c.Indirect) {
		p.fail("the caller in an item is %+v, %v, on worker %d", c, ok, worker)
	}
	random := rand.New(rand.NewPCG(i.seed, uint64(n))) //nolint:gosec // not negative
	switch i.way {
	case "works":
		rest(context.Background(), time.Duration(random.IntN(500))*time.Microsecond)
	case "panics":
		panic(errFailed)
	case "exits":
		runtime.Goexit()
	case "is marked as failed":
		if worker != 0 || p.tracks {
			p.failed.Add(1)
			p.pool.MarkFailed(worker)
		}
	case "waits for its pool":
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := p.pool.WaitIdle(ctx); !errors.Is(err, scheduler.ErrWouldDeadlock) && !errors.Is(err, context.DeadlineExceeded) {
			p.fail("WaitIdle in an item: %v", err)
		}
	case "is queued again", "is queued first":
		if queuedAgain = n < 3; queuedAgain {
			p.requeue(worker, i)
		}
	case "lends":
		p.lend(worker, i, random)
	case "submits":
		p.submitOne(context.Background(), random, true)
	}
}

// begin counts an item that begins or continues on a worker, and checks the maximum.
func (p *soakPool) begin(worker int32) {
	if worker == 0 {
		return
	}
	if n := p.running.Add(1); n > soakMaxWorkers {
		p.fail("%d items run on at most %d workers", n, soakMaxWorkers)
	}
}

// requeue queues the item again that runs. The pool may run it before requeue has returned.
func (p *soakPool) requeue(worker int32, i *soakItem) {
	again := p.pool.Requeue
	if i.way == "is queued first" {
		again = p.pool.RequeueFirst
	}
	i.inside.Add(-1) // for good
	i.again.Add(1)
	i.state.Store(itemWaits)
	if err := again(i, worker); err != nil {
		i.again.Add(-1)
		if !p.stopped(err) {
			p.fail("an item that %s: %v", i.way, err)
		}
	}
}

// lend lends the slot of a worker for a while.
func (p *soakPool) lend(worker int32, i *soakItem, random *rand.Rand) {
	is := func(other *soakItem) bool { return other == i }
	if worker != 0 {
		p.running.Add(-1)
	}
	resume := p.pool.Lend(worker, is)
	if p.pool.HasLent(worker, is) != (worker != 0) {
		p.fail("worker %d has lent its slot: %v", worker, worker == 0)
	}
	rest(context.Background(), time.Duration(random.IntN(500))*time.Microsecond)
	resume(nil)
	p.begin(worker)
	if p.pool.HasLent(worker, is) {
		p.fail("worker %d has its slot back and has lent it", worker)
	}
}

// usePool calls a random method of the pool.
func (d *driver) usePool() {
	p := d.pool
	ctx, cancel := d.brief()
	defer cancel()
	if d.random.IntN(4) == 0 {
		cancel()
	}
	if op := d.random.IntN(12); op < 4 {
		p.exact.Lock()
		defer p.exact.Unlock()
		[]func(context.Context, *rand.Rand){p.waitRoom, p.waitRoom, p.pauseWait, p.waitIdle}[op](ctx, d.random)
		return
	}
	p.exact.RLock()
	defer p.exact.RUnlock()
	ops := []func(context.Context, *rand.Rand){p.submit, p.submit, p.submit, p.submitSeveral, p.steer, p.look}
	ops[d.random.IntN(len(ops))](ctx, d.random)
}

func (p *soakPool) submit(ctx context.Context, random *rand.Rand) {
	for range 1 + random.IntN(5) {
		p.submitOne(ctx, random, false)
	}
}

// submitOne submits an item in a random way. Another goroutine may withdraw it meanwhile.
func (p *soakPool) submitOne(ctx context.Context, random *rand.Rand, inside bool) {
	i := p.newItem(random)
	var withdrawal sync.WaitGroup
	if !slices.Contains(itemWays[breedingWays:], i.way) && random.IntN(4) == 0 {
		delay := time.Duration(random.IntN(100)) * time.Microsecond
		withdrawal.Go(func() {
			rest(ctx, delay)
			if i.state.CompareAndSwap(itemWaits, itemWithdrawn) {
				p.pool.Withdraw()
			}
		})
	}
	var err error
	try := random.IntN(3) == 0
	if try {
		err = p.pool.TrySubmit(i)
	} else {
		err = p.pool.Submit(ctx, i)
	}
	withdrawal.Wait()
	i.taken = err == nil
	if err != nil && i.state.Load() == itemWithdrawn {
		p.x.s.count("pool: refused after a withdrawal")
		p.pool.UndoWithdraw()
	}
	p.checkRefusal(ctx, err, inside, try)
}

// checkRefusal checks the error of a submit.
func (p *soakPool) checkRefusal(ctx context.Context, err error, inside, try bool) {
	switch {
	case err == nil, p.stopped(err):
	case errors.Is(err, scheduler.ErrQueueFull) && p.limit != 0 && (try || p.overflow == scheduler.Reject || p.overflow == scheduler.CallerRuns):
	case errors.Is(err, scheduler.ErrWouldDeadlock) && inside && p.overflow == scheduler.Block:
	case ctx.Err() != nil && errors.Is(err, ctx.Err()) && !try:
	default:
		p.fail("a submit was refused: %v", err)
	}
}

// submitSeveral submits items together, or one after another.
func (p *soakPool) submitSeveral(ctx context.Context, random *rand.Rand) {
	items := make([]*soakItem, random.IntN(10))
	for n := range items {
		items[n] = p.newItem(random)
	}
	admitted := len(items)
	together := random.IntN(2) == 0
	var err error
	if together {
		if err = p.pool.SubmitTogether(ctx, items); err != nil {
			admitted = 0
		}
	} else if err = p.pool.SubmitAll(ctx, items); err != nil {
		admitted = 0
		if e, ok := errors.AsType[*scheduler.BatchError](err); ok {
			admitted = e.Admitted
		}
	}
	for n, i := range items {
		i.taken = n < admitted
	}
	p.x.s.count("pool: batches")
	p.checkRefusal(ctx, err, false, together && errors.Is(err, scheduler.ErrQueueFull) && len(items) > p.limit)
}

// waitRoom waits for room, and checks that as many items as there is room for are taken, and begin or
// are among the first that wait. Nobody else submits meanwhile.
func (p *soakPool) waitRoom(ctx context.Context, random *rand.Rand) {
	ahead := random.IntN(5)
	n, err := p.pool.WaitRoom(ctx, ahead)
	switch {
	case p.stopped(err), err != nil && errors.Is(err, ctx.Err()):
		return
	case err != nil || n < 1 || n > soakMaxWorkers+ahead:
		p.fail("WaitRoom(%d) returned %d, %v", ahead, n, err)
		return
	}
	p.x.s.count("pool: WaitRoom: room")
	for tried := range n {
		i := p.newItem(random)
		err := p.pool.TrySubmit(i)
		i.taken = err == nil
		if p.holds && tried > 0 && errors.Is(err, scheduler.ErrQueueFull) {
			return // the items before are held back, and fill the limit
		}
		if err != nil && !p.stopped(err) && !p.breeds && p.follows {
			p.fail("WaitRoom(%d) returned %d, and a submit was refused: %v\n%+v", ahead, n, err, p.pool.Snapshot())
			return
		}
	}
	if s := p.pool.Snapshot(); s.Busy+s.Queued+s.Blocked > s.Max+ahead && !p.breeds {
		p.fail("WaitRoom(%d) returned %d, and too many items wait: %+v", ahead, n, s)
	}
}

// pauseWait pauses the pool, and checks that nothing runs and that there is no room.
func (p *soakPool) pauseWait(ctx context.Context, random *rand.Rand) {
	defer p.pool.Resume()
	err := p.pool.PauseWait(ctx)
	if err != nil {
		if !p.stopped(err) && !errors.Is(err, ctx.Err()) {
			p.fail("PauseWait: %v", err)
		}
		return
	}
	p.x.s.count("pool: PauseWait: quiet")
	p.submitOne(ctx, random, false)
	n, err := p.pool.WaitRoom(ctx, random.IntN(5))
	if runs := p.inside.Load(); (runs > 0 || err == nil) && !p.stopping.Load() {
		p.fail("in a pause %d items run, and there is room for %d: %v", runs, n, err)
	}
}

// waitIdle waits until nothing is left to do.
func (p *soakPool) waitIdle(ctx context.Context, _ *rand.Rand) {
	err := p.pool.WaitIdle(ctx)
	if err != nil {
		if !errors.Is(err, ctx.Err()) {
			p.fail("WaitIdle: %v", err)
		}
		return
	}
	p.x.s.count("pool: WaitIdle: idle")
	if s := p.pool.Snapshot(); p.inside.Load() > 0 || s.Busy+s.Queued+s.Blocked+s.Lent+s.Inline > 0 {
		p.fail("the pool was idle, and is %+v", s)
	}
}

// steer resizes or pauses the pool.
func (p *soakPool) steer(_ context.Context, random *rand.Rand) {
	if random.IntN(2) == 0 {
		p.pool.Pause()
		rest(context.Background(), time.Duration(random.IntN(500))*time.Microsecond)
		p.pool.Resume()
		return
	}
	most := 2 + random.IntN(soakMaxWorkers-1)
	if err := p.pool.Resize(random.IntN(3), most); err != nil && !p.stopped(err) {
		p.fail("Resize: %v", err)
	}
}

// look checks what the pool says of itself.
func (p *soakPool) look(context.Context, *rand.Rand) {
	if s := p.pool.Snapshot(); min(s.Workers, s.Busy, s.Idle, s.Inline, s.Lent, s.Queued, s.Blocked) < 0 || s.Max > soakMaxWorkers {
		p.fail("the pool is %+v", s)
	}
	last := int32(0)
	for _, w := range p.pool.Workers() {
		if w.ID <= last || w.Lent && !w.Busy || w.Busy != (w.Item != nil) || w.Busy && w.Item.runs.Load() == 0 && w.Item.state.Load() == itemWaits {
			p.fail("worker %+v follows worker %d", w, last)
		}
		last = w.ID
	}
	_ = p.pool.AsksScaler()
	for i, kept := 1, p.pool.Decisions(); i < len(kept); i++ {
		if kept[i].Number != kept[i-1].Number+1 {
			p.fail("after decision %d comes decision %d", kept[i-1].Number, kept[i].Number)
		}
	}
}
