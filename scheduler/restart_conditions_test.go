package scheduler_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
)

func TestMaxAttemptsCountsFailuresInARow(t *testing.T) {
	p := scheduler.MaxAttempts(3, scheduler.Constant(time.Second))
	for attempt, want := range map[int]answer{
		0: after(time.Second), 1: after(time.Second), 2: after(time.Second), 3: givesUp, 4: givesUp, math.MaxInt: givesUp,
	} {
		wantEqual(t, fmt.Sprintf("answer to attempt %d", attempt),
			next(p, scheduler.Failure{Attempt: attempt, Recent: 100, Restarts: 100}), want)
	}
	once := scheduler.MaxAttempts(1, nil)
	wantEqual(t, "answer to the first of one", next(once, scheduler.Failure{Attempt: 1}), givesUp)
}

func TestWhenAsksAboutTheError(t *testing.T) {
	lasting := errors.New("lasting")
	asked := 0
	inner := scheduler.RestartFunc(func(scheduler.Failure) (time.Duration, bool) {
		asked++
		return time.Second, true
	})
	p := scheduler.When(func(err error) bool { return !errors.Is(err, lasting) }, inner)
	wantEqual(t, "answer to an error that passes", next(p, scheduler.Failure{Err: errors.New("passes")}), after(time.Second))
	wantEqual(t, "answer to none", next(p, scheduler.Failure{}), after(time.Second))
	wantEqual(t, "answer to an error that lasts", next(p, scheduler.Failure{Err: fmt.Errorf("mine: %w", lasting)}), givesUp)
	wantEqual(t, "times that the inner policy was asked", asked, 2)
	wantEqual(t, "answer of a nil function", next(scheduler.When(nil, inner), scheduler.Failure{}), givesUp)
}
