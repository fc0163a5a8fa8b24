package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// soakPool is a pool of items beside the manager of a life, and what the soak knows about it.
type soakPool struct {
	x        *life
	pool     *scheduler.Pool[*soakItem]
	about    string
	limit    int
	overflow scheduler.Overflow
	sheds    bool
	holds    bool
	follows  bool // the scaler asks for a worker for each item
	tracks   bool
	breeds   bool // items submit items, are queued again, or lend their slots
	stopping atomic.Bool

	// exact is locked by a driver while nobody else may submit, pause or resize.
	exact sync.RWMutex

	inside    atomic.Int64 // executions
	running   atomic.Int64 // those on workers that have not lent their slot
	failed    atomic.Int64
	decisions sync.Map // the keys are the numbers of decisions

	mu    sync.Mutex
	items []*soakItem
}

// newSoakPool starts a pool with random options.
func newSoakPool(x *life, random *rand.Rand) *soakPool {
	for {
		p := &soakPool{x: x, tracks: random.IntN(2) == 0, breeds: random.IntN(2) == 0}
		cfg := scheduler.Config[*soakItem]{
			Min: random.IntN(3), Max: 2 + random.IntN(soakMaxWorkers-1), IdleTimeout: time.Duration(1+random.IntN(100)) * 50 * time.Microsecond,
			Times: random.IntN(2) == 0, Crashed: p.crashed, Dropped: p.dropped, Decided: p.decided,
			Hooks: scheduler.Hooks[*soakItem]{
				Withdrawn:    func(i *soakItem) bool { return i.state.Load() == itemWithdrawn },
				Claim:        func(i *soakItem) bool { return i.state.CompareAndSwap(itemWaits, itemClaimed) },
				TrackCallers: p.tracks,
			},
		}
		if random.IntN(3) > 0 {
			cfg.Limit = []int{scheduler.HandOver, 1, 3, 8}[random.IntN(4)]
			cfg.Overflow = []scheduler.Overflow{
				scheduler.Block, scheduler.Reject, scheduler.DropNewest, scheduler.DropOldest, scheduler.DropWorst, scheduler.CallerRuns,
			}[random.IntN(6)]
		}
		p.limit, p.overflow = cfg.Limit, cfg.Overflow
		names := []string{"FIFO", "LIFO", "Priority", "Fair", "LimitByKey", "CoDel"}
		name := names[random.IntN(len(names))]
		cfg.Queue, p.sheds, p.holds = soakQueues(name), name == "CoDel", name == "LimitByKey"
		if p.follows = random.IntN(3) > 0; !p.follows {
			cfg.Scaler = scale.Step(time.Millisecond)
		}
		p.about = fmt.Sprintf("pool with at most %d workers, %s, limit %d %v, Demand: %v, breeds: %v", cfg.Max, name, cfg.Limit, cfg.Overflow, p.follows, p.breeds)
		pool, err := scheduler.NewPool(cfg, p.run)
		if err == nil { // otherwise the overflow policy and the discipline exclude each other
			p.pool = pool
			return p
		}
	}
}

func soakQueues(name string) queue.Factory[*soakItem] {
	key := func(i *soakItem) int { return i.key }
	switch name {
	case "LIFO":
		return queue.NewLIFO[*soakItem]
	case "Priority":
		return queue.Priority(key, 4)
	case "Fair":
		return queue.Fair(queue.FairConfig[*soakItem, int]{Key: key})
	case "LimitByKey":
		return queue.LimitByKey(1, key, queue.Fair(queue.FairConfig[*soakItem, int]{Key: key}))
	case "CoDel":
		return queue.CoDel[*soakItem](queue.CoDelConfig{Target: time.Millisecond, Interval: 5 * time.Millisecond})
	default:
		return nil
	}
}

func (p *soakPool) fail(format string, args ...any) {
	p.x.fail("%s: %s", p.about, fmt.Sprintf(format, args...))
}

func (p *soakPool) crashed(_ int32, i *soakItem, err error) {
	p.failed.Add(1)
	if crash, ok := errors.AsType[*scheduler.PanicError](err); ok != (i.way == "panics") || ok && !same(crash.Value, errFailed) || !ok && !errors.Is(err, scheduler.ErrGoexit) {
		p.fail("an item that %s crashed with %v", i.way, err)
	}
}

func (p *soakPool) dropped(i *soakItem, reason error) {
	i.drops.Add(1)
	p.x.s.count("pool: dropped: " + reason.Error())
	drops := p.overflow == scheduler.DropNewest || p.overflow == scheduler.DropOldest || p.overflow == scheduler.DropWorst
	known := p.stopped(reason) || drops && errors.Is(reason, scheduler.ErrDropped) || p.sheds && errors.Is(reason, scheduler.ErrShed)
	if !known {
		p.fail("an item was dropped: %v", reason)
	}
}

