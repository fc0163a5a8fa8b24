package dashboard

import (
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
)

// When the wall clock is set, all moments move with it. Without that, a moment is always shown as the same time.
func TestTheWallClockIsSet(t *testing.T) {
	var c wallClock
	first := time.Now()
	second := first.Add(time.Minute)
	show := func(moment, now time.Time) time.Duration {
		return time.Duration(c.unix(moment, now)*1e6-float64(first.UnixMicro())) * time.Microsecond
	}
	for i, s := range []struct{ step, first, second time.Duration }{
		{0, 0, time.Minute},
		{5 * time.Millisecond, 0, time.Minute}, // the readings of the clocks vary
		{-time.Hour, -time.Hour, time.Minute - time.Hour},
		{0, 0, time.Minute},
		{time.Hour, time.Hour, time.Minute + time.Hour},
	} {
		now := clocktest.Stepped(second.Add(time.Duration(i)*time.Minute), s.step)
		if a, b := show(first, now), show(second, now); a != s.first || b != s.second {
			t.Errorf("set by %v: %v and %v after the first moment, want %v and %v", s.step, a, b, s.first, s.second)
		}
	}
}
