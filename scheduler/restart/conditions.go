package restart

import (
	"errors"
	"fmt"
	"time"
)

// MaxAttempts returns a policy that gives up after n failures in a row, so work runs at
// most n times until it succeeds. Before that, inner decides. A nil inner means [Default].
//
// A run of at least inner's ResetAfter starts a new row (see [Resetter]). With an inner
// policy that has none, such as [Constant], all failures count, however far apart. Use
// [Intensity] to count over time.
//
// An n below 1 always gives up, and Validate reports it.
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

// When returns a policy that gives up after errors for which restartable returns false,
// because a restart would not cure them. For other errors, inner decides. The function
// gets [Failure.Err] and must be safe for concurrent use. A nil inner means [Default].
//
// A nil function always gives up, and Validate reports it.
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
