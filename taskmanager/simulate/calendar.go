package simulate

import (
	"context"
	"sync"
	"testing/synctest"
	"time"
)

// calendar gives each arrival and each end of an execution an instant of its own: an event that
// would happen at the same nanosecond as another is put off by a nanosecond. Then the order of
// events does not depend on the scheduler of goroutines.
//
// An end is put off for an arrival, and for the end of an earlier job, in whichever order the executions
// began. So executions that begin at the same instant, on several workers, always get the same instants.
// This is linear probing with priorities, whose result does not depend on the order of insertion.
//
// G. Blelloch, D. Golovin: Strongly History-Independent Hashing with Applications, FOCS 2007.
type calendar struct {
	epoch time.Time
	real  bool // real time: events need no instants of their own

	mu      sync.Mutex // guards the rest
	ends    map[time.Duration]*appointment
	arrival time.Duration // the last one, or the next one from when the feed waits for it
}

// appointment is the instant at which an execution ends. It changes if the end is put off, under the
// lock of the calendar.
type appointment struct {
	at  time.Duration
	job int // the number of the job
}

func newCalendar(realTime bool) *calendar {
	return &calendar{epoch: time.Now(), real: realTime, arrival: -1, ends: make(map[time.Duration]*appointment)}
}

// now returns the time since the start of the replay.
func (c *calendar) now() time.Duration { return time.Since(c.epoch) }

// waitUntil waits for an arrival, which is at or after the one before, and returns its instant. It
// returns false if ctx has ended. A replay in virtual time does not wait for ctx, which is outside the
// bubble.
func (c *calendar) waitUntil(ctx context.Context, at time.Duration) (time.Duration, bool) {
	if c.real {
		err := wait(ctx, at-c.now())
		return c.now(), err == nil
	}
	c.mu.Lock()
	at = max(at, c.arrival+1)
	c.arrival = at
	if putOff := c.ends[at]; putOff != nil {
		delete(c.ends, at)
		c.insertLocked(putOff)
	}
	c.mu.Unlock()
	for left := at - c.now(); left > 0; left = at - c.now() {
		time.Sleep(min(left, lookInterval))
		if ctx.Err() != nil {
			return at, false
		}
	}
	settle(at)
	return at, true
}

// settle waits, at the instant of an event, until the rest of the bubble has done what it does then by
// itself: timers of the manager may end at this instant too. That is likely at round times, since the times
// of options are round. At a time with random nanoseconds the wait, a sixth of the time of a job, is saved.
func settle(at time.Duration) {
	const following = 16 // events that are due at one round time follow one another by a nanosecond
	if at%time.Microsecond < following {
		synctest.Wait()
	}
}

// workFor waits for the end of an execution that began at a time and takes d, and returns the instant.
// An execution that takes no time ends at once.
func (c *calendar) workFor(job int, began, d time.Duration) time.Duration {
	if d <= 0 {
		return began
	}
	e := c.appoint(job, began+d)
	for now := began; ; {
		at := c.instantOf(e)
		if at == now {
			break
		}
		time.Sleep(at - now)
		now = at
	}
	c.cancel(e)
	settle(e.at)
	return e.at
}

// workUnless is workFor, but ends early with the reason of ctx if ctx ends.
func (c *calendar) workUnless(ctx context.Context, job int, began, d time.Duration) error {
	e := c.appoint(job, began+d)
	defer c.cancel(e)
	for {
		left := c.instantOf(e) - c.now()
		if left <= 0 {
			return nil
		}
		if err := wait(ctx, left); err != nil {
			return err
		}
	}
}

// instantOf returns the instant of an end, which may change until then.
func (c *calendar) instantOf(e *appointment) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.at
}

// appoint makes an appointment for an end at a time, or shortly afterwards.
func (c *calendar) appoint(job int, at time.Duration) *appointment {
	e := &appointment{at: at, job: job}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insertLocked(e)
	return e
}

// cancel removes an appointment, also one that has been kept.
func (c *calendar) cancel(e *appointment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, e.at)
}

// insertLocked finds an instant for an end, at or after its time, and puts off others for it.
func (c *calendar) insertLocked(e *appointment) {
	for at := e.at; ; at++ {
		other := c.ends[at]
		if at == c.arrival || other != nil && other.job < e.job {
			continue
		}
		e.at = at
		c.ends[at] = e
		if other == nil {
			return
		}
		e = other
	}
}

// wait waits for d in real time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
