package nats

import (
	"context"
	"errors"
	"fmt"
)

// A task that ends its process is found by its deliveries: one that ends without a record counts as
// a crash. With it count, however, the tasks that the process had at the same time, executed or
// not. Their leases end together, so they come to the next worker together, and die with it again.
//
// So the last crash that a task may have is counted in another way. A task that has one crash left
// is a suspect. When its execution begins, the worker records that, and only the end of such an
// execution without another record counts. The workers of a client execute one suspect at a time,
// unless one has waited for some seconds.

// mostUnseen returns how many crashes in a row are counted by deliveries alone, if a task is dead after a number of
// crashes. With one permitted crash there is nothing to tell the tasks of a process apart.
func mostUnseen(permitted int) int { return max(permitted-1, 1) }

// crashesSince returns how many deliveries before the one with the number delivered ended without a
// record, in addition to those that h counts: their workers died, or lost the lease.
//
// The server counts deliveries from 1. It begins again when the consumer is made again, and goes back a little when
// it is killed, or another server of a cluster takes over, since it does not sync the count as it does
// histories. A number that is not above the accounted ones shows that, see [history.wentBack]; no crash is invented
// then. A task that was stored with a delay is given back before it is due, and that is not recorded.
func (h history) crashesSince(delivered uint64, delayed bool) int {
	base := h.Deliveries
	if h.wentBack(delivered) {
		return 0
	}
	if base == 0 && delayed {
		base = 1
	}
	if delivered <= base+1 {
		return 0
	}
	return int(min(delivered-base-1, 1<<20))
}

// wentBack reports whether the count of the server has gone back. The history is stored at once then, so that crashes
// are counted from there on.
func (h history) wentBack(delivered uint64) bool { return delivered <= h.Deliveries }

// account records that the deliveries up to delivered are no crashes, apart from those that it finds: by
// crashesSince, as long as there are fewer than mostUnseen(permitted), and of an execution that was recorded.
func (h history) account(delivered uint64, delayed bool, permitted int) history {
	before, unseen := h.Crashes, h.crashesSince(delivered, delayed)
	h.Crashes = max(before, min(before+unseen, mostUnseen(permitted)))
	h.Unseen = before + unseen - h.Crashes
	if h.Alone && !h.wentBack(delivered) {
		h.Crashes++
	}
	h.State.Attempts += h.Crashes - before
	h.Alone = false
	h.Deliveries = delivered
	return h
}

// isSuspect reports whether the task may crash once more, and is dead then.
func (d *delivery) isSuspect() bool { return d.hist.Crashes >= mostUnseen(d.w.c.cfg.crashes) }

// aloneTries is how often a suspect waits for others, with the waits of slotWait: three seconds
// together. A suspect that takes long must not delay the others for as long.
const aloneTries = 5

// goAlone reports whether a suspect may be executed now. The delivery has the token of the client then, or has waited
// long enough. Its release, or the loss of its lease, frees the token.
func (d *delivery) goAlone() bool {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	select {
	case d.w.c.alone <- struct{}{}:
		d.alone = true
		return true
	default:
		return d.hist.Tries >= aloneTries
	}
}

// freeAloneLocked frees the token of the client if the delivery has it. The lock of the worker is held.
func (d *delivery) freeAloneLocked() {
	if d.alone {
		d.alone = false
		<-d.w.c.alone
	}
}

// crashError is the reason why a task is dead after crashes.
type crashError int

// Error says how many crashes there were.
func (n crashError) Error() string {
	return fmt.Sprintf("nats: the worker of the task has died, or has lost the lease, %d times in a row while it had the task; does the task end its process?", int(n))
}

// recordAlone records that the execution of a suspect begins. With an error there is no execution.
// A server that is full may have no room until just such tasks have run, so without a record they
// are executed as well, as long as their deliveries permit it.
func (d *delivery) recordAlone(ctx context.Context) error {
	d.w.mu.Lock()
	record := d.recordLocked()
	d.w.mu.Unlock()
	record.rev, record.read, record.hist.Alone = d.rev, d.read, true
	err := record.writeHistory(ctx)
	switch total := d.hist.Crashes + d.hist.Unseen; {
	case err == nil:
		d.rev, d.read = record.rev, true
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errSuperseded), d.gone():
		d.w.mu.Lock()
		d.lost = true
		d.w.mu.Unlock()
		return ErrLeaseLost
	case total >= d.w.c.cfg.crashes:
		return crashError(total)
	}
	d.w.logs.errorf("count", "%s", crashesLost(d, err))
	return nil
}

// recordLocked returns a delivery for a record of the history that does not share anything with this one, whose
// handler may run. The lock of the worker is held.
func (d *delivery) recordLocked() *delivery {
	return &delivery{w: d.w, k: d.k, env: d.env, seq: d.seq, delivered: d.delivered, again: d.again, lease: d.lease, hist: d.hist}
}

// crashesLost describes that a record of crashes could not be stored.
func crashesLost(d *delivery, err error) string {
	return fmt.Sprintf("nats: crashes of task %s may not be counted: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
}
