package scheduler

import (
	"errors"
	"fmt"
	"log/slog"

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
			return some
		}
		some = true
		p.meter.leave()
		if errors.Is(reason, queue.ErrShed) {
			p.discardLocked(item, ErrShed)
		} else {
			p.discardLocked(item, fmt.Errorf("scheduler: %w", reason))
		}
	}
	return some
}
