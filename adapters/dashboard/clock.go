package dashboard

import (
	"sync/atomic"
	"time"
)

// wallClock shows moments as the wall clock would have shown them, as it is set now. So all times of an
// answer are in order and as far apart as they were, even if the wall clock was set meanwhile. It is safe
// for concurrent use.
type wallClock struct {
	last atomic.Pointer[time.Time] // a reading of both clocks
}

// clockTolerance is the change of the difference between the clocks that is ignored. The runtime reads one
// clock after the other, so the difference varies, and a moment would be shown as another time in each answer.
const clockTolerance = 10 * time.Millisecond

// unix returns a moment in seconds since 1970, to a microsecond. now is a reading of both clocks.
func (c *wallClock) unix(moment, now time.Time) float64 {
	r := c.last.Load()
	if r == nil || (now.Round(0).Sub(r.Round(0))-now.Sub(*r)).Abs() > clockTolerance {
		r = &now
		c.last.Store(r)
	}
	return float64(r.Round(0).Add(moment.Sub(*r)).UnixMicro()) / 1e6
}

// shown is the clock of all answers.
var shown wallClock

// unix returns a moment as all times are in the answers: in seconds since 1970.
func unix(moment time.Time) float64 { return shown.unix(moment, time.Now()) }
