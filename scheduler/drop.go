package scheduler

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// discarded is an item that was dropped, with the reason.
type discarded[T any] struct {
	item   T
	reason error
}

// discardLocked drops an item that was submitted and is not in the queue. The goroutine that
// releases mu reports it. A withdrawn item is only forgotten, and the result is false.
func (p *Pool[T]) discardLocked(item T, reason error) bool {
	if !p.claimLocked(item) {
		p.withdrawn--
		return false
	}
	if errors.Is(reason, ErrShed) {
		p.rare.shed++
	} else {
		p.rare.dropped++
	}
	p.discarded = append(p.discarded, discarded[T]{item, reason})
	p.tellRoomLocked()
	return true
}

// takeDiscardedLocked returns the items to report, usually nil. If there are any, the caller
// must call report after it has released mu.
func (p *Pool[T]) takeDiscardedLocked() []discarded[T] {
	if len(p.discarded) == 0 {
		return nil
	}
	dropped := p.discarded
	p.discarded = nil
	p.dropping++
	return dropped
}

// report calls Config.Dropped for each dropped item. Stop waits for it. mu must not be held.
func (p *Pool[T]) report(dropped []discarded[T]) {
	for _, d := range dropped {
		guard("Dropped", func() { p.cfg.Dropped(d.item, d.reason) })
	}
	p.mu.Lock()
	p.dropping--
	p.finishStopLocked()
	p.mu.Unlock()
}

// logPanics is the default of Config.Dropped.
func logPanics[T any](_ T, reason error) {
	if p, ok := errors.AsType[*PanicError](reason); ok {
		slog.Error("scheduler: an item was dropped", "error", reason, "stack", string(p.Stack))
	}
}

// collectDiscardedLocked drops the items that the queue has discarded, and reports whether
// there were any. The meter must have advanced before the call of the queue.
func (p *Pool[T]) collectDiscardedLocked() (some bool) {
	for p.discarder != nil {
		item, ok, reason := p.discarder.Discarded()
		if !ok {
			break
		}
		some = true
		p.meter.leave()
		if errors.Is(reason, queue.ErrShed) {
			p.discardLocked(item, ErrShed)
		} else {
			p.discardLocked(item, fmt.Errorf("scheduler: %w", reason))
		}
	}
	p.enterLocked()
	return some
}

// leftover is what waited when the pool stopped. It belongs to the goroutine that drops it.
type leftover[T any] struct {
	queue     queue.Queue[T]
	remover   queue.Remover[T]
	discarder queue.Discarder[T]
	clocked   queue.Clocked
	inbox     queue.FIFO[T]
}

// detachLocked takes the queue and the items of the inbox away from a pool that stops. It
// returns nil if nothing waits. An empty FIFO takes the place of the queue, so that no worker
// finds an item. To drop the items takes time, and mu is not held for it: the pool must
// refuse submits, end items and answer questions meanwhile.
func (p *Pool[T]) detachLocked() *leftover[T] {
	if p.meter != nil {
		p.advanceLocked()
		p.meter.arrivals = queue.FIFO[time.Duration]{}
	}
	left := &leftover[T]{p.queue, p.remover, p.discarder, p.clocked, p.shutInboxLocked()}
	p.detached = left.queue.Len() + left.inbox.Len()
	p.fifo = new(queue.FIFO[T])
	p.queue = p.fifo
	p.remover, p.finisher, p.holder, p.discarder, p.drainer, p.clocked, p.evictor = nil, nil, nil, nil, nil, nil, nil
	p.lender, p.fronter = nil, nil
	if p.detached == 0 {
		return nil
	}
	p.dropping++
	return left
}

// dropPortion is the number of items that are dropped while mu is held once.
const dropPortion = 256

// drop drops what waited when the pool stopped.
func (p *Pool[T]) drop(left *leftover[T]) {
	portion := make([]T, 0, dropPortion)
	drop := func(item T) {
		if portion = append(portion, item); len(portion) == dropPortion {
			p.dropNow(portion)
			portion = portion[:0]
		}
	}
	left.each(drop)
	p.dropNow(portion)

	p.mu.Lock()
	p.detached = 0 // unless a broken discipline has lost items
	p.dropping--
	p.finishStopLocked()
	p.mu.Unlock()
}

// each calls f for each item.
func (left *leftover[T]) each(f func(item T)) {
	if left.clocked != nil {
		left.clocked.Tick(time.Now())
	}
	if left.remover != nil { // reaches held items too
		left.remover.Remove(func(item T) bool { f(item); return true })
	}
	sources := []func() (T, bool){left.queue.Pop, left.inbox.Pop}
	if left.discarder != nil {
		sources = append(sources, func() (item T, ok bool) { item, ok, _ = left.discarder.Discarded(); return item, ok })
	}
	for _, next := range sources {
		for item, ok := next(); ok; item, ok = next() {
			f(item)
		}
	}
}

// dropNow drops items that are no longer in the queue, and clears them.
func (p *Pool[T]) dropNow(items []T) {
	p.mu.Lock()
	p.detached -= len(items)
	for _, item := range items {
		p.discardLocked(item, ErrStopped)
	}
	dropped := p.takeDiscardedLocked()
	p.mu.Unlock()
	clear(items)
	if dropped != nil {
		p.report(dropped)
	}
}
