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

	last time.Duration // the arrival before; belongs to the goroutine that feeds the manager

	mu     sync.Mutex // guards the rest
	events map[time.Duration]*appointment
}

// appointment is the instant of an event. It changes if the event is put off, under the lock of the
// calendar. An arrival is never put off.
type appointment struct {
	at  time.Duration
	job int // the number of the job that ends, or arrival
}

// arrival is the number that makes an appointment that of an arrival.
const arrival = -1

func newCalendar(realTime bool) *calendar {
	return &calendar{epoch: time.Now(), real: realTime, last: -1, events: make(map[time.Duration]*appointment)}
}

// now returns the time since the start of the replay.
func (c *calendar) now() time.Duration { return time.Since(c.epoch) }

// waitUntil waits for an arrival, which is at or after the one before. It returns false if ctx has
// ended. A replay in virtual time does not wait for ctx, which is outside the bubble.
func (c *calendar) waitUntil(ctx context.Context, at time.Duration) bool {
	if c.real {
		return wait(ctx, at-c.now()) == nil
	}
	c.last = max(at, c.last+1)
	e := c.appoint(arrival, c.last)
	time.Sleep(e.at - c.now())
	c.cancel(e)
	synctest.Wait() // after what the manager does at this instant by itself
	return ctx.Err() == nil
}

// workFor waits for the end of an execution that takes d. An execution that takes no time ends at
// once.
func (c *calendar) workFor(job int, d time.Duration) {
	_ = c.work(job, d, func(d time.Duration) error { time.Sleep(d); return nil })
}

// workUnless is workFor, but ends early with the reason of ctx if ctx ends.
func (c *calendar) workUnless(ctx context.Context, job int, d time.Duration) error {
	return c.work(job, d, func(d time.Duration) error { return wait(ctx, d) })
}

// work waits with the function pause, which is called again if the end has been put off meanwhile.
func (c *calendar) work(job int, d time.Duration, pause func(time.Duration) error) (err error) {
	if d <= 0 {
		return nil
	}
	e := c.appoint(job, c.now()+d)
	for err == nil {
		c.mu.Lock()
		at := e.at
		c.mu.Unlock()
		left := at - c.now()
		if left <= 0 {
			break
		}
		err = pause(left)
	}
	c.cancel(e)
	if err == nil {
		synctest.Wait()
	}
	return err
}

// appoint makes an appointment for an event at a time, or shortly afterwards.
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
	delete(c.events, e.at)
}

// insertLocked finds an instant for an event, at or after its time, and puts off others for it.
func (c *calendar) insertLocked(e *appointment) {
	for at := e.at; ; at++ {
		other := c.events[at]
		if other != nil && other.job < e.job {
			continue
		}
		e.at = at
		c.events[at] = e
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
