package scheduler

import (
	"context"
	"errors"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// batch is the largest number of items that SubmitAll pushes while it holds the lock.
const batch = 1024

// SubmitAll submits items in order, at a lower cost than one by one. If the pool is full it
// does for each item what [Pool.Submit] does; under [Block] it waits for room for one item
// after another. If it ends early, the error is a [*BatchError]
// with the number of accepted items and an error of Submit. A nil ctx is [ErrNilContext].
func (p *Pool[T]) SubmitAll(ctx context.Context, items []T) error {
	if ctx == nil {
		return ErrNilContext
	}
	inline := false
	for admitted := 0; admitted < len(items); {
		if ctx.Err() != nil {
			return &BatchError{admitted, cause.Of(ctx)}
		}
		end := min(admitted+batch, len(items))
		if p.inbox.offerAll(items[admitted:end]) {
			admitted = end
			continue
		}
		p.mu.Lock()
		if err := p.admissibleLocked(1); err != nil {
			if p.cfg.Overflow == CallerRuns && !inline {
				inline = true
				p.batches++
				defer p.endBatch()
			}
			n, err := p.overflowAndUnlock(ctx, items[admitted:], false, err)
			admitted += n
			if err != nil {
				return &BatchError{admitted, err}
			}
			continue
		}
		for ; admitted < end && p.hasRoomLocked(1); admitted++ {
			p.pushLocked(items[admitted])
		}
		p.dispatchAndUnlock(p.shortLocked())
	}
	return nil
}

// endBatch records the end of a SubmitAll under CallerRuns. Calls of WaitIdle and PauseWait have waited
// for it, since no item runs between two that run inline.
func (p *Pool[T]) endBatch() {
	p.mu.Lock()
	p.batches--
	p.noteQuietLocked()
	p.mu.Unlock()
}

// SubmitTogether submits items in order, all of them or none. After an error none of them
// will run. If the pool has no room for all of them, the overflow policy decides:
//
//   - [Block] waits until there is room for all at once, or the first of them leaves the
//     queue to run. The others may then exceed the limit. It returns [ErrQueueFull] for a
//     batch that is larger than the limit plus the maximum of workers.
//   - [Reject] returns ErrQueueFull.
//   - Policies that drop accept all items and give up one for each that has no room.
//   - [CallerRuns] queues items while there is room and runs the others, one after another.
//
// The errors are those of [Pool.Submit].
func (p *Pool[T]) SubmitTogether(ctx context.Context, items []T) error {
	if ctx == nil {
		return ErrNilContext
	}
	if ctx.Err() != nil {
		return cause.Of(ctx)
	}
	if len(items) == 0 || p.inbox.offerAll(items) {
		return nil
	}
	p.mu.Lock()
	switch err := p.admissibleLocked(len(items)); {
	case err == nil:
		for _, item := range items {
			p.pushLocked(item)
		}
	case !errors.Is(err, ErrQueueFull):
		p.mu.Unlock()
		return err
	case p.cfg.Overflow == Block:
		if len(items) > max(p.cfg.Limit, 0)+p.max {
			p.mu.Unlock()
			return ErrQueueFull
		}
		_, err := p.overflowAndUnlock(ctx, items, true, err)
		return err
	case p.cfg.Overflow == CallerRuns && !p.haltedLocked():
		p.runRestAndUnlock(items)
		return nil
	case p.cfg.Overflow.drops():
		if p.workers < p.ceiling && !p.haltedLocked() { // held items do not prevent growth, since they may be given up
			p.growForLocked(len(items))
			if p.phase != open {
				p.mu.Unlock()
				return ErrStopped
			}
		}
		for _, item := range items {
			if p.hasRoomLocked(1) {
				p.pushLocked(item)
			} else {
				p.pushOverLocked(item)
			}
		}
	default:
		p.mu.Unlock()
		return err
	}
	p.dispatchAndUnlock(p.shortLocked())
	return nil
}

// runRestAndUnlock pushes the items for which there is room, and runs the others inline.
func (p *Pool[T]) runRestAndUnlock(items []T) {
	for len(items) > 0 && p.hasRoomLocked(1) {
		p.pushLocked(items[0])
		items = items[1:]
	}
	p.goroutines++ // Drain waits for the items that run inline
	p.batches++
	p.dispatchAndUnlock(p.shortLocked())

	p.mu.Lock()
	for len(items) > 0 && p.phase != stopped {
		p.runInlineAndUnlock(items[0])
		items = items[1:]
		p.mu.Lock()
	}
	for _, item := range items { // accepted, so a pool that stops drops them like queued ones
		p.counts.submitted++
		p.discardLocked(item, ErrStopped)
	}
	p.goroutines--
	p.batches--
	p.finishStopLocked()
	p.dispatchAndUnlock(p.shortLocked())
}
