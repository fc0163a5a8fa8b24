package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/queue"
)

// Pause keeps workers from taking items. What runs goes on; submits still queue
// up to the limit. Stop and Drain end a pause.
func (p *Pool[T]) Pause() {
	p.mu.Lock()
	p.paused = true
	p.mu.Unlock()
}

// Resume ends a pause.
func (p *Pool[T]) Resume() {
	p.mu.Lock()
	p.paused = false
	p.admitWaiters()
	p.dispatchAsking(true) // what the scaler wanted during the pause was not done
}

// Resize sets new bounds on the number of workers, at once: workers are started
// up to the minimum, idle ones above the maximum leave now and busy ones when
// their item has ended. The error says which bound is impossible.
func (p *Pool[T]) Resize(minimum, maximum int) error {
	if err := validWorkers(minimum, maximum); err != nil {
		return err
	}
	p.mu.Lock()
	if p.phase != open {
		p.mu.Unlock()
		return ErrStopped
	}
	p.closeInbox() // it is for a pool that cannot grow
	p.min, p.max, p.ceiling = minimum, maximum, maximum
	p.giveSlots()
	p.growTo(minimum)
	leaving := p.dismissSpare(min(p.workers-maximum, p.spare()))
	p.restampIdle()
	p.watchIdle()
	p.watchDormant()
	p.dispatchAsking(true) // the scaler's target may have been out of bounds
	for _, w := range leaving {
		p.signal(w)
	}
	return nil
}

// Drain refuses new items, waits until those that the pool has taken have run,
// and stops the pool. Submits that wait for room get ErrStopped. If ctx ends
// first, the error says so; the pool goes on draining until Stop is called.
func (p *Pool[T]) Drain(ctx context.Context) error { return p.end(ctx, draining) }

// Stop refuses new items, passes those that wait to Config.Dropped with
// ErrStopped, and waits for the workers to finish what they run. If ctx ends
// first, the error says so, and Stop may be called again to wait on. It may be
// called at any time, from several goroutines at once. Called by an item that
// runs, or by Config.Dropped, it waits for that too, so ctx must end.
func (p *Pool[T]) Stop(ctx context.Context) error { return p.end(ctx, stopped) }

// end moves the pool to the given phase and waits for the workers.
func (p *Pool[T]) end(ctx context.Context, to phase) error {
	if ctx == nil {
		return ErrNilContext
	}
	p.mu.Lock()
	if p.phase < to {
		p.phase = to
		p.closeInbox()
		p.refuseWaiters(ErrStopped)
		if to == stopped {
			p.alarm.stop()
			p.dismissDormant(p.dormant)
			p.dropQueued()
		}
		if p.queue.Len() > 0 {
			p.growTo(1) // somebody has to run what waits, whatever the scaler says
		}
		p.finishStop()
	}
	next, given, ask := p.rouse(), p.takeDiscarded(), p.short()
	p.mu.Unlock()
	p.signal(next)
	if ask {
		p.scale()
	}
	if given != nil {
		go p.report(given) // which may take longer than ctx allows
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
		s := p.snapshot()
		p.mu.Unlock()
		return fmt.Errorf("scheduler: the pool has not stopped yet, with %d items running and %d queued: %w",
			s.Busy+s.Inline+s.Lent, s.Queued, cause.Of(ctx))
	}
}

// finishStop marks the end of the pool when the last worker has gone and all
// that was dropped has been reported. mu is held.
func (p *Pool[T]) finishStop() {
	if p.phase == open || p.goroutines > 0 || p.dropping+len(p.discarded) > 0 || p.ended() ||
		p.phase == draining && p.queue.Len() > 0 {
		return
	}
	p.alarm.stop()
	p.dismissDormant(p.dormant)
	close(p.done)
}

// ended reports whether the pool has stopped or drained for good.
func (p *Pool[T]) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// dropQueued empties the queue and discards what was in it. mu is held.
func (p *Pool[T]) dropQueued() {
	if p.meter != nil {
		p.meter.advance(p)
		p.meter.arrivals = queue.FIFO[time.Duration]{}
	}
	p.tick()
	if p.remover != nil { // reaches items, too, that may not be popped now
		all := make([]T, 0, p.queue.Len())
		p.remover.Remove(func(item T) bool {
			all = append(all, item)
			return true
		})
		for _, item := range all {
			p.discard(item, ErrStopped)
		}
	}
	for {
		item, ok := p.queue.Pop()
		if !ok {
			break
		}
		p.discard(item, ErrStopped)
	}
	for p.discarder != nil {
		item, ok, _ := p.discarder.Discarded()
		if !ok {
			break
		}
		p.discard(item, ErrStopped)
	}
}
