package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// worker is a goroutine that runs items, and what the pool knows about it.
// Its fields are guarded by the pool's mu, save that the goroutine itself may
// read what only it writes.
type worker[T any] struct {
	id        int32
	wake      chan struct{} // one slot; each signal follows a removal from the idle stack
	idleSince time.Time     // meaningful while idle in a pool that can shrink
	item      T             // what it runs, while busy
	busy      bool
	newborn   bool          // on its way to the lock for the first time, and roused
	running   bool          // in the function that runs items; for mend, to tell crashes of it from others
	reporting bool          // in Config.Dropped, likewise
	startedAt time.Duration // when it took the item; only in a pool with a meter
	lease     *lease[T]     // nil: its item has not lent the slot
	patience  patience      // with which it comes back for another item
	dismissed bool          // taken off the counts while idle; it only has to return
	returned  bool          // left its loop, so that its deferred function has nothing to mend
}

// signal wakes an idle worker that rouse has chosen, or starts the goroutine of one that
// has none yet. The slot is empty, so this never blocks. It must not be called with the lock
// held, lest the worker wake up only to wait for it. A nil worker is ignored.
func (p *Pool[T]) signal(w *worker[T]) {
	if w != nil { // inlined where it is called, as nearly always there is nobody to wake
		p.wake(w)
	}
}

func (p *Pool[T]) wake(w *worker[T]) {
	if w.newborn {
		go p.work(w)
	} else {
		w.wake <- struct{}{}
	}
}

// work is the loop of a worker: the other half of the hot path.
func (p *Pool[T]) work(w *worker[T]) {
	// Or profiles would count all that it does for whoever happened to have it started.
	pprof.SetGoroutineLabels(context.Background())
	if p.cfg.Hooks.TrackCallers || p.cfg.Limit != 0 && p.cfg.Overflow == Block {
		defer p.callers.Register(w)() // until after mend, which calls Crashed
	}
	defer p.mend(w)
	p.mu.Lock()
	if w.newborn {
		w.newborn = false
		p.bearing = false
	}
	if w.running { // takes over from a goroutine that crashed
		w.running = false
		p.finish(w, &p.rare.failed)
	}
	for {
		item, ok := p.take(w)
		if !ok {
			if p.leaves(w) {
				p.retire(w) // unlocks
				return
			}
			p.park(w)
			continue
		}
		next := p.rouse()
		p.mu.Unlock()
		p.signal(next)

		w.running = true
		p.run(w.id, item)
		w.running = false

		if !p.mu.TryLock() {
			w.patience.lock(&p.mu, p.inbox.open.Load()) // while it is open, submitters meet there
		}
		p.finish(w, &p.counts.completed)
	}
}

// take pops the item that w is to run, if there is one and w may. mu is held;
// it may be let go of and taken again meanwhile.
func (p *Pool[T]) take(w *worker[T]) (item T, ok bool) {
	if w.busy { // takes over from a goroutine that ended while it reported
		return w.item, true
	}
	if w.dismissed || p.workers > p.ceiling || p.returning.Len() > 0 || p.halted() {
		return item, false
	}
	if !p.plain || p.fifo.Len() == 0 || p.withdrawn != 0 {
		return p.takeWithCare(w)
	}
	item, _ = p.fifo.Pop()
	if p.cfg.Hooks.Claim != nil && !p.cfg.Hooks.Claim(item) {
		p.skip(item)
		return p.takeWithCare(w)
	}
	w.item, w.busy = item, true
	p.counts.started++
	return item, true
}

// takeWithCare is take where more may have to be done than to pop an item: a meter, a
// clock or submitters that wait want to know of it, or withdrawn items are on the way.
// mu is held; it may be let go of and taken again meanwhile.
func (p *Pool[T]) takeWithCare(w *worker[T]) (item T, ok bool) {
	w.item = item // none: the last one is over, whoever looks meanwhile
	if p.waiters.Len() > 0 {
		p.admitWaiters()
	}
	p.tick()
	var now time.Duration
	if p.meter != nil {
		now = p.meter.advance(p)
	}
	if p.fifo == nil || p.fifo.Len() == 0 {
		p.absorb() // a FIFO need not know of an item before its turn has come
	}
	for {
		item, ok = p.pop()
		if !ok || p.cfg.Hooks.Claim == nil || p.cfg.Hooks.Claim(item) {
			break
		}
		p.skip(item)
	}
	if ok {
		if p.meter != nil {
			w.startedAt = now
			p.meter.start(now)
		}
		w.item, w.busy = item, true
		p.counts.started++
		if p.waiters.Len() > 0 {
			p.admitWaiters()
		}
	}
	discarded := p.collectDiscarded()
	p.sweepRest()
	given := p.takeDiscarded()
	if given != nil {
		next := p.rouse()
		p.mu.Unlock()
		p.signal(next)
		w.reporting = true
		p.report(given)
		w.reporting = false
		p.mu.Lock()
	}
	if !ok && (discarded || given != nil) {
		return p.take(w) // something may have come in its place
	}
	return item, ok
}

// pop takes the next item off the queue: for the default one without the detour
// through the interface. mu is held.
func (p *Pool[T]) pop() (T, bool) {
	if p.fifo != nil {
		return p.fifo.Pop()
	}
	return p.queue.Pop()
}

