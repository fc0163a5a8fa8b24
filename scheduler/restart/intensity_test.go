package restart_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// TestIntensityHoldsInEveryWindow checks that a task that fails repeatedly is restarted at
// most the given number of times within any window, and is given up only when one more
// restart would exceed it.
func TestIntensityHoldsInEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		restarts := rapid.IntRange(1, 6).Draw(t, "restarts")
		window := time.Duration(rapid.IntRange(1, 100).Draw(t, "window"))
		pace := 1 + 2*int(window)/restarts // so that some tasks are given up late, and some never
		wait := rapid.IntRange(0, pace)
		p := restart.Intensity(restarts, window, restart.Func(
			func(restart.Failure) (time.Duration, bool) { return time.Duration(wait.Draw(t, "delay")), true }))

		now := time.Unix(1000, 0)
		var due []time.Time // of the restarts
		recent := func() (n int) {
			for _, d := range due {
				if d.After(now.Add(-p.(restart.Windower).Window())) {
					n++
				}
			}
			return n
		}
		for attempt := 1; attempt <= 50; attempt++ {
			now = now.Add(time.Duration(wait.Draw(t, "run")))
			f := restart.Failure{Attempt: attempt, Recent: recent(), Now: now}
			got := next(p, f)
			if !got.OK {
				if f.Recent < restarts {
					t.Fatalf("given up after %d restarts in the last %v, want %d allowed", f.Recent, window, restarts)
				}
				break
			}
			now = now.Add(got.Delay)
			due = append(due, now)
		}
		for last, end := range due {
			n := 0
			for _, d := range due[:last+1] {
				if d.After(end.Add(-window)) {
					n++
				}
			}
			if n > restarts {
				t.Fatalf("%d restarts in the %v up to restart %d, want at most %d; they were due at %v", n, window, last+1, restarts, due)
			}
		}
	})
}

func TestIntensityGivesUpAtOneTooMany(t *testing.T) {
	p := restart.Intensity(3, time.Second, restart.Constant(time.Minute))
	for recent, want := range []answer{after(time.Minute), after(time.Minute), after(time.Minute), givesUp, givesUp} {
		// Neither the length of the row nor the restarts of other tasks count.
		f := restart.Failure{Attempt: 1000, Recent: recent, Starts: 5, Restarts: 5000}
		check.Equal(t, "answer", next(p, f), want)
	}
	check.Equal(t, "Window", window(p), time.Second)
	long := capable{Policy: restart.Constant(0), window: time.Hour}
	check.Equal(t, "Window over a longer one", window(restart.Intensity(3, time.Second, long)), time.Hour)
	check.Equal(t, "Window over a shorter one", window(restart.Intensity(3, 2*time.Hour, long)), 2*time.Hour)
}
