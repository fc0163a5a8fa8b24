package scheduler

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/goroutine"
	"github.com/seed56799101/taskmanager/queue"
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

	// Constant after NewPool.
	run       func(worker int32, item T)
	cfg       Config[T]
	queue     queue.Queue[T]                 // the discipline; its methods require mu
	fifo      *queue.FIFO[T]                 // queue, if it is the default one, to avoid calls through the interface
	remover   queue.Remover[T]               // queue, if it has this interface; likewise the following
	finisher  queue.Finisher[T]              //
	holder    queue.Holder                   //
	discarder queue.Discarder[T]             //
	clocked   queue.Clocked                  // queue, if it needs the time
	evictor   queue.Evictor[T]               // queue, if the overflow policy evicts
	victim    queue.Victim                   // the item that the overflow policy evicts
	plain     bool                           // items are only popped: a FIFO without a limit and a meter; see takeLocked
	meter     *meter                         // nil if neither the scaler nor anything else needs the time; its state requires mu
	done      chan struct{}                  // closed when the pool has ended
	ownScaler bool                           // the scaler is trusted
	callers   goroutine.Registry[*worker[T]] // workers by goroutine; see Callers

	scaling sync.Mutex // serialises rescale, and thus the calls of the scaler; taken before mu

	// The state that each dispatch writes has a cache line of its own, because submitters
	// and workers run on different processors.
	_  [cacheLine]byte
	mu sync.Mutex // guards all fields below, except inbox

	waking    bool         // an idle worker was woken and has not locked mu yet
	starting  bool         // the goroutine of a dormant worker was started and has not locked mu yet
	inboxOpen bool         // equals inbox.open
	counts    counts       //
	idle      []*worker[T] // parked workers; the last one parked last and is woken first
	_         [cacheLine]byte

	inbox inbox[T] // has a lock of its own, taken after mu

	// Phase and bounds.
	phase    phase
	paused   bool
	min, max int
	ceiling  int // the most workers that may run; max, or less after a firm decision

	// Workers.
	workers      int          // busy, idle, dormant and looking ones; not those that have lent their slot or leave
	dormant      int          // of workers, those without a goroutine; see growToLocked
	dormantSince time.Time    // when a worker last became dormant
	goroutines   int          // goroutines for which Stop waits, including those of workers that leave
	live         []*worker[T] // by id-1, nil where there is none; lent workers included, dormant ones not
	freeIDs      []int32      // unused ids up to len(live)

	// Items that neither wait in the queue nor run on a worker that counts.
	withdrawn int       // items in the queue that were withdrawn and must be skipped
	blocked   int       // items of waiters
	waiters   list.List // of *waiter[T]: submitters that wait for room; any may leave in constant time
	inline    int       // items that run for their submitter, under CallerRuns
	lent      int       // items that have lent the slot of their worker
	returning list.List // of *lease[T]: lent items that wait to get a slot back

	// Reports and the rest.
	discarded []discarded[T] // dropped items, until takeDiscardedLocked
	dropping  int            // goroutines in report
	decisions []Decided      // the last decisionsKept
	rare      rareCounts
	alarm     alarm
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
	if p.holder != nil && p.remover == nil {
		faults = append(faults, fmt.Errorf("scheduler: %T implements queue.Holder, so it may hold items back; "+
			"it must implement queue.Remover too, for Stop to reach them", p.queue))
	}
	return errors.Join(faults...)
}