// skip forgets an item that was withdrawn, and has been popped now. mu is held.
func (p *Pool[T]) skip(item T) {
	p.withdrawn--
	if p.meter != nil {
		p.meter.leave()
	}
	if p.finisher != nil {
		p.finished(item, false)
	}
}

// finished tells the queue that an item has ended. mu is held.
func (p *Pool[T]) finished(item T, ran bool) {
	p.tick()
	p.finisher.Finish(item, ran)
	p.collectDiscarded()
}

// collectDiscarded takes over what the queue has given up, and reports whether there
// was anything. mu is held. Time was metered before the call of the queue.
func (p *Pool[T]) collectDiscarded() bool {
	return p.discarder != nil && p.collectFrom(p.discarder)
}

func (p *Pool[T]) collectFrom(d queue.Discarder[T]) (some bool) {
	for {
		item, ok, reason := d.Discarded()
		if !ok {
			return some
		}
		some = true
		if p.meter != nil {
			p.meter.leave()
		}
		if errors.Is(reason, queue.ErrShed) {
			p.discard(item, ErrShed)
		} else {
			p.discard(item, fmt.Errorf("scheduler: %w", reason))
		}
	}
}

// finish records that w's item has ended and raises the count to which it
// belongs. mu is held.
func (p *Pool[T]) finish(w *worker[T], count *uint64) {
	if p.plain && w.lease == nil {
		*count++
	} else {
		p.finishWithCare(w, count)
	}
	w.busy = false
}

// finishWithCare is the part of finish where more may have to be done than to count. mu
// is held.
func (p *Pool[T]) finishWithCare(w *worker[T], count *uint64) {
	if p.meter != nil {
		p.meter.finish(p.meter.advance(p) - w.startedAt)
	}
	*count++
	if w.lease != nil {
		p.endLease(w)
	}
	if p.finisher != nil {
		p.finished(w.item, true)
	}
}

// leaves reports whether w must go. mu is held.
func (p *Pool[T]) leaves(w *worker[T]) bool {
	return w.dismissed || p.workers > p.ceiling || p.returning.Len() > 0 || p.phase == stopped ||
		p.phase == draining && p.queue.Len() == 0
}

// park puts w on the idle stack and waits until it is signalled, unless there is
// something to do after all. mu is held on entry and on return, and not while
// it waits.
func (p *Pool[T]) park(w *worker[T]) {
	if p.closeInbox() {
		return // something came in just now
	}
	if p.min < p.max { // a worker of a pool of fixed size never expires
		w.idleSince = time.Now()
	}
	var none T
	w.item = none // so that it can be collected
	p.idle = append(p.idle, w)
	p.watchIdle()
	p.mu.Unlock()
	<-w.wake
	p.mu.Lock()
	if !w.dismissed { // it was roused
		p.waking = false
	}
}

// retire takes w out of the pool for good. It is called with mu held and lets
// go of it.
func (p *Pool[T]) retire(w *worker[T]) {
	if !w.dismissed {
		p.dismiss(w)
	}
	w.returned = true
	p.goroutines--
	next := p.rouse() // others may have to leave too, or to do what w was woken for
	p.finishStop()
	p.mu.Unlock()
	p.signal(next)
}

// dismiss takes w off the counts. mu is held.
func (p *Pool[T]) dismiss(w *worker[T]) {
	if p.meter != nil {
		p.meter.advance(p)
	}
	p.closeInbox() // it is for a pool that cannot grow
	w.dismissed = true
	p.workers--
	p.live[w.id-1] = nil
	p.freeIDs = append(p.freeIDs, w.id)
	p.giveSlots()
}

// mend keeps the worker alive when running its item panicked or called
// runtime.Goexit. One deferred call for each worker, rather than one for each
// item, keeps the hot path free of it. The goroutine of a Goexit cannot go on,
// so a new one takes the worker over; the count of workers never changes.
func (p *Pool[T]) mend(w *worker[T]) {
	if w.returned {
		return
	}
	v := recover() // directly in the deferred function, or it does nothing
	if w.reporting && v == nil {
		w.reporting = false
		go p.work(w)
		return
	}
	if !w.running {
		// Not the work: the queue discipline or the pool itself is broken, and
		// going on, with the lock held, would hang or lose items.
		if v == nil {
			v = "scheduler: the queue or a function of the configuration called runtime.Goexit on a worker"
		}
		panic(v)
	}
	err := crash(v)
	// Deferred, for Crashed may call code that ends the goroutine once more.
	defer func() { go p.work(w) }()
	guard("Crashed", func() { p.cfg.Crashed(w.id, w.item, err) })
}

// crash is how work ends that did not return, given what was recovered.
func crash(v any) error {
	if v == nil {
		return ErrGoexit
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// guard calls a function of the configuration, whose own panic must not take
// a worker, or the rest of the items, with it.
func guard(name string, call func()) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("scheduler: a function of the configuration panicked", "name", name, "value", v)
		}
	}()
	call()
}

// logCrash is the default of Config.Crashed.
func logCrash[T any](worker int32, _ T, err error) {
	attrs := []any{"worker", worker, "error", err}
	if pe, ok := err.(*PanicError); ok { //nolint:errorlint // made by mend, never wrapped
		attrs = append(attrs, "stack", string(pe.Stack))
	}
	slog.Error("scheduler: an item crashed", attrs...)
}
