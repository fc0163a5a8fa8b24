package scheduler

import (
	"context"
	"errors"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// batch is how many items SubmitAll pushes before it lets go of the lock.
const batch = 1024

// SubmitAll submits items in their order, at a lower price than one by one. In
// a bounded pool without room it does with each what Submit does. If it is cut
// short, the error is a *BatchError that says how many it had submitted.
func (p *Pool[T]) SubmitAll(ctx context.Context, items []T) error {
	if ctx == nil {
		return ErrNilContext
	}
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
		if err := p.admissible(1); err != nil {
			n, err := p.overflow(ctx, items[admitted:], false, err) // unlocks
			admitted += n
			if err != nil {
				return &BatchError{admitted, err}
			}
			continue
		}
		for ; admitted < end && p.hasRoom(1); admitted++ {
			p.push(items[admitted])
		}
		p.dispatch()
	}
	return nil
}

// SubmitTogether submits items in their order, all of them or none: after an error
// none will run. In a bounded pool without room for all of them it does what the
// overflow policy says. Block waits for room for all at once, and Reject returns
// ErrQueueFull; so does Block for more items than the limit and all workers could
// ever take. Those that drop take all, and give up one for each that is too many.
// CallerRuns queues as many as there is room for, and runs the others, one after
// another. A batch that has become too large while it waits, because of a Resize, is let
// in when the pool has nothing else to do.
//
// Errors: as those of Submit.
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
	switch err := p.admissible(len(items)); {
	case err == nil:
		for _, item := range items {
			p.push(item)
		}
	case !errors.Is(err, ErrQueueFull):
		p.mu.Unlock()
		return err
	case p.cfg.Overflow == Block:
		if len(items) > max(p.cfg.Limit, 0)+p.max {
			p.mu.Unlock()
			return ErrQueueFull
		}
		_, err := p.overflow(ctx, items, true, err)
		return err
	case p.cfg.Overflow == CallerRuns && !p.halted():
		p.runRest(items) // unlocks
		return nil
	case p.cfg.Overflow.drops():
		if p.workers < p.ceiling && !p.halted() { // what is held back now may be given up
			p.growFor(len(items))
			if p.phase != open {
				p.mu.Unlock()
				return ErrStopped
			}
		}
		for _, item := range items {
			if p.hasRoom(1) {
				p.push(item)
			} else {
				p.pushOver(item)
			}
		}
	default:
		p.mu.Unlock()
		return err
	}
	p.dispatch()
	return nil
}

// runRest submits items, and runs those that there is no room for. It is called with
// mu held and lets go of it.
func (p *Pool[T]) runRest(items []T) {
	for len(items) > 0 && p.hasRoom(1) {
		p.push(items[0])
		items = items[1:]
	}
	p.goroutines++         // Drain waits for all of them
	defer p.runEach(items) // deferred, as Dropped may end the goroutine before that
	p.dispatch()
}

// runEach runs items in the place of their submitter, one after another, unless the pool
// stops: they are in, so it drops them as it has dropped the others. It ends the stay of
// the submitter.
func (p *Pool[T]) runEach(items []T) {
	p.mu.Lock()
	for len(items) > 0 && p.phase != stopped {
		p.runInline(items[0]) // unlocks
		items = items[1:]
		p.mu.Lock()
	}
	for _, item := range items {
		p.counts.submitted++
		p.discard(item, ErrStopped)
	}
	p.goroutines--
	p.finishStop()
	p.dispatch() // unlocks
}
