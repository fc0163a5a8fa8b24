package scheduler

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/internal/goroutine"
	"github.com/seed56799101/taskmanager/scheduler/internal/multiset"
)

// Pool runs items of type T. A queue discipline decides which item runs next, and a scaler
// decides how many workers there are. A Pool is safe for concurrent use. Create it with
// [NewPool].
type Pool[T any] struct {
	// Methods whose names end in Locked require mu. Those that end in AndUnlock require mu
	// and release it. The other methods must be called without it. DESIGN.md has the order
	// of all locks.
	//
	// One mutex is no bottleneck here. A push or a pop takes a few nanoseconds, and the
	// choice of the next item must be atomic with the pop in any case. What costs is to
	// exchange cache lines between processors and to wake workers. While all workers are
	// busy, submitters therefore leave items in an inbox with a lock of its own, and at
	// most one worker is woken at a time (see rouseLocked).

	// Constant after NewPool, except that Stop takes the queue away; see detachLocked.

	run       func(worker int32, item T)
	cfg       Config[T]
	queue     queue.Queue[T]     // the discipline; its methods require mu
	fifo      *queue.FIFO[T]     // queue, if it is the default one; avoids calls through the interface
	remover   queue.Remover[T]   // queue, or nil if it does not implement Remover
	finisher  queue.Finisher[T]  // likewise
	holder    queue.Holder       // likewise
	discarder queue.Discarder[T] // likewise
	drainer   queue.Drainer      // likewise
	previewer queue.Previewer[T] // nil also if the queue cannot tell its order
	lender    queue.Lender[T]    // likewise
	fronter   queue.Fronter[T]   // likewise, or nil if it cannot put items first
	clocked   queue.Clocked      // likewise, or nil if it does not need the time
	evictor   queue.Evictor[T]   // queue, if the overflow policy evicts
	victim    queue.Victim       // the item that the overflow policy evicts
	meter     *meter             // nil if the scaler does not need the time; its state requires mu
	canFirst  bool               // there is or was a fronter
	ownScaler bool               // the scaler is trusted; see scale.Trusted
	done      chan struct{}      // closed when the pool has ended
	callers   goroutine.Registry[*worker[T]]

	// scaling serialises rescale, and thus the calls of the scaler. It is taken before mu,
	// and held while the scaler runs: only goroutines that may wait for the scaler take it.
	scaling turns

	// mu guards all fields below, except held and inbox. The state that each dispatch writes has
	// cache lines of its own, because submitters and workers run on different processors.

	_         [cacheLine]byte
	mu        sync.Mutex
	plain     bool        // the queue is a FIFO, there is no limit and no meter, and nothing waits in WaitRoom: takeLocked need only pop
	waking    bool        // a woken worker is on its way to mu; see rouseLocked
	starting  bool        // a dormant worker that got its goroutine is on its way to mu
	inboxOpen bool        // equals inbox.open
	held      atomic.Bool // a hint that the holder of mu does not run; see patience
	counts    counts
	idle      []*worker[T] // parked workers, in the order in which they parked; the last is woken first
	_         [cacheLine]byte

	inbox inbox[T] // has a lock of its own, taken after mu

	// Phase and bounds: 0 ≤ min ≤ max and 1 ≤ ceiling ≤ max. If there are more workers than
	// the ceiling, workers that finish their item leave.

	phase    phase
	paused   bool // only in the phase open
	keeps    bool // KeepItems was called
	room     roomWait
	pauses   pauseTimes
	min, max int
	ceiling  int // max, or less after a firm decision

	// Workers: workers = busy + idle + dormant + those on their way to mu.

	workers      int          // workers that count: without those that leave or have lent their slot
	dormant      int          // workers without a goroutine; see growToLocked
	dormantSince time.Time    // when a worker last became dormant
	giving       giving       // new workers that give way
	goroutines   int          // goroutines that must return before the pool has ended
	live         []*worker[T] // workers with a goroutine by id-1, lent ones included; nil for unused ids
	freeIDs      []int32      // unused ids up to len(live)

	// Items in special states.

	withdrawn int                      // items in the queue that were withdrawn and must be skipped
	blocked   int                      // items whose submitters wait for room or for the scaler
	pending   int                      // those of them that are in the queue
	waiters   list.List                // of *waiter[T]: submitters that wait for room; any may leave in constant time
	early     multiset.Set[*waiter[T]] // items in the queue that are not accepted; see waiter
	entering  []*waiter[T]             // whose next items may enter the queue; empty unless it is in the middle of a call
	inline    int                      // items that run for their submitter, under CallerRuns
	batches   int                      // calls of SubmitAll and SubmitTogether that run items inline, one after another
	lent      int                      // items that have lent the slot of their worker
	returning list.List                // of *lease[T]: lent items that wait to get a slot back
	quiet     []*quietWait             // calls of WaitIdle and PauseWait

	// Reports.

	discarded []discarded[T] // dropped items to report; see takeDiscardedLocked
	detached  int            // items that Stop took away with the queue and has not dropped yet
	dropping  int            // goroutines that drop or report items
	decisions []Decided      // the last decisionsKept
	decided   uint64         // number of decisions so far
	rare      rareCounts
	alarm     alarm
	asking    bool // a goroutine is about to ask the scaler about the state as it is; see scaleSoon
	deciding  bool // the scaler is being called
}

