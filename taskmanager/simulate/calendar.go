package simulate

import (
	"context"
	"sync"
	"testing/synctest"
	"time"
)

// grid is the time between two instants for arrivals and ends of executions.
const grid = 4 * time.Nanosecond

// calendar gives each event an instant of its own. Then the order of events does not depend on the
// scheduler of goroutines. Arrivals and ends of executions happen at multiples of grid, and one whose instant
// is taken is put off to the next. Each of the three timers of the manager has one of the three nanoseconds
// between; see [timer].
//
// An end is put off for an arrival, and for the end of an earlier job, in whichever order the executions
// began. So executions that begin at the same instant, on several workers, always get the same instants.
// This is linear probing with priorities, whose result does not depend on the order of insertion.
//
// G. Blelloch, D. Golovin: Strongly History-Independent Hashing with Applications, FOCS 2007.
type calendar struct {
	epoch time.Time
	real  bool // real time: events need no instants of their own

	settling chan struct{} // of capacity 1: only one goroutine of a bubble may call synctest.Wait

	mu      sync.Mutex // guards the rest
	ends    map[time.Duration]*appointment
	arrival time.Duration // the last one, or the next one from when the feed waits for it
	timers  time.Duration // the number of timers so far
}

// appointment is the instant at which an execution ends. It changes if the end is put off, under the
// lock of the calendar.
type appointment struct {
	at  time.Duration
	job int // the number of the job
}

func newCalendar(realTime bool) *calendar {
	return &calendar{
		epoch: time.Now(), real: realTime, settling: make(chan struct{}, 1),
		ends: make(map[time.Duration]*appointment), arrival: -grid,
	}
}

// settle waits until all other goroutines of the replay wait.
func (c *calendar) settle() {
	c.settling <- struct{}{}
	synctest.Wait()
	<-c.settling
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
	at = max(following(at, 0), c.arrival+grid)
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
	return at, true
}

// following returns the first instant at or after a time that is an offset after a multiple of grid.
func following(at, offset time.Duration) time.Duration {
	return at + ((offset-at)%grid+grid)%grid
}

// workFor waits for the end of an execution that began at a time and takes d, and returns the instant.
func (c *calendar) workFor(job int, began, d time.Duration) time.Duration {
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
	e := &appointment{at: following(at, 0), job: job}
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
	for at := e.at; ; at += grid {
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
