package scheduler

import (
	"context"
	"fmt"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/text"
)

// Pause keeps workers from taking items. Running items continue, and submits are accepted up
// to the limit. A pause does not count as a wait: neither for the queue (see queue.Clocked)
// nor in the waiting times of the Snapshot. [Pool.Resume], Close, Drain and Stop end a pause.
// [Pool.PauseWait] waits until no item runs.
func (p *Pool[T]) Pause() {
	p.mu.Lock()
	p.pauseLocked()
	p.mu.Unlock()
}

// Resume ends a pause.
func (p *Pool[T]) Resume() {
	p.mu.Lock()
	p.endPauseLocked()
	p.endPauseWaitsLocked(errResumed)
	p.tellRoomLocked()
	p.admitWaitersLocked()
	p.dispatchAndUnlock(true) // decisions during the pause were not applied
}

// Resize sets new bounds on the number of workers. Workers up to the minimum start at once.
// Idle workers above the maximum leave at once, and busy ones when their item has ended. The
// error is [ErrStopped], or says which bound is invalid.
func (p *Pool[T]) Resize(minimum, maximum int) error {
	if err := validWorkers(minimum, maximum); err != nil {
		return err
	}
	p.mu.Lock()
	if p.phase != open {
		p.mu.Unlock()
		return ErrStopped
	}
	p.closeInboxLocked() // it may be open only while the pool cannot grow
	p.min, p.max, p.ceiling = minimum, maximum, maximum
	p.giveSlotsLocked()
	p.growToLocked(minimum)
	leaving := p.dismissSpareLocked(min(p.workers-maximum, p.spareLocked()))
	p.restampIdleLocked()
	p.watchIdleLocked()
	p.watchDormantLocked()
	p.tellRoomLocked()
	p.dispatchAndUnlock(true) // the last target may have been limited by the old bounds
	for _, w := range leaving {
		p.signal(w)
	}
	return nil
}

// Close stops the pool after it has run all accepted items, and returns at once. New submits,
// and those that wait for room, return [ErrStopped]. The workers leave when the last item has
// ended. [Pool.Drain], [Pool.Stop] and [Pool.Done] wait for that. Close has no effect on a
// pool that drains or has stopped. An item may call it.
func (p *Pool[T]) Close() { p.begin(draining) }

// Drain stops the pool after it has run all accepted items, as [Pool.Close] does, and waits
// for that. If ctx ends first, Drain returns an error that wraps the cause, and the pool
// continues to drain. Drain may be called concurrently and repeatedly.
func (p *Pool[T]) Drain(ctx context.Context) error { return p.end(ctx, draining) }

// Stop stops the pool. It drops the waiting items with [ErrStopped] and waits for the running
// items and for [Config].Dropped. New submits, and those that wait for room, return
// ErrStopped. If ctx ends first, Stop returns an error that wraps the cause, the pool
// continues to stop, and Stop may be called again. Stop may be called concurrently and
// repeatedly, also during a Drain. Called by an item of the pool or by Dropped, it waits for
// its caller until ctx ends.
func (p *Pool[T]) Stop(ctx context.Context) error { return p.end(ctx, stopped) }

// Done returns a channel that is closed when the pool has ended, after [Pool.Close],
// [Pool.Drain] or [Pool.Stop]: no item runs or waits any more, and all workers have left.
func (p *Pool[T]) Done() <-chan struct{} { return p.done }

// end moves the pool to the given phase and waits until it has ended.
func (p *Pool[T]) end(ctx context.Context, to phase) error {
	if ctx == nil {
		return ErrNilContext
	}
	p.begin(to)
	if p.ended() {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		s, scaler := p.Snapshot(), ""
		if p.AsksScaler() {
			scaler = ", waiting for the scaler"
		}
		return fmt.Errorf("scheduler: the pool has not stopped yet, with %s running and %d queued%s: %w",
			text.Count(s.Busy+s.Inline+s.Lent, "item"), s.Queued, scaler, cause.Of(ctx))
	}
}

// begin moves the pool to the given phase. It does not wait.
func (p *Pool[T]) begin(to phase) {
	p.mu.Lock()
	var left *leftover[T]
	if p.phase < to {
		p.endPauseLocked()
		p.endPauseWaitsLocked(ErrStopped)
		p.phase = to
		p.tellRoomLocked()
		p.refuseWaitersLocked(ErrStopped)
		if to == stopped {
			p.alarm.stop()
			p.dismissDormantLocked(p.dormant)
			left = p.detachLocked()
		} else {
			p.keepItemsLocked()
			p.closeInboxLocked()
			p.sweepIfDueLocked()
		}
		if p.queue.Len() > 0 {
			p.growToLocked(1) // to run the waiting items, whatever the scaler says
		}
		p.finishStopLocked()
	}
	next, dropped, ask := p.rouseLocked(), p.takeDiscardedLocked(), to == draining && p.shortLocked()
	p.mu.Unlock()
	p.signal(next)
	if ask {
		p.scaleSoon()
	}
	if dropped != nil {
		go p.report(dropped) // on its own goroutine, since Dropped may block; the same holds for drop
	}
	if left != nil {
		go p.drop(left)
	}
}

// finishStopLocked ends the pool when its last goroutine has left and all dropped items have
// been reported. Both may also be what calls of WaitIdle and PauseWait wait for.
func (p *Pool[T]) finishStopLocked() {
	p.noteQuietLocked()
	if p.phase == open || p.goroutines > 0 || p.dropping+len(p.discarded) > 0 || p.ended() ||
		p.phase == draining && p.queue.Len() > 0 {
		return
	}
	p.alarm.stop()
	p.dismissDormantLocked(p.dormant)
	close(p.done)
}

// ended reports whether the pool has ended.
func (p *Pool[T]) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
