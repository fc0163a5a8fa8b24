package nats

import (
	"context"
	"slices"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// mostUnsettled bounds the tasks of a worker that have ended, but whose acknowledgement the server has
// not confirmed: they would run again if the process died. If the manager has no maximum of workers, it
// bounds the running ones too. It does not count those of WithAhead.
const mostUnsettled = 1024

// allowed returns how many tasks may be asked for, if the manager has room for so many.
func (w *Worker) allowed(room int) int {
	room -= int(w.transit.Load())
	w.mu.Lock()
	defer w.mu.Unlock()
	unsettled := w.ended
	if room > taskmanager.NoMaximum/2 {
		unsettled = len(w.held)
	}
	room = min(room, mostUnsettled+w.cfg.ahead-unsettled)
	w.full = room <= 0
	return room
}

// release ends a delivery: it is settled, or left to the server.
func (w *Worker) release(d *delivery) {
	w.mu.Lock()
	if _, held := w.held[d]; held && d.over {
		w.ended--
	}
	delete(w.held, d)
	d.freeAloneLocked()
	if id := d.env.ID; w.byID[id] == d {
		delete(w.byID, id)
		if !d.away && !d.lost {
			w.rememberLocked(id)
		}
	}
	if len(w.held) == 0 && w.emptied != nil {
		close(w.emptied)
		w.emptied = nil
	}
	full := w.full
	w.full = false
	w.mu.Unlock()
	if full {
		w.puller.signal()
	}
	if d.slot != nil {
		w.spawn(func() { d.releaseSlot(w.life) })
	}
}

// rememberLocked remembers the id of a task that has ended here.
func (w *Worker) rememberLocked(id string) {
	if old := w.ring[w.next]; old != "" && w.recent[old] == w.next {
		delete(w.recent, old)
	}
	w.ring[w.next], w.recent[id] = id, w.next
	w.next = (w.next + 1) % recentIDs
}

// waitEmpty waits until no delivery is held, or a channel is closed. It reports whether none is held.
func (w *Worker) waitEmpty(until ...<-chan struct{}) bool {
	w.mu.Lock()
	if len(w.held) == 0 {
		w.mu.Unlock()
		return true
	}
	if w.emptied == nil {
		w.emptied = make(chan struct{})
	}
	emptied := w.emptied
	w.mu.Unlock()
	var first, second <-chan struct{}
	switch len(until) {
	case 2:
		second = until[1]
		fallthrough
	case 1:
		first = until[0]
	}
	select {
	case <-emptied:
		return true
	case <-first:
	case <-second:
	}
	return false
}

// grace returns how long tasks may take to return when they are cancelled.
func (w *Worker) grace() time.Duration { return max(w.c.cfg.lease/10, 100*time.Millisecond) }

// settleAll waits until all deliveries are settled. When the time of the drain is over, it cancels what runs,
// and gives up what does not return. The result names that, or is nil.
func (w *Worker) settleAll(ctx context.Context) *taskmanager.DrainError {
	if w.waitEmpty(ctx.Done(), w.force) {
		return nil
	}
	for _, d := range w.running() {
		d.stop(ErrDraining)
	}
	timer, stop := context.WithTimeout(context.Background(), w.grace())
	empty := w.waitEmpty(timer.Done())
	stop()
	if empty {
		return nil
	}
	left := w.abandon(ctx)
	timer, stop = context.WithTimeout(context.Background(), settleTimeout)
	defer stop()
	if !w.waitEmpty(timer.Done()) {
		w.logs.errorf("settle", "nats: the server could not be told how some tasks have ended; they may run again")
	}
	return left
}

// running returns the deliveries that are executed, or are about to be.
func (w *Worker) running() (list []*delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d := range w.held {
		if !d.over {
			list = append(list, d)
		}
	}
	return list
}

// abandon gives up the tasks that have not returned. A record keeps their deliveries from counting as crashes.
func (w *Worker) abandon(ctx context.Context) *taskmanager.DrainError {
	var names []string
	for _, d := range w.running() {
		record, running := d.giveUp()
		if !running {
			continue
		}
		names = append(names, d.env.Name)
		w.spawn(func() {
			if record != nil {
				record.excuse(w.life)
			}
			w.release(d)
		})
	}
	if names == nil {
		return nil
	}
	slices.Sort(names)
	err := context.Cause(ctx)
	if err == nil {
		err = context.Canceled
	}
	return &taskmanager.DrainError{Running: names, Err: err}
}

// giveUp ends the lease of a task that is executed, and reports whether it is. Its delivery is released. The record
// is a delivery for the history of that, which does not share anything with the execution. It is nil if the lease was
// lost before.
func (d *delivery) giveUp() (record *delivery, running bool) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if d.handle == nil || d.over {
		return nil, false
	}
	if !d.lost {
		record = d.recordLocked()
		record.began = true
	}
	d.lost = true
	return record, true
}

// tick does what is to be done regularly, until ctx ends.
func (w *Worker) tick(ctx context.Context) {
	t := time.NewTicker(max(min(w.c.cfg.lease/20, time.Second), 5*time.Millisecond)) // requests are looked at too
	defer t.Stop()
	forgot := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		w.keepLeases(now)
		w.asks.expire(now)
		w.puller.check(now)
		if now.Sub(forgot) > time.Minute {
			forgot = now
			w.forgetCancels(now)
		}
	}
}

// followConnection begins anew what was lost with a connection, whenever there is a new one.
func (w *Worker) followConnection(ctx context.Context) {
	changed := w.c.nc.StatusChanged(natsgo.CONNECTED, natsgo.CLOSED)
	defer w.c.nc.RemoveStatusListener(changed)
	closed := w.c.nc.IsClosed() // before it was listened to
	for {
		if closed {
			w.forceOnce.Do(func() { close(w.force) })
			close(w.cut)
			return
		}
		select {
		case <-ctx.Done():
			return
		case s, ok := <-changed:
			if !ok {
				return
			}
			if closed = s == natsgo.CLOSED; closed {
				continue
			}
			w.asks.expire(time.Time{})
			w.puller.reset()
		}
	}
}
