package scheduler

import (
	"context"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/internal/goroutine"
)

// This file has the part of the pool that serves only frameworks built on it; see the
// package documentation.

// Hooks holds functions of a framework built on the pool. Each is optional.
type Hooks[T any] struct {
	// Withdrawn reports whether an item was withdrawn after it was submitted; see
	// [Pool.Withdraw]. The pool skips such items. It is called while the pool is locked:
	// it must be quick, and must neither panic nor call the pool.
	Withdrawn func(item T) bool
	// Claim is called when the pool takes an item from the queue, or runs or drops it
	// without queueing it. It returns false for a withdrawn item. After it has returned
	// true, the item can no longer be withdrawn. Set it if items are withdrawn
	// concurrently, so that exactly one of the pool and the withdrawal gets the item.
	// The same rules hold as for Withdrawn. The default is the opposite of Withdrawn.
	Claim func(item T) bool
	// Inside reports whether the context of a submit belongs to an item of this pool.
	// Such a submit must not wait for room under [Block]. The pool knows the goroutines
	// of its workers; Inside is for goroutines that an item has started. It is called
	// only when a submit would wait.
	Inside func(ctx context.Context) bool
	// Paused is called with true when a pause begins, and with false when it ends. The same
	// rules hold as for Withdrawn.
	Paused func(paused bool)
	// RequeuesFirst says that [Pool.RequeueFirst] will be called. NewPool then fails if the
	// queue does not implement queue.Fronter.
	RequeuesFirst bool
	// TrackCallers enables [Pool.Caller]. It costs about two microseconds for each
	// worker that is started, and nothing for an item.
	TrackCallers bool
	// Settle is called where the order of what several goroutines do at one moment matters, such
	// as before the scaler is asked, without a lock held that others wait for. A simulator waits there
	// until all other goroutines wait, so that the order does not depend on which was faster.
	Settle func()
	// Timer makes the only timer of the pool. It is for simulators, in which each event has
	// an instant of its own. NewPool calls it once. The default is a timer of package time.
	Timer func(ring func()) Timer
}

// Timer calls a function, on a goroutine of its own, when a time has passed: a [time.Timer] of
// [time.AfterFunc], or that of a simulator. It is not set when it is made. The pool calls it
// while it is locked.
type Timer interface {
	// Reset sets the timer, also if it is set already. A d that is not positive means at once.
	// The result is ignored.
	Reset(d time.Duration) bool
	// Stop makes the timer unset. A call that has begun continues. The result is ignored.
	Stop() bool
}

// Lend frees the slot of a worker while its item waits, so that other items can run, such as
// the one that it waits for. The item, or a goroutine on its behalf, passes the number of
// the worker. When the wait is over it must call resume, which returns when the item has a
// slot again. Not counting the items that wait, there are thus never more running items
// than the maximum of workers, except for items in a hurry and after a Resize.
//
// If hurry is closed, resume returns without a slot, because the item may be the only one
// that can end the items that occupy the slots. At most as many items run as the maximum of
// workers plus the number of items that have returned in a hurry and have since neither ended
// nor lent again. While more items run than the maximum, a worker that finishes its item
// leaves, no queued item starts, and no other item gets its slot back without a hurry.
//
// Several goroutines of an item may lend at once. The slot is free from the first Lend to
// the last resume. If holds is not nil and returns false for the item of the worker, Lend
// does nothing; holds is called while the pool is locked. Lend does nothing for worker 0
// either, which is that of items that run under [CallerRuns]. If the item ends first,
// resume does nothing.
func (p *Pool[T]) Lend(worker int32, holds func(item T) bool) (resume func(hurry <-chan struct{})) {
	p.mu.Lock()
	w := p.workerOfLocked(worker)
	if w == nil || !w.busy || holds != nil && !holds(w.item) {
		p.mu.Unlock()
		return func(<-chan struct{}) {}
	}
	l := w.lease
	switch {
	case l == nil:
		l = &lease[T]{w: w}
		w.lease = l
		p.giveUpSlotLocked(l)
	case l.back != nil: // another goroutine of the item waits for a slot, and need not
		p.returning.Remove(l.place)
		close(l.back)
		l.back = nil
	}
	l.waits++
	p.dispatchAndUnlock(p.shortLocked())
	return func(hurry <-chan struct{}) { p.resume(l, hurry) }
}

// HasLent reports whether the item of a worker has lent its slot or waits to get one back.
// It returns false if holds returns false for the item; holds is called while the pool is
// locked.
func (p *Pool[T]) HasLent(worker int32, holds func(item T) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.workerOfLocked(worker)
	return w != nil && w.lease != nil && holds(w.item)
}