// cacheLine is the size of a cache line on most machines, in bytes.
const cacheLine = 64

// phase is the phase of a pool. It only increases.
type phase uint8

const (
	open     phase = iota // accepts items
	draining              // accepts no new items, runs the queued ones
	stopped               // runs no further item
)

// counts are the counts that each dispatch changes. They only increase, so the difference
// of two readings is exact.
type counts struct{ submitted, started, completed uint64 }

// rareCounts are counts that most dispatches do not change. They only increase.
type rareCounts struct{ failed, withdrawn, shed, dropped uint64 }

// NewPool starts a pool. It passes each item to run, with the number of the worker that runs
// it. Worker numbers start at 1, and the number of a worker that has left is used again.
// Items that run under [CallerRuns] have the number 0. End the pool with [Pool.Stop] or
// [Pool.Drain].
//
// The error joins all faults of the configuration.
func NewPool[T any](cfg Config[T], run func(worker int32, item T)) (*Pool[T], error) {
	cfg, err := cfg.withDefaults()
	p := &Pool[T]{
		run:   run,
		cfg:   cfg,
		queue: cfg.Queue(),
		min:   cfg.Min,
		max:   cfg.Max, ceiling: cfg.Max,
		done: make(chan struct{}),
	}
	p.fifo, _ = p.queue.(*queue.FIFO[T])
	p.remover, _ = p.queue.(queue.Remover[T])
	p.finisher, _ = p.queue.(queue.Finisher[T])
	p.holder, _ = p.queue.(queue.Holder)
	p.discarder, _ = p.queue.(queue.Discarder[T])
	p.drainer, _ = p.queue.(queue.Drainer)
	if v, ok := p.queue.(queue.Previewer[T]); ok && v.CanPreview() {
		p.previewer = v
	}
	p.lender, _ = p.queue.(queue.Lender[T])
	if f, ok := p.queue.(queue.Fronter[T]); ok && f.CanPushFront() {
		p.fronter, p.canFirst = f, true
	}
	if c, ok := p.queue.(queue.Clocked); ok && c.NeedsTime() {
		p.clocked = c
	}
	if p.fifo == nil {
		p.inbox.limit = inboxLimit
	}
	if err := errors.Join(err, p.validate(), p.setScaler()); err != nil {
		return nil, err
	}
	p.alarm.ring = p.ring // once, since each method value is allocated
	if timer := cfg.Hooks.Timer; timer != nil {
		p.alarm.timer = timer(p.ring)
	}
	p.plain = p.fifo != nil && p.cfg.Limit == 0 && p.meter == nil
	p.mu.Lock()
	p.growToLocked(p.min)
	p.mu.Unlock()
	p.scale()
	return p, nil
}

// validate returns the faults of the run function, the queue and their combination with the
// overflow policy.
func (p *Pool[T]) validate() error {
	var faults []error
	if p.run == nil {
		faults = append(faults, errors.New("scheduler: the function to run is nil"))
	}
	if p.queue == nil {
		faults = append(faults, errors.New("scheduler: the queue factory returned nil"))
	}
	if v, ok := p.queue.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("scheduler: %w", err))
		}
	}
	if err := p.setOverflow(); err != nil {
		faults = append(faults, err)
	}
	if p.cfg.Hooks.RequeuesFirst && p.fronter == nil {
		faults = append(faults, fmt.Errorf("scheduler: RequeuesFirst needs a queue that implements queue.Fronter, and %T does not", p.queue))
	}
	if p.holder != nil && p.remover == nil {
		faults = append(faults, fmt.Errorf("scheduler: %T implements queue.Holder, so it may hold items back; "+
			"it must implement queue.Remover too, for Stop to reach them", p.queue))
	}
	return errors.Join(faults...)
}
