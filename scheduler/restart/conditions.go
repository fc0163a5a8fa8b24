package restart

import (
	"errors"
	"fmt"
	"time"
)

// MaxAttempts restarts as inner says, but gives up after n failures in a row: so
// work runs at most n times before it succeeds. A nil inner means
// [Default].
//
// A run that lasted as long as inner's ResetAfter begins a new row (see
// [Resetter]). With an inner policy that does not forgive, such as Constant, all
// failures count however far apart; see [Intensity] for a count over time.
//
// An n below 1 is reported by Validate, and always gives up.
func MaxAttempts(n int, inner Policy) Policy {
	var fault error
	if n < 1 {
		fault = fmt.Errorf("restart: MaxAttempts: the number of attempts is %d; it must be 1 or more, the first run included", n)
	}
	return maxAttempts{over: decorate(inner, fault), n: n}
}

type maxAttempts struct {
	over
	n int
}

func (m maxAttempts) Next(f Failure) (time.Duration, bool) {
	if f.Attempt >= m.n {
		return 0, false
	}
	return m.next(f)
}

// When restarts as inner says after errors that restartable reports true for, and
// gives up after others: those that would only come again. The function is given
// Failure.Err and must be safe for concurrent use. A nil inner means
// [Default].
//
// A nil function is reported by Validate, and always gives up.
func When(restartable func(err error) bool, inner Policy) Policy {
	var fault error
	if restartable == nil {
		fault = errors.New("restart: When: the function restartable is nil; give one, or use the inner policy by itself")
	}
	return when{over: decorate(inner, fault), restartable: restartable}
}

type when struct {
	over
	restartable func(err error) bool
}

func (w when) Next(f Failure) (time.Duration, bool) {
	if w.restartable == nil || !w.restartable(f.Err) {
		return 0, false
	}
	return w.next(f)
}
