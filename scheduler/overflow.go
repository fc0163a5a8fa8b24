package scheduler

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/internal/goroutine"
)

// Overflow is the policy for a submit to a full pool.
type Overflow uint8

// The overflow policies. The policies that drop accept the submitted item and give up one
// item, which is reported to [Config].Dropped with [ErrDropped]. The submit neither waits nor
// fails.
const (
	// Block waits for room until the context ends. The item is in the queue meanwhile, so
	// the discipline orders it among all others. Submit returns when there is room, for the
	// submitter that has waited longest first, or when the item leaves the queue to run.
	// Items that are not comparable, such as functions, enter the queue only when there is
	// room. An item that submits to its own pool gets [ErrWouldDeadlock] instead of waiting.
	// Block is the default.
	Block Overflow = iota
	// Reject returns [ErrQueueFull] at once.
	Reject
	// DropNewest gives up the submitted item.
	DropNewest
	// DropOldest gives up the item that has been queued longest, for work that loses its
	// value with time. The queue must implement queue.Evictor for queue.Oldest.
	DropOldest
	// DropWorst gives up the item that ranks last in the queue, which may be the submitted
	// one: the item with the lowest priority, the one due last, or one of the key with the
	// longest backlog. The queue must implement queue.Evictor for queue.Worst.
	DropWorst
	// CallerRuns runs the item while the submit waits for it, which slows down submitters
	// that submit too much. The item runs on a separate goroutine, so that a crash does not
	// affect the submitter, with the worker number 0 and in addition to the maximum of
	// workers. While the pool is paused, CallerRuns acts as [Reject]. The queue must not
	// implement queue.Holder, because the item would bypass its limits.
	CallerRuns

	overflows // number of policies
)

var overflowNames = [overflows]string{"Block", "Reject", "DropNewest", "DropOldest", "DropWorst", "CallerRuns"}

// String returns the name of the policy.
func (o Overflow) String() string {
	if o >= overflows {
		return fmt.Sprintf("Overflow(%d)", uint8(o))
	}
	return overflowNames[o]
}

// Valid reports whether o is one of the constants.
func (o Overflow) Valid() bool { return o < overflows }

// drops reports whether the policy gives up an item.
func (o Overflow) drops() bool { return o == DropNewest || o == DropOldest || o == DropWorst }

// setOverflow checks that the queue supports the overflow policy.
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

// setVictim sets the item that the overflow policy evicts, if the queue can find it.
func (p *Pool[T]) setVictim(v queue.Victim, name string) error {
	e, ok := p.queue.(queue.Evictor[T])
	if !ok || !e.CanEvict(v) {
		return fmt.Errorf("scheduler: the overflow policy %v needs a queue that implements queue.Evictor for its %s item, and %T does not; "+
			"choose another policy or another queue", p.cfg.Overflow, name, p.queue)
	}
	p.evictor, p.victim = e, v
	return nil
}

// overflowAndUnlock applies the overflow policy to items for which there is no room; err is
// the result of admissibleLocked. It returns the number of items, from the first on, that
// the pool has accepted: under Block all of them unless there is an error, and under other
// policies at most one. Under Block they are admitted one by one, or all at once if together
// is set.
func (p *Pool[T]) overflowAndUnlock(ctx context.Context, items []T, together bool, err error) (accepted int, _ error) {
	switch {
	case !errors.Is(err, ErrQueueFull):
	case p.cfg.Overflow == Block:
		p.mu.Unlock()
		if p.inside(ctx) {
			return 0, ErrWouldDeadlock
		}
		p.mu.Lock()
		return p.awaitAndUnlock(ctx, items, together)
	case p.cfg.Overflow == CallerRuns && !p.haltedLocked():
		p.runInlineAndUnlock(items[0])
		return 1, nil
	case p.cfg.Overflow.drops():
		p.pushOverLocked(items[0])
		p.dispatchAndUnlock(p.shortLocked())
		return 1, nil
	}
	p.mu.Unlock()
	return 0, err
}

// inside reports whether the caller is an item of this pool or belongs to one. If it waited
// for room, no worker might be left to make any. mu must not be held.
func (p *Pool[T]) inside(ctx context.Context) bool {
	if _, ok := p.Caller(); ok {
		return true
	}
	return p.cfg.Hooks.Inside != nil && p.cfg.Hooks.Inside(ctx)
}

// pushOverLocked pushes an item for which there is no room and gives up one item. The caller
// must call dispatchAndUnlock afterwards.
func (p *Pool[T]) pushOverLocked(item T) {
	if p.cfg.Overflow == DropNewest {
		p.counts.submitted++
		p.discardLocked(item, ErrDropped)
		return
	}
	before := p.queue.Len()
	p.pushLocked(item)
	for gone := p.queue.Len() == before; !gone; { // until it is an item that was not withdrawn
		victim, ok := p.evictor.Evict(p.victim)
		if !ok {
			return
		}
		p.meter.evict(p.victim)
		gone = p.discardLocked(victim, ErrDropped)
		p.collectDiscardedLocked()
		if !gone && p.withdrawn > 0 && p.sweeps() {
			p.sweepLocked() // there may be many withdrawn items, each as expensive to evict
		}
	}
}

// runInlineAndUnlock runs an item while its submitter waits. The item has a goroutine of its
// own, since a Goexit in the item would otherwise end the submitter too. That goroutine acts
// for the one of the submitter; see Caller.
func (p *Pool[T]) runInlineAndUnlock(item T) {
	p.counts.submitted++
	if p.cfg.Hooks.Claim != nil && !p.cfg.Hooks.Claim(item) {
		p.withdrawn--
		p.mu.Unlock()
		return
	}
	w := &worker[T]{item: item, startedAt: p.advanceLocked()}
	p.counts.started++
	p.inline++
	p.goroutines++ // Stop waits for it
	p.mu.Unlock()

	done := make(chan struct{})
	caller := goroutine.ID()
	go func() {
		defer close(done)
		defer goroutine.ActFor(caller, p)()
		if p.cfg.Hooks.TrackCallers {
			defer p.callers.Register(w)()
		}
		returned := false
		defer p.endInline(w)
		defer func() {
			if v := recover(); !returned {
				w.failed = true
				err := crash(v)
				guard("Crashed", func() { p.cfg.Crashed(0, item, err) })
			}
		}()
		p.run(0, item)
		returned = true
	}()
	<-done
}

// endInline records the end of an item that ran inline.
func (p *Pool[T]) endInline(w *worker[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meter != nil {
		p.meter.finish(p.advanceLocked() - w.startedAt)
	}
	p.inline--
	p.goroutines--
	p.countEndLocked(w.failed)
	p.finishStopLocked()
}
