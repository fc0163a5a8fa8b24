package scheduler

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/goroutine"
	"github.com/seed56799101/taskmanager/queue"
)

// Pool runs items of type T on workers whose number a Scaler chooses, in the
// order that a queue discipline chooses. It is safe for concurrent use.
//
// One mutex guards the queue, the stack of idle workers and the counts. That is
// not the bottleneck that it looks like. A push or a pop takes a few
// nanoseconds, and whatever decides what runs next has to be atomic with the pop
// anyway. What costs is to exchange memory between cores, and to wake workers:
// while all workers are busy, submitters leave their items in an inbox with a
// lock of its own (see inbox), and at most one worker is woken at a time (see
// rouse). No lock is held across a channel operation that could block, a sleep,
// or code of the user's other than the queue, Claim and Withdrawn.
type Pool[T any] struct {
	// Set when the pool is made.
	run       func(worker int32, item T)
	cfg       Config[T]
	queue     queue.Queue[T]                 // orders what waits; guarded by mu
	fifo      *queue.FIFO[T]                 // the queue, if it is one
	remover   queue.Remover[T]               // the queue, if it has the capability
	finisher  queue.Finisher[T]              // likewise
	holder    queue.Holder                   // likewise
	discarder queue.Discarder[T]             // likewise
	clocked   queue.Clocked                  // the queue, if it needs the time
	evictor   queue.Evictor[T]               // the queue, if the overflow policy evicts
	victim    queue.Victim                   // which item the overflow policy evicts
	plain     bool                           // an item need only be popped: see take
	meter     *meter                         // nil: nobody needs to know the time; guarded by mu
	done      chan struct{}                  // closed when the pool has stopped
	ownScaler bool                           // the scaler is this package's
	callers   goroutine.Registry[*worker[T]] // the workers by their goroutines; see Callers
	scaling   sync.Mutex                     // serialises the calls of the scaler; taken before mu

	// What every dispatch writes stands on a cache line of its own. Submitters
	// and workers run on different cores: each line that both touch and one
	// writes has to travel between them for every task.
	_         [cacheLine]byte
	mu        sync.Mutex // guards everything down to the end, but for the inbox
	waking    bool       // an idle worker that was roused is on its way to the lock
	bearing   bool       // a dormant one is
	inboxOpen bool       // what inbox.open is
	counts    counts
	idle      []*worker[T] // parked workers, the one that parked last on top; see spare
	_         [cacheLine]byte
	inbox     inbox[T] // has a lock of its own, taken after mu

	paused   bool
	phase    phase
	min, max int
	ceiling  int // no more workers than that go on: max, or less by a firm decision
	// workers counts those that take part; goroutines also those that have been
	// told to leave and have not returned yet.
	workers, goroutines int
	dormant             int          // workers without a goroutine; see growTo
	dormantSince        time.Time    // when the last of them was wanted
	live                []*worker[T] // by id-1; nil where there is none
	freeIDs             []int32      // ids below len(live) that are not in use
	withdrawn           int          // items in the queue that are to be skipped
	blocked             int          // items of submitters that wait for room
	inline              int          // items that run in the place of their submitter
	lent                int          // workers without a slot, whose item waits
	returning           list.List    // of *lease[T]: items that have waited and want a slot back
	discarded           []discarded[T]
	decisions           []Decided
	dropping            int // goroutines that report what was discarded
	rare                rareCounts
	waiters             list.List // of *waiter[T]; any may leave it at once, in constant time
	alarm               alarm
}

// cacheLine is the size of the unit in which cores exchange memory, on most
// machines.
const cacheLine = 64

// phase is how far a pool is on its way from taking work to having stopped.
type phase uint8

const (
	open     phase = iota // takes work
	draining              // takes no new work, runs what waits
	stopped               // runs nothing more
)

// counts only grow, so the difference between two readings is exact.
type counts struct{ submitted, started, completed uint64 }

// rareCounts are counts that most dispatches leave alone.
type rareCounts struct{ failed, withdrawn, shed, dropped uint64 }

// NewPool starts a pool that passes each submitted item to run, together with
// the number of the worker that runs it. Worker numbers are small: 1 is the
// first, and one that has left is given again. End the pool with Stop or Drain.
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
	p.alarm.ring = p.ring // once: a method value is allocated each time
	p.plain = p.fifo != nil && p.cfg.Limit == 0 && p.meter == nil
	p.mu.Lock()
	p.growTo(p.min)
	p.mu.Unlock()
	p.scale()
	return p, nil
}

