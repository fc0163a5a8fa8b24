package nats

import (
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// lease is the right of a worker to run a task for a time. The server measures it from the delivery, and again
// from each extension. The worker cannot know those moments, only earlier ones: the floor of its puller,
// and when it sent a request to extend. So its own count ends before that of the server. All times have a
// reading of the monotonic clock.
type lease struct {
	length time.Duration
	from   time.Time // not after the moment from which the server counts
	sent   time.Time // when the last request to extend it was sent
}

// leaseStep says what is to be done with a lease.
type leaseStep int

const (
	leaseHolds leaseStep = iota
	leaseExtend
	leaseLost
)

// The shares of a lease at which the holder acts.
const (
	echoAt   = 0.2  // of the age of the last echo, by which the puller finds its floor
	lateAt   = 0.1  // the same while that has not come back
	extendAt = 0.25 // of the time since the last request to extend it
	askUntil = 0.4  // of the age of the floor: with an older one, the puller asks for no tasks
	staleAt  = 0.5  // of the age of the floor: a task that arrives then is not run
	loseAt   = 0.6  // of the time since the last confirmation
)

func share(d time.Duration, of float64) time.Duration { return time.Duration(float64(d) * of) }

// over reports whether the holder has to take the lease for lost.
func (l *lease) over(now time.Time) bool { return now.Sub(l.from) >= share(l.length, loseAt) }

// step returns what is to be done now. After leaseExtend it expects that a request is sent.
func (l *lease) step(now time.Time) leaseStep {
	switch {
	case l.over(now):
		return leaseLost
	case now.Sub(l.from) >= share(l.length, extendAt) && now.Sub(l.sent) >= share(l.length, extendAt):
		l.sent = now
		return leaseExtend
	}
	return leaseHolds
}

// confirm records that the server has answered a request to extend the lease, which was sent at a time.
func (l *lease) confirm(sent time.Time) {
	if sent.After(l.from) {
		l.from = sent
	}
}

// progressMark extends a lease.
var progressMark = []byte("+WPI")

// keepLeases extends the leases that need it, and cancels the tasks whose lease is lost.
func (w *Worker) keepLeases(now time.Time) {
	var extend, lost []*delivery
	w.mu.Lock()
	for d := range w.held {
		if d.lost {
			continue
		}
		switch d.lease.step(now) {
		case leaseExtend:
			extend = append(extend, d)
		case leaseLost:
			d.lost = true
			d.freeAloneLocked()
			lost = append(lost, d)
		case leaseHolds:
		}
	}
	w.mu.Unlock()
	for _, d := range extend {
		d.extend(now)
	}
	for _, d := range lost {
		w.logs.errorf("lease", "nats: the lease of task %s is lost: the server has not confirmed it in time", quote(d.env.Name))
		d.stop(ErrLeaseLost)
	}
}

// extend asks the server to extend the lease, and the slot of the key with it. now is the time before
// which nothing was sent.
func (d *delivery) extend(now time.Time) {
	d.sending.Lock()
	defer d.sending.Unlock()
	if d.sealed {
		return
	}
	d.w.asks.send(&natsgo.Msg{Subject: d.settleSubject(), Data: progressMark}, d.lease.length, func(answer *natsgo.Msg) {
		if answer == nil {
			return
		}
		d.w.mu.Lock()
		d.lease.confirm(now)
		d.w.mu.Unlock()
	})
	d.extendSlotLocked()
}
