package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed56799101/taskmanager/internal/goroutine"
	"github.com/seed56799101/taskmanager/queue"
)

// Overflow says what Submit does when a bounded pool has no room.
type Overflow uint8

// The overflow policies. Those that drop take the item that is submitted and
// give up one in return, which Config.Dropped is told of with ErrDropped; so
// Submit neither waits nor fails.
const (
	// Block waits for room until the context ends. An item that submits to its
	// own pool gets ErrWouldDeadlock instead. It is the default.
	Block Overflow = iota
	// Reject returns ErrQueueFull at once.
	Reject
	// DropNewest gives up the item that is submitted.
	DropNewest
	// DropOldest gives up the item that has been queued longest, for work whose
	// value fades. The queue must implement queue.Evictor for queue.Oldest.
	DropOldest
	// DropWorst gives up the item that the queue can best do without, which may
	// be the one that is submitted: the least important, the one due last, one of
	// the key that floods the queue. The queue must implement queue.Evictor for
	// queue.Worst.
	DropWorst
	// CallerRuns has Submit run the item itself and return when it has ended, so
	// that whoever submits too much is slowed down. It runs on a goroutine of its
	// own, so that a crash does the submitter no harm, and as worker 0, beyond the
	// maximum of workers. While the pool is paused it acts as Reject. The queue
	// must not implement queue.Holder, whose limits it would pass by.
	CallerRuns

	overflows // how many there are
)

var overflowNames = [overflows]string{"Block", "Reject", "DropNewest", "DropOldest", "DropWorst", "CallerRuns"}

// String is the name of the policy.
func (o Overflow) String() string {
	if o >= overflows {
		return fmt.Sprintf("Overflow(%d)", uint8(o))
	}
	return overflowNames[o]
}

// Valid reports whether there is such a policy.
func (o Overflow) Valid() bool { return o < overflows }

// drops reports whether the policy gives an item up for each that is too many.
func (o Overflow) drops() bool { return o == DropNewest || o == DropOldest || o == DropWorst }

// setOverflow looks for what the overflow policy needs of the queue.
func (p *Pool[T]) setOverflow() error {
	switch p.cfg.Overflow {
	case DropOldest:
		return p.setVictim(queue.Oldest, "oldest")
	case DropWorst:
		return p.setVictim(queue.Worst, "worst")
	case CallerRuns:
		if p.holder != nil {
			return fmt.Errorf("scheduler: the overflow policy CallerRuns would run items past the limits of %T; choose another policy", p.queue)
		}
	case Block, Reject, DropNewest:
	}
	return nil
}

// setVictim sets which item the overflow policy evicts, if the queue can find it.
func (p *Pool[T]) setVictim(v queue.Victim, name string) error {
	e, ok := p.queue.(queue.Evictor[T])
	if !ok || !e.CanEvict(v) {
		return fmt.Errorf("scheduler: the overflow policy %v needs a queue that implements queue.Evictor for its %s item, and %T does not; "+
			"choose another policy or another queue", p.cfg.Overflow, name, p.queue)
	}
	p.evictor, p.victim = e, v
	return nil
}

// overflow is what becomes of items that there is no room for: err is what
// admissible says of the first of them. It returns how many of them, from the
// first on, the pool has taken. Those that wait are let in one by one, or together.
// It is called with mu held and lets go of it.
func (p *Pool[T]) overflow(ctx context.Context, items []T, together bool, err error) (taken int, _ error) {
	switch {
	case !errors.Is(err, ErrQueueFull):
	case p.cfg.Overflow == Block:
		p.mu.Unlock()
		if p.inside(ctx) {
			return 0, ErrWouldDeadlock
		}
		done := ctx.Done() // before anything is queued: a context may panic
		p.mu.Lock()
		return p.await(ctx, done, items, together)
	case p.cfg.Overflow == CallerRuns && !p.halted():
		p.runInline(items[0])
		return 1, nil
	case p.cfg.Overflow.drops():
		p.pushOver(items[0])
		p.dispatch()
		return 1, nil
	}
	p.mu.Unlock()
	return 0, err
}

// inside reports whether the caller is an item of this pool, or belongs to one.
// If it waited for room, nobody might be left to make any. No lock is held.
func (p *Pool[T]) inside(ctx context.Context) (inside bool) {
	if len(p.Callers()) > 0 {
		return true
	}
	if p.cfg.Hooks.Inside != nil {
		guard("Inside", func() { inside = p.cfg.Hooks.Inside(ctx) })
	}
	return inside
}