// validate finds the faults that the configuration alone does not show.
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

// Submit gives the pool an item to run. In a bounded pool without room it does
// what the overflow policy says: by default it waits for room until ctx ends.
// After an error the item will not run. Later changes of ctx do not matter to it.
//
// Errors: ErrStopped, ErrQueueFull, ErrWouldDeadlock, ErrNilContext, or why ctx
// ended.
func (p *Pool[T]) Submit(ctx context.Context, item T) error {
	if ctx == nil {
		return ErrNilContext
	}
	if ctx.Err() != nil {
		return cause.Of(ctx)
	}
	if p.inbox.offer(item) {
		return nil
	}
	p.mu.Lock()
	if err := p.admissible(1); err != nil {
		_, err = p.overflow(ctx, []T{item}, false, err) // unlocks
		return err
	}
	p.push(item)
	p.dispatch()
	return nil
}

// TrySubmit is Submit without waiting: ErrQueueFull if there is no room now,
// unless the overflow policy drops.
func (p *Pool[T]) TrySubmit(item T) error {
	if p.inbox.offer(item) {
		return nil
	}
	p.mu.Lock()
	err := p.admissible(1)
	switch {
	case err == nil:
		p.push(item)
	case errors.Is(err, ErrQueueFull) && p.cfg.Overflow.drops():
		p.pushOver(item)
	default:
		p.mu.Unlock()
		return err
	}
	p.dispatch()
	return nil
}

// Requeue puts an item back that the pool has run before, for work that is to
// run again. It is not held to the limit, since the work was admitted once, and a
// draining pool takes it. Once queued it is an item like others, which may be
// dropped or shed. A call from the function that
// runs items gives the number of its worker, which is about to come back for
// another item, so that the scaler is not asked for one; others give 0. The
// error is ErrStopped.
func (p *Pool[T]) Requeue(item T, worker int32) error {
	if p.inbox.offer(item) {
		return nil
	}
	p.mu.Lock()
	if p.phase == stopped || p.phase == draining && p.workers+p.inline+p.lent == 0 {
		p.mu.Unlock()
		return ErrStopped
	}
	p.push(item)
	if p.phase == draining {
		p.growTo(1) // it may be the last item, and have run without a worker
	}
	p.dispatchAsking(worker == 0 && p.short())
	return nil
}

// admissible reports whether n more items may be pushed: nil, ErrStopped or
// ErrQueueFull. mu is held; it may be let go of and taken again meanwhile.
func (p *Pool[T]) admissible(n int) error {
	if p.phase != open {
		return ErrStopped
	}
	if p.cfg.Limit == 0 || p.waiters.Len() == 0 && p.hasRoom(n) {
		return nil
	}
	for grown := p.held() < max(p.cfg.Limit, 1); grown && p.waiters.Len() == 0 && p.workers < p.ceiling && !p.halted(); {
		// Growth makes room, unless what is held fills it. If another submit has
		// taken the room, there may be more to be made.
		workers := p.workers
		p.growFor(n)
		if p.phase != open {
			return ErrStopped
		}
		if p.waiters.Len() == 0 && p.hasRoom(n) {
			return nil
		}
		grown = p.workers > workers
	}
	return ErrQueueFull
}

// hasRoom reports whether the limit lets n more items in: at most that many
// wait beyond those for which a worker is free. mu is held.
func (p *Pool[T]) hasRoom(n int) bool {
	switch p.cfg.Limit {
	case 0:
		return true
	case HandOver:
		return p.held() == 0 && p.queued()+n <= p.free()
	default:
		return p.held() < p.cfg.Limit && p.queued()-p.free()+n <= p.cfg.Limit
	}
}

// held is the number of items that wait to run and may not now. Where withdrawn ones
// are still in the queue, it cannot tell which they are, and takes them for held
// ones: a worker too many does no harm, and one too few would. mu is held.
func (p *Pool[T]) held() int {
	if p.holder == nil {
		return 0
	}
	return max(p.holder.Held()-p.withdrawn, 0)
}

// queued is the number of items that wait to run. mu is held.
func (p *Pool[T]) queued() int { return p.queue.Len() - p.withdrawn }

// busy is the number of workers that run an item and have a slot. mu is held.
func (p *Pool[T]) busy() int {
	return int(p.counts.started-p.counts.completed-p.rare.failed) - p.inline - p.lent
}

// free is the number of workers that can come for an item. mu is held.
func (p *Pool[T]) free() int {
	if p.halted() {
		return 0
	}
	return p.workers - p.busy()
}

