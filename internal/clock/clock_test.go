package clock_test

import (
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
)

const day = 24 * time.Hour

var steps = []time.Duration{day, -day, 400 * time.Millisecond, -400 * time.Millisecond, -700 * time.Millisecond, 11 * time.Millisecond}

// TestSteppedMovesOnlyTheWallTime checks the tool of the other tests.
func TestSteppedMovesOnlyTheWallTime(t *testing.T) {
	now := time.Now()
	for ns := time.Duration(0); ns < time.Second; ns += time.Second / 10 {
		for _, d := range steps {
			before := now.Add(ns)
			after := clocktest.Stepped(before, d)
			check.Equal(t, "the wall time moved by", after.Round(0).Sub(before.Round(0)), d)
			check.Equal(t, "the monotonic reading moved by", after.Sub(before), 0)
		}
	}
}

func TestStepLastsUntilTheEndOfTheTest(t *testing.T) {
	t.Run("", func(t *testing.T) {
		clocktest.Step(t, day)
		clocktest.Step(t, -3*day)
		check.Equal(t, "the wall clock moved by", clock.Now().Round(0).Sub(time.Now().Round(0)).Round(time.Minute), -2*day)
	})
	check.Equal(t, "the clock is still set", clock.Set.Load() != nil, false)
}

// conversions checks that a pinned time stays the same moment when the wall clock is set, and is
// then displayed by the new wall clock.
func conversions(t *testing.T, step time.Duration) {
	nearly := func(what string, got, want time.Duration) {
		t.Helper()
		if d := got - want; d < -9*time.Millisecond || d > 9*time.Millisecond {
			t.Errorf("step %v: %s: %v, want %v", step, what, got, want)
		}
	}
	start := time.Now()
	at := start.Round(0).Add(time.Hour)
	pinned := clock.Pin(at)
	nearly("the time until the pinned moment", pinned.Sub(start), time.Hour)
	nearly("the displayed time", clock.Wall(pinned).Round(0).Sub(at), 0)
	clocktest.Step(t, step)
	nearly("after the step: the displayed time", clock.Wall(pinned).Round(0).Sub(at), step)
	nearly("after the step: the displayed time of a moment before it", clock.Wall(start).Round(0).Sub(at), step-time.Hour)
	nearly("pinned after the step: the time until the moment", clock.Pin(at).Sub(start), time.Hour-step)
}

func TestAPinnedTimeDoesNotFollowTheWallClock(t *testing.T) {
	for _, step := range steps {
		t.Run(step.String(), func(t *testing.T) { conversions(t, step) }) // the real clocks
		synctest.Test(t, func(t *testing.T) { conversions(t, step) })
		at := time.Now().Round(0).Add(time.Hour)
		check.Equal(t, "a pinned time has a monotonic reading", clock.Monotonic(clock.Pin(at)), true)
		check.Equal(t, "its wall time", clock.Pin(at).Round(0).Equal(at), true)
	}
}

// TestEqualTimesArePinnedToEqualMoments uses the real clocks, whose readings are not made at the
// same moment, and several goroutines.
func TestEqualTimesArePinnedToEqualMoments(t *testing.T) {
	synctest.Test(t, func(*testing.T) { clock.Pin(time.Now()) }) // so that the goroutines need a new reading
	at := time.Now().Round(0).Add(time.Hour)
	moments := make([]map[time.Duration]bool, 8)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range moments {
		moments[i] = map[time.Duration]bool{}
		wg.Go(func() {
			for range 10_000 {
				moments[i][clock.Pin(at).Sub(start)] = true
			}
		})
	}
	wg.Wait()
	all := map[time.Duration]bool{}
	for _, some := range moments {
		maps.Copy(all, some)
	}
	check.Equal(t, "moments to which one time was pinned", len(all), 1)
}

// TestASuspendedReadingIsNoStep pretends that the operating system suspends the thread between the
// two clocks of every third reading, so that the wall time of the reading is early.
func TestASuspendedReadingIsNoStep(t *testing.T) {
	for first := range 3 { // the first reading that is early
		synctest.Test(t, func(t *testing.T) {
			readings := first
			set := func(now time.Time) time.Time {
				if readings++; readings%3 == 0 {
					return now.Add(-time.Duration(readings) * 50 * time.Millisecond)
				}
				return now
			}
			clock.Set.Store(&set)
			t.Cleanup(func() { clock.Set.Store(nil) })
			at := time.Now().Add(time.Hour)
			for range 10 {
				check.Equal(t, "the moment is late by", clock.Pin(at).Sub(at), 0)
				check.Equal(t, "the displayed time is late by", clock.Wall(at).Sub(at), 0)
			}
		})
	}
}

// TestAStepIsNoticedOnce lets another caller notice a step of the wall clock while Pin reads the
// clocks. Both use the same reading from then on, although each reading differs a little.
func TestAStepIsNoticedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(time.Hour)
		clock.Pin(at)
		var other time.Time
		readings := 0
		set := func(now time.Time) time.Time {
			readings++
			late := time.Duration(readings) * time.Millisecond
			if readings == 2 {
				other = clock.Pin(at)
			}
			return now.Add(day + late)
		}
		clock.Set.Store(&set)
		t.Cleanup(func() { clock.Set.Store(nil) })
		check.Equal(t, "the moments differ by", clock.Pin(at).Sub(other), 0)
	})
}

// TestAMomentWithAMonotonicReadingIsPinnedAlready checks a time that a user has computed from
// time.Now before the wall clock was set.
func TestAMomentWithAMonotonicReadingIsPinnedAlready(t *testing.T) {
	at := time.Now().Add(time.Hour)
	clocktest.Step(t, day)
	check.Equal(t, "the moment moved by", clock.Pin(at).Sub(at), 0)
}

// TestDistantTimesAreNotPinned checks times that a duration cannot reach.
func TestDistantTimesAreNotPinned(t *testing.T) {
	for _, at := range []time.Time{time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), {}} {
		check.Equal(t, "Pin", clock.Pin(at), at)
	}
	check.Equal(t, "Pin of a time without a reading", clock.Pin(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
}