func (p *soakPool) decided(d scheduler.Decided) {
	if _, again := p.decisions.LoadOrStore(d.Number, true); again || d.Target > soakMaxWorkers || d.Reason == "" {
		p.fail("the decision %+v; told before: %v", d, again)
	}
}

// stopped reports whether err is ErrStopped, and rightly so.
func (p *soakPool) stopped(err error) bool {
	return errors.Is(err, scheduler.ErrStopped) && p.stopping.Load()
}

// end ends the pool in a random way.
func (p *soakPool) end(random *rand.Rand) {
	p.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), soakHang)
	defer cancel()
	short, cancelShort := context.WithTimeout(ctx, time.Duration(random.IntN(2000))*time.Microsecond)
	defer cancelShort()
	how := []string{"Stop", "Drain", "Close", "KeepItems", "Drain for a short time", "Stop for a short time"}[random.IntN(6)]
	p.x.s.count("pool: ended by " + how)
	var err error
	switch how {
	case "Drain":
		err = p.pool.Drain(ctx)
	case "Close":
		p.pool.Close()
		select {
		case <-p.pool.Done():
		case <-ctx.Done():
			err = ctx.Err()
		}
	case "KeepItems":
		p.pool.KeepItems()
		if _, err := p.pool.WaitRoom(ctx, 1); !errors.Is(err, scheduler.ErrStopped) {
			p.fail("WaitRoom after KeepItems: %v", err)
		}
		err = p.pool.Drain(ctx)
	case "Drain for a short time":
		p.checkLate(p.pool.Drain(short))
	case "Stop for a short time":
		p.checkLate(p.pool.Stop(short))
	}
	if err != nil {
		p.fail("%s: %v\n%+v\n%s", how, err, p.pool.Snapshot(), p.x.stacks())
	}
	if err := p.pool.Stop(ctx); err != nil || !isClosed(p.pool.Done()) {
		p.fail("Stop: %v\n%+v\n%s", err, p.pool.Snapshot(), p.x.stacks())
	}
}

func (p *soakPool) checkLate(err error) {
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.fail("the end, with too little time: %v", err)
	}
}

// check accounts for each item after the end of the pool.
func (p *soakPool) check() {
	var submitted, runs, drops, gone uint64
	for _, i := range p.items {
		n, dropped, again := i.runs.Load(), i.drops.Load(), i.again.Load()
		withdrawn := i.state.Load() == itemWithdrawn
		if !i.taken {
			if n+dropped+again > 0 {
				p.fail("an item that was refused ran %d times and was dropped %d times", n, dropped)
			}
			continue
		}
		submitted, runs, drops = submitted+uint64(1+again), runs+uint64(n), drops+uint64(dropped)
		ends := n + dropped
		if withdrawn {
			gone++
			ends++
		}
		if ends != 1+again {
			p.fail("an item that %s, queued %d times, ran %d times, was dropped %d times; withdrawn: %v", i.way, 1+again, n, dropped, withdrawn)
		}
	}
	s := p.pool.Snapshot()
	if s.Workers+s.Busy+s.Idle+s.Inline+s.Lent+s.Queued+s.Blocked != 0 || p.inside.Load() != 0 || p.pool.AsksScaler() || len(p.pool.Workers()) > 0 {
		p.fail("the pool is not at rest: %+v", s)
	}
	if s.Submitted != submitted || s.Started != runs || s.Dropped+s.Shed+s.Withdrawn != drops+gone || s.Withdrawn != gone ||
		s.Failed != uint64(p.failed.Load()) || s.Started != s.Completed+s.Failed {
		p.fail("%d items were queued, %d ran, %d failed, %d were dropped and %d withdrawn; the pool counts %+v", submitted, runs, p.failed.Load(), drops, gone, s)
	}
	p.checkDecisions()
}

// checkDecisions checks that each decision was told.
func (p *soakPool) checkDecisions() {
	kept := p.pool.Decisions()
	for limit := time.Now().Add(soakHang); len(kept) > 0; rest(context.Background(), time.Millisecond) {
		told, last := 0, kept[len(kept)-1].Number
		p.decisions.Range(func(n, _ any) bool {
			if told++; n.(uint64) > last {
				p.fail("decision %d was told, and the last one is %d", n, last)
			}
			return true
		})
		if uint64(told) == last { //nolint:gosec // not negative
			return
		}
		if time.Now().After(limit) {
			p.fail("%d decisions were told, of %d", told, last)
			return
		}
	}
}