// pushOver pushes an item that there is no room for and gives one up. mu is
// held; dispatch must follow.
func (p *Pool[T]) pushOver(item T) {
	if p.cfg.Overflow == DropNewest {
		p.counts.submitted++
		p.discard(item, ErrDropped)
		return
	}
	before := p.queue.Len()
	p.push(item)
	for gone := p.queue.Len() == before; !gone; { // until it is one that was not withdrawn
		victim, ok := p.evictor.Evict(p.victim)
		if !ok {
			return
		}
		if p.meter != nil {
			p.meter.evict(p.victim)
		}
		gone = p.discard(victim, ErrDropped)
		p.collectDiscarded()
		if !gone && p.withdrawn > 0 && p.sweeps() {
			p.sweep() // there may be any number of them, each as dear to evict
		}
	}
}

// runInline runs an item while its submitter waits. It is called with mu held
// and lets go of it.
func (p *Pool[T]) runInline(item T) {
	p.counts.submitted++
	if p.cfg.Hooks.Claim != nil && !p.cfg.Hooks.Claim(item) {
		p.withdrawn--
		p.mu.Unlock()
		return
	}
	var begin time.Duration
	if p.meter != nil {
		begin = p.meter.advance(p)
	}
	p.counts.started++
	p.inline++
	p.goroutines++ // Stop waits for it
	p.mu.Unlock()

	done := make(chan struct{})
	caller := goroutine.ID()
	go func() {
		defer close(done)
		defer goroutine.ActFor(caller)()
		if p.cfg.Hooks.TrackCallers {
			defer p.callers.Register(&worker[T]{item: item})()
		}
		returned := false
		defer func() { p.endInline(begin, returned) }()
		defer func() {
			if v := recover(); !returned {
				err := crash(v)
				guard("Crashed", func() { p.cfg.Crashed(0, item, err) })
			}
		}()
		p.run(0, item)
		returned = true
	}()
	<-done
}

// endInline takes an item off the books that runInline has run.
func (p *Pool[T]) endInline(begin time.Duration, returned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meter != nil {
		p.meter.finish(p.meter.advance(p) - begin)
	}
	p.inline--
	p.goroutines--
	if returned {
		p.counts.completed++
	} else {
		p.rare.failed++
	}
	p.finishStop()
}

// discarded is an item that was given up, and why.
type discarded[T any] struct {
	item   T
	reason error
}

// discard gives up an item that was submitted and is not in the queue, or not
// any more. Whoever holds mu reports it after letting go of it. One that was
// withdrawn is only forgotten, and the result false. mu is held.
func (p *Pool[T]) discard(item T, reason error) bool {
	if p.cfg.Hooks.Claim != nil && !p.cfg.Hooks.Claim(item) {
		p.withdrawn--
		return false
	}
	if errors.Is(reason, ErrShed) {
		p.rare.shed++
	} else {
		p.rare.dropped++
	}
	p.discarded = append(p.discarded, discarded[T]{item, reason})
	return true
}

// takeDiscarded returns what is to be reported, and nil if there is nothing, as
// nearly always. mu is held; report must follow when it is not any more.
func (p *Pool[T]) takeDiscarded() []discarded[T] {
	if len(p.discarded) == 0 {
		return nil
	}
	given := p.discarded
	p.discarded = nil
	p.dropping++
	return given
}

// report tells Config.Dropped about items that were given up. Stop waits for it.
// No lock is held.
func (p *Pool[T]) report(given []discarded[T]) {
	told := 0
	defer func() {
		if told < len(given) { // Dropped has ended the goroutine
			go p.report(given[told:])
			return
		}
		p.mu.Lock()
		p.dropping--
		p.finishStop()
		p.mu.Unlock()
	}()
	for told < len(given) {
		d := given[told]
		told++
		guard("Dropped", func() { p.cfg.Dropped(d.item, d.reason) })
	}
}

// logPanics is the default of Config.Dropped.
func logPanics[T any](_ T, reason error) {
	if p, ok := errors.AsType[*PanicError](reason); ok {
		slog.Error("scheduler: an item was dropped", "error", reason, "stack", string(p.Stack))
	}
}
