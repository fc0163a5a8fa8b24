package restart_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

func TestMaxAttemptsCountsFailuresInARow(t *testing.T) {
	p := restart.MaxAttempts(3, restart.Constant(time.Second))
	for attempt, want := range map[int]answer{
		0: after(time.Second), 1: after(time.Second), 2: after(time.Second), 3: givesUp, 4: givesUp, math.MaxInt: givesUp,
	} {
		check.Equal(t, fmt.Sprintf("answer to attempt %d", attempt),
			next(p, restart.Failure{Attempt: attempt, Recent: 100, Restarts: 100}), want)
	}
	once := restart.MaxAttempts(1, nil)
	check.Equal(t, "answer to the first of one", next(once, restart.Failure{Attempt: 1}), givesUp)
}

func TestWhenAsksAboutTheError(t *testing.T) {
	lasting := errors.New("lasting")
	asked := 0
	inner := restart.Func(func(restart.Failure) (time.Duration, bool) {
		asked++
		return time.Second, true
	})
	p := restart.When(func(err error) bool { return !errors.Is(err, lasting) }, inner)
	check.Equal(t, "answer to an error that passes", next(p, restart.Failure{Err: errors.New("passes")}), after(time.Second))
	check.Equal(t, "answer to none", next(p, restart.Failure{}), after(time.Second))
	check.Equal(t, "answer to an error that lasts", next(p, restart.Failure{Err: fmt.Errorf("mine: %w", lasting)}), givesUp)
	check.Equal(t, "times that the inner policy was asked", asked, 2)
	check.Equal(t, "answer of a nil function", next(restart.When(nil, inner), restart.Failure{}), givesUp)
}
