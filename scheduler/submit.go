package scheduler

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/queue"
)

// Submit submits an item. If the pool is full it does what [Config].Overflow says; under
// [Block], the default, it waits for room until ctx ends. The context has no effect on the
// item after Submit has returned. After an error the item will not run.
//
// The error is [ErrStopped], [ErrQueueFull], [ErrWouldDeadlock], [ErrNilContext], or the
// cause of the end of ctx.
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
	if w := p.passLocked(item); w != nil {
		p.mu.Unlock()
		p.signal(w)
		return nil
	}
	if err := p.admissibleLocked(1); err != nil {
		_, err = p.overflowAndUnlock(ctx, []T{item}, false, err)
		return err
	}
	p.pushLocked(item)
	p.dispatchAndUnlock(p.shortLocked())
	return nil
}

// TrySubmit is [Pool.Submit] without waiting. If the pool is full, it applies an overflow
// policy that drops, and returns [ErrQueueFull] under any other policy.
func (p *Pool[T]) TrySubmit(item T) error {
	if p.inbox.offer(item) {
		return nil
	}
	p.mu.Lock()
	if w := p.passLocked(item); w != nil {
		p.mu.Unlock()
		p.signal(w)
		return nil
	}
	err := p.admissibleLocked(1)
	switch {
	case err == nil:
		p.pushLocked(item)
	case errors.Is(err, ErrQueueFull) && p.cfg.Overflow.drops():
		p.pushOverLocked(item)
	default:
		p.mu.Unlock()
		return err
	}
	p.dispatchAndUnlock(p.shortLocked())
	return nil
}

// passLocked is a shortcut for an item that an idle worker can take at once, in a pool that
// needs only the order: it accepts the item, and returns the worker, which the caller must
// signal after it has released mu. It returns nil for all other cases. For this one it does what
// admissibleLocked, pushLocked, shortLocked and dispatchAndUnlock do. Their conditions for
// the others took a twelfth of the time from submit to start.
//
// The inbox is closed, since the worker may be woken, and the scaler need not be asked, since
// no other item waits.
func (p *Pool[T]) passLocked(item T) *worker[T] {
	if !p.plain || p.waking || len(p.idle) == 0 || p.fifo.Len() > 0 || p.phase != open || p.paused {
		return nil
	}
	p.counts.submitted++
	p.fifo.Push(item)
	return p.popIdleLocked()
}

// pushLocked accepts an item and adds it to the queue. The caller must call
// dispatchAndUnlock afterwards.
func (p *Pool[T]) pushLocked(item T) {
	p.counts.submitted++
	p.insertLocked(item)
}

// insertLocked adds an item to the queue.
func (p *Pool[T]) insertLocked(item T) {
	if p.meter != nil {
		p.meter.arrive(p.waitClockLocked())
	}
	p.tickLocked()
	if p.fifo == nil {
		p.absorbInboxLocked() // its items arrived before this one
	}
	p.enqueueLocked(item)
}

// insertFirstLocked adds an item at the front of the queue. The items of the inbox have arrived
// before it, but it precedes them.
func (p *Pool[T]) insertFirstLocked(item T) {
	if p.meter != nil {
		p.meter.arrive(p.waitClockLocked())
	}
	p.tickLocked()
	if p.fifo == nil {
		p.absorbInboxLocked()
	}
	p.enqueueGuardedLocked(item, p.fronter.PushFront)
}

// enqueueLocked adds an item to the queue. It calls the default queue directly, without the
// interface and the guard.
func (p *Pool[T]) enqueueLocked(item T) {
	if p.fifo != nil {
		p.fifo.Push(item)
	} else {
		p.enqueueGuardedLocked(item, p.queue.Push)
	}
}

// enqueueGuardedLocked adds an item to a queue whose method push may call functions of the user. If
// one of them panics, the item is dropped and the pool continues.
func (p *Pool[T]) enqueueGuardedLocked(item T, push func(item T)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit ends this goroutine, which must release mu here or in a caller
			go panic("scheduler: the Push method of the queue called runtime.Goexit, which would leave the pool locked; have it return, or panic")
			return
		}
		p.meter.evict(queue.Worst)
		p.discardLocked(item, fmt.Errorf("scheduler: the queue could not take an item: %w", crash(v)))
	}()
	push(item)
	returned = true
}

// dispatchAndUnlock wakes a worker for what was pushed, asks the scaler if the caller wants
// that (see shortLocked), and reports what was dropped.
func (p *Pool[T]) dispatchAndUnlock(ask bool) {
	w := p.rouseLocked()
	if w == nil {
		p.openInboxLocked()
	}
	dropped := p.takeDiscardedLocked()
	p.mu.Unlock()
	p.signal(w)
	if ask {
		p.scaleSoon()
	}
	if dropped != nil {
		p.report(dropped)
	}
}

// shortLocked reports whether more items wait, in the queue or for room in it, than workers
// are free, and the pool may grow.
func (p *Pool[T]) shortLocked() bool {
	return p.workers < p.ceiling && p.demandLocked() > p.workers-p.busyLocked() && !p.haltedLocked()
}