// MarkFailed makes the running item of a worker count as failed although its run function is
// going to return. The goroutine of the run function calls it. For an item that runs inline,
// with the number 0, it has an effect only if Hooks.TrackCallers is set.
func (p *Pool[T]) MarkFailed(worker int32) {
	if worker == 0 {
		if w, inline := p.callers.Of(goroutine.ID()); inline {
			w.failed = true
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.workerOfLocked(worker); w != nil {
		w.failed = w.busy
	}
}

// Requeue queues an item again that the pool has run before, for a restart. The limit does
// not apply, since the item was admitted once, and a draining pool accepts it. Once queued,
// it may be dropped or shed like any other item.
//
// A call from the run function passes the number of its worker. That worker is about to
// take another item, so the scaler is not asked for one. Other callers pass 0. The error is
// [ErrStopped].
func (p *Pool[T]) Requeue(item T, worker int32) error {
	if p.inbox.offer(item) {
		return nil
	}
	return p.requeue(item, worker, false)
}

// RequeueFirst is [Pool.Requeue] for an item that goes to the front of the queue: before those of
// its level, deadline or key. If the queue does not implement queue.Fronter, the item goes to the
// back.
func (p *Pool[T]) RequeueFirst(item T, worker int32) error { return p.requeue(item, worker, true) }

// CanRequeueFirst reports whether RequeueFirst can put an item at the front.
func (p *Pool[T]) CanRequeueFirst() bool { return p.canFirst }

func (p *Pool[T]) requeue(item T, worker int32, first bool) error {
	p.mu.Lock()
	if p.phase == stopped || p.phase == draining && p.workers+p.inline+p.lent == 0 {
		p.mu.Unlock()
		return ErrStopped
	}
	if first && p.fronter != nil {
		p.counts.submitted++
		p.insertFirstLocked(item)
	} else {
		p.pushLocked(item)
	}
	if p.phase == draining {
		p.growToLocked(1) // it may be the last item, and have run without a worker
	}
	p.dispatchAndUnlock(worker == 0 && p.shortLocked())
	return nil
}

// KeepItems makes the queue give up no more items because they have waited too long, as Close
// does, and WaitRoom return ErrStopped. A framework calls it when it accepts no more items and
// runs all others before it ends the pool.
func (p *Pool[T]) KeepItems() {
	p.mu.Lock()
	p.keepItemsLocked()
	p.keeps = true
	p.tellRoomLocked()
	p.mu.Unlock()
}

// Withdraw tells the pool that one waiting item was withdrawn: from now on Hooks.Withdrawn
// returns true for it and Hooks.Claim false. The item no longer counts as queued, and its
// room is free at once. Its memory is freed when the item is popped. If the queue is a
// queue.Remover, it is freed earlier: when half of the queue is withdrawn, or all of it, or
// an eighth of a queue that limits running items.
//
// An item may be withdrawn while it is being submitted, also while its submitter waits for
// room. If the pool then refuses the item, [Pool.UndoWithdraw] must follow.
func (p *Pool[T]) Withdraw() {
	p.mu.Lock()
	p.advanceLocked()
	p.withdrawn++ // may have been decremented before, by a worker that skipped the item
	p.rare.withdrawn++
	p.sweepIfDueLocked()
	p.admitWaitersLocked()
	p.noteQuietLocked()
	p.tellRoomLocked()
	p.dispatchAndUnlock(p.shortLocked())
}

// UndoWithdraw takes back a Withdraw of an item that was withdrawn while it was being
// submitted, and that the pool then refused.
func (p *Pool[T]) UndoWithdraw() {
	p.mu.Lock()
	p.withdrawn--
	p.rare.withdrawn--
	p.mu.Unlock()
}

// AsksScaler reports whether the scaler is being called. A pool ends only when the call has
// returned.
func (p *Pool[T]) AsksScaler() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deciding
}

// Caller is an item for which a goroutine runs, with the number of the item's worker.
type Caller[T any] struct {
	Worker   int32 // 0 for an item that runs inline, under [CallerRuns]
	Item     T
	Indirect bool // the goroutine executes an item of another pool, inside a submit of Item
}

// Caller returns the item of this pool for which the calling goroutine runs. That is the item
// that it executes. If it executes an inline item of another pool, that is the item that
// submitted that one, directly or through further inline items. Caller reports false on a goroutine
// that runs for no item of the pool, and may do so on each one if Hooks.TrackCallers is not set. It
// takes some microseconds, however deep inline items are nested.
func (p *Pool[T]) Caller() (c Caller[T], ok bool) {
	id := goroutine.ID()
	w, found := p.callers.Of(id)
	if !found {
		c.Indirect = true
		for _, principal := range goroutine.Principals(id) {
			if w, found = p.callers.Of(principal.ID); found {
				break
			}
		}
	}
	if !found {
		return Caller[T]{}, false
	}
	// The goroutine itself sets the item, or it was set before the goroutine started.
	c.Worker, c.Item = w.id, w.item
	return c, true
}
