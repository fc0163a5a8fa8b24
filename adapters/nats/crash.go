package nats

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A task that ends its process is found by its deliveries: one that ends without a record counts as a crash. With it
// count, however, the tasks that the process had at the same time, executed or not. Their leases end together, so they
// come to the next worker together, and die with it again.
//
// So the last crash that a task may have is counted in another way. Its worker records that it executes the task now,
// and executes no other such task meanwhile. Only the end of such an execution without a record counts; deliveries that
// ended before it began do not.

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
	unseen := h.crashesSince(delivered, delayed)
	h.State.Attempts += unseen
	h.Crashes = max(h.Crashes, min(h.Crashes+unseen, mostUnseen(permitted)))
	if h.Alone && !h.wentBack(delivered) {
		h.State.Attempts++
		h.Crashes++
	}
	h.Alone = false
	h.Deliveries = delivered
	return h
}

// isSuspect reports whether the task may crash once more, and is dead then.
func (d *delivery) isSuspect() bool { return d.hist.Crashes >= mostUnseen(d.w.c.cfg.crashes) }

// goAlone waits until the process executes no suspect, and gives the delivery back if that takes too long. It reports
// whether the delivery goes on, which is the only suspect then until its release.
func (d *delivery) goAlone(ctx context.Context) bool {
	timer := time.NewTimer(d.holdable())
	defer timer.Stop()
	select {
	case d.w.alone <- struct{}{}:
		d.w.mu.Lock()
		d.alone = true
		d.w.mu.Unlock()
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	d.hist.Tries++
	d.giveBack(ctx, slotWait(d.hist.Tries))
	return false
}

// recordAlone records that a suspect is executed now. It reports whether the delivery goes on. A server that is full may
// have no room until just such tasks have run, so they run without a record then, and no crash is counted.
func (d *delivery) recordAlone(ctx context.Context) bool {
	d.hist.Alone = true
	err := d.writeHistory(ctx)
	d.hist.Alone = false // in every later record
	if err == nil {
		return true
	}
	if errors.Is(err, errSuperseded) || d.gone() {
		d.w.release(d)
		d.excuse(ctx)
		return false
	}
	d.w.logs.errorf("count", "%s", crashesLost(d, err))
	return true
}

// crashesLost describes that a record of crashes could not be stored.
func crashesLost(d *delivery, err error) string {
	return fmt.Sprintf("nats: crashes of task %s may not be counted: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
}
