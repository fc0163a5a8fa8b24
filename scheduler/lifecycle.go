package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/queue"
)

// Pause keeps workers from taking items. Running items continue, and submits are accepted up
// to the limit. [Pool.Resume], Stop and Drain end a pause.
func (p *Pool[T]) Pause() {
	p.mu.Lock()
	p.paused = true
	p.mu.Unlock()
}

// Resume ends a pause.
func (p *Pool[T]) Resume() {
	p.mu.Lock()
	p.paused = false
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
	p.dispatchAndUnlock(true) // the last target may have been limited by the old bounds
	for _, w := range leaving {
		p.signal(w)
	}
	return nil
}

// Drain stops the pool after it has run all accepted items. New submits, and those that wait
// for room, return [ErrStopped]. If ctx ends first, Drain returns an error that wraps the
// cause, and the pool continues to drain. Drain may be called concurrently and repeatedly.
func (p *Pool[T]) Drain(ctx context.Context) error { return p.end(ctx, draining) }

// Stop stops the pool. It drops the waiting items with [ErrStopped] and waits for the running
// items and for [Config].Dropped. New submits, and those that wait for room, return
// ErrStopped. If ctx ends first, Stop returns an error that wraps the cause, and may be
// called again. Stop may be called concurrently and repeatedly, also during a Drain. Called
// by an item of the pool or by Dropped, it waits for its caller until ctx ends.
func (p *Pool[T]) Stop(ctx context.Context) error { return p.end(ctx, stopped) }

// end moves the pool to the given phase and waits until it has ended.
func (p *Pool[T]) end(ctx context.Context, to phase) error {
	if ctx == nil {
		return ErrNilContext
	}
	p.mu.Lock()
	if p.phase < to {
		p.phase = to
		p.closeInboxLocked()
		p.refuseWaitersLocked(ErrStopped)
		if to == stopped {
			p.alarm.stop()
			p.dismissDormantLocked(p.dormant)
			p.dropQueuedLocked()
		}
		if p.queue.Len() > 0 {
			p.growToLocked(1) // to run the waiting items, whatever the scaler says
		}
		p.finishStopLocked()
	}
	next, dropped, ask := p.rouseLocked(), p.takeDiscardedLocked(), p.shortLocked()
	p.mu.Unlock()
	p.signal(next)
	if ask {
		p.scale()
	}
	if dropped != nil {
		go p.report(dropped) // on its own goroutine, since it may take longer than ctx allows
	}

	select {
	case <-p.done:
		return nil
	default:
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		s := p.snapshotLocked()
		p.mu.Unlock()
		return fmt.Errorf("scheduler: the pool has not stopped yet, with %d items running and %d queued: %w",
			s.Busy+s.Inline+s.Lent, s.Queued, cause.Of(ctx))
	}
}

// finishStopLocked ends the pool when its last goroutine has left and all dropped items have
// been reported.
func (p *Pool[T]) finishStopLocked() {
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

// dropQueuedLocked empties the queue and drops its items.
func (p *Pool[T]) dropQueuedLocked() {
	if p.meter != nil {
		p.advanceLocked()
		p.meter.arrivals = queue.FIFO[time.Duration]{}
	}
	p.tickLocked()
	if p.remover != nil { // reaches held items too
		all := make([]T, 0, p.queue.Len())
		p.remover.Remove(func(item T) bool {
			all = append(all, item)
			return true
		})
		for _, item := range all {
			p.discardLocked(item, ErrStopped)
		}
	}
	for {
		item, ok := p.queue.Pop()
		if !ok {
			break
		}
		p.discardLocked(item, ErrStopped)
	}
	for p.discarder != nil {
		item, ok, _ := p.discarder.Discarded()
		if !ok {
			break
		}
		p.discardLocked(item, ErrStopped)
	}
}