// halted reports whether a pause keeps the workers from taking items. mu is held.
func (p *Pool[T]) halted() bool { return p.paused && p.phase == open }

// push adds an item to the queue. mu is held; dispatch must follow.
func (p *Pool[T]) push(item T) {
	if p.meter != nil {
		p.meter.arrive(p.meter.advance(p))
	}
	p.tick()
	p.counts.submitted++
	if p.fifo == nil {
		p.absorb() // a full inbox, whose items came before
	}
	p.enqueue(item)
}

// tick tells the time to a queue that wants to know it. mu is held.
func (p *Pool[T]) tick() {
	if p.clocked != nil {
		p.clocked.Tick(time.Now())
	}
}

// enqueue hands an item to the queue: to the default one without the detour
// through the interface. mu is held.
func (p *Pool[T]) enqueue(item T) {
	if p.fifo != nil {
		p.fifo.Push(item)
	} else {
		p.enqueueGuarded(item)
	}
}

// enqueueGuarded hands an item to a queue that may read its attributes with
// functions of somebody else's. If one of them panics, the item is discarded and
// the pool goes on. mu is held.
func (p *Pool[T]) enqueueGuarded(item T) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit ends whoever is about to give the pool's locks back, here or further up
			go panic("scheduler: the Push method of the queue called runtime.Goexit, which would leave the pool locked; have it return, or panic")
			return
		}
		if p.meter != nil {
			p.meter.evict(queue.Worst)
		}
		p.discard(item, fmt.Errorf("scheduler: the queue could not take an item: %w", crash(v)))
	}()
	p.queue.Push(item)
	returned = true
}

// dispatch sees to it that what was pushed finds a worker, and asks the scaler if
// there is none. It is called with mu held and lets go of it.
func (p *Pool[T]) dispatch() { p.dispatchAsking(p.short()) }

// dispatchAsking is dispatch for callers that know whether to ask the scaler.
func (p *Pool[T]) dispatchAsking(ask bool) {
	w := p.rouse()
	if w == nil {
		p.openInbox()
	}
	given := p.takeDiscarded()
	p.mu.Unlock()
	p.signal(w)
	if ask {
		p.scale()
	}
	if given != nil {
		p.report(given)
	}
}

// short reports whether more items wait, in the queue or for room in it, than
// there are workers free for them, while there is room to grow. mu is held.
func (p *Pool[T]) short() bool {
	return p.workers < p.ceiling && p.queued()-p.held()+p.blocked > p.workers-p.busy() && !p.halted()
}

// rouse takes the worker off the idle stack that is to be woken now, and
// returns nil if none is. mu is held; the caller signals the worker after
// letting go of it.
//
// Invariant: while the pool has something for idle workers to do, and there are
// idle workers, one woken worker is on its way to the lock (waking). Every call
// that may give them something to do ends in rouse, and so does every arrival
// of a woken worker, which wakes the next one. So no wake-up is lost, a burst of
// submits pays for one wake-up instead of one each, and workers do not queue up
// at the lock only to find that others have emptied the queue.
func (p *Pool[T]) rouse() *worker[T] {
	if !p.ready() {
		return nil // inlined where it is called, as nearly always there is nothing to do
	}
	return p.rouseIdle()
}

// ready reports whether there is a worker to be woken, while none is on its way: an idle
// one, or else a dormant one. A dormant one that is on its way, which may take a while on
// a busy machine, is no reason not to wake one that is idle. mu is held.
func (p *Pool[T]) ready() bool {
	return !p.waking && (len(p.idle) > 0 || p.dormant > 0 && !p.bearing)
}

// rouseIdle is rouse when there is a worker to be woken.
func (p *Pool[T]) rouseIdle() *worker[T] {
	if p.queue.Len() == 0 {
		p.closeInbox()
	}
	if p.halted() || p.queue.Len() == 0 && (p.phase == open || len(p.idle) == 0) {
		return nil
	}
	return p.topIdle()
}

// topIdle takes the worker that parked last off the idle stack, or makes one of those that
// are dormant. It is on its way from now on. mu is held.
func (p *Pool[T]) topIdle() *worker[T] {
	top := len(p.idle) - 1
	if top < 0 {
		p.bearing = true
		p.dormant--
		w := p.newWorker()
		w.newborn = true
		return w
	}
	w := p.idle[top]
	p.idle[top] = nil
	p.idle = p.idle[:top]
	p.waking = true
	return w
}
