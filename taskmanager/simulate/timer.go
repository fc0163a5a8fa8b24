package simulate

import (
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

// timer is a timer of the manager: the alarm of its pool, or that of a queue of delayed functions. It
// fires at or up to grid after its time, at an instant at which neither an event of the workload nor another
// timer of the manager happens.
type timer struct {
	calendar *calendar
	offset   time.Duration // of its instants, from a multiple of grid
	timer    *time.Timer
}

// newTimer returns the next timer. Several managers, if start makes them, share the offsets.
func (c *calendar) newTimer(ring func()) scheduler.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers++
	t := &timer{calendar: c, offset: 1 + (c.timers-1)%(grid-1)}
	t.timer = time.AfterFunc(time.Hour, ring)
	t.timer.Stop()
	return t
}

// Reset implements [scheduler.Timer].
func (t *timer) Reset(d time.Duration) bool {
	now := t.calendar.now()
	at := now + min(max(d, 1), 2*longest) // what happens now is not over
	return t.timer.Reset(following(at, t.offset) - now)
}

// Stop implements [scheduler.Timer].
func (t *timer) Stop() bool { return t.timer.Stop() }
