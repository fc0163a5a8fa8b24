// Package failsafe applies the policies of github.com/failsafe-go/failsafe-go to the executions of
// tasks: rate limiters, circuit breakers, bulkheads, retries and timeouts.
//
//	limiter := ratelimiter.NewSmoothBuilder[any](10, time.Second).WithMaxWaitTime(time.Minute).Build()
//	m, err := taskmanager.Start(taskmanager.WithMiddleware(
//		failsafe.Middleware(failsafego.With(limiter)),
//	))
//
// The policies apply to every execution of every task of the manager. To apply them to some tasks
// only, wrap the middleware; see the example of a circuit breaker.
//
// # Policies
//
// A policy that waits keeps the worker of the task: a rate limiter or a bulkhead with a maximum
// wait, or a retry with a delay. For long waits use the restart policies of the manager, which
// release the worker. An execution that a policy rejects is a failure, after which the task may
// restart.
//
// Policies must call the task on the goroutine of its worker. A hedge policy does not: it starts
// goroutines and does not wait for them. An attempt on another goroutine fails with [ErrGoroutine]
// and does not call the task. A timeout works: it ends the context of the attempt, and waits until
// the task has returned.
//
// Executions have no result. A policy that handles results sees the zero value of R, and the result
// of a fallback is ignored.
//
// A task that returns [taskmanager.NotYet] has not failed: the policies see a success. Then the
// execution ends with that error, so the task runs again later.
//
// # Contexts
//
// Policies wait with the context of the task. The task gets the context of the attempt, which the
// executor derives from it. A context set with WithContext of the executor is replaced.
//
// # Errors
//
// The execution ends with the error that the executor returns: the error of the task or, if a policy
// intervened, one of ratelimiter.ErrExceeded, circuitbreaker.ErrOpen, bulkhead.ErrFull,
// timeout.ErrExceeded and retrypolicy.ErrExceeded. [errors.Is] finds it in the error of the handle.
// retrypolicy.ErrExceeded wraps the last failure of the task; with ReturnLastFailure of the builder,
// the execution ends with that failure alone.
//
// When the context of the task is done, some policies return its error even if the task succeeded.
// The execution then ends as its last attempt did or, if there was no attempt, with the cause of the
// context, such as [taskmanager.ErrCancelled] or [taskmanager.ErrStopped].
//
// A panic of the task is a failure for the policies, with a [*taskmanager.PanicError]. The execution
// ends with it unless a policy retries. A panic in a function of a policy propagates to the manager.
//
// Policies do not learn of a [runtime.Goexit] in the task: a bulkhead does not get its permit back,
// and a half-open circuit breaker stays half-open. Do not use these policies with tasks that call
// Goexit.
//
// # Concurrency
//
// A middleware is safe for concurrent use, as executors and policies are. Do not compose an executor
// or add listeners to it once it is in use.
package failsafe

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/failsafe-go/failsafe-go"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// ErrGoroutine is the error of an attempt that a policy makes on a goroutine other than that of the
// worker. Remove the policy. Instead of a hedge policy use retries, or submit two tasks.
var ErrGoroutine = errors.New("failsafe: a policy, such as a hedge, would run the task on another goroutine; leave it out")

// errNilExecutor is the reason for which Start fails.
var errNilExecutor = errors.New("failsafe: nil executor; make one with failsafe.With and its policies")

// Middleware returns a middleware for [taskmanager.WithMiddleware] that runs each execution through
// an executor. If the executor is nil, [taskmanager.Start] returns an error.
func Middleware[R any](executor failsafe.Executor[R]) func(next taskmanager.Runner) taskmanager.Runner {
	return func(next taskmanager.Runner) taskmanager.Runner {
		if executor == nil {
			panic(errNilExecutor)
		}
		r := &runner[R]{executor: executor, next: next}
		return r.run
	}
}

// runner runs executions through an executor.
type runner[R any] struct {
	executor failsafe.Executor[R]
	next     taskmanager.Runner
	// inline is set when an attempt ran on the goroutine of its worker. The check takes
	// microseconds, and its result is always the same for the same policies.
	inline atomic.Bool
}

func (r *runner[R]) run(ctx context.Context, h *taskmanager.Handle) error {
	attempted, last := false, error(nil) // last is the error of the last attempt
	err := onWorker(func() error {
		return r.executor.WithContext(ctx).RunWithExecution(func(exec failsafe.Execution[R]) error {
			if !r.inline.Load() {
				if !isOnWorker() {
					return ErrGoroutine
				}
				r.inline.Store(true)
			}
			err := attempt(exec.Context(), h, r.next)
			attempted, last = true, err
			if postpones(err) {
				return nil
			}
			return err
		})
	})
	if err == nil && postpones(last) {
		return last
	}
	if err == nil || err != ctx.Err() { //nolint:errorlint // failsafe returns this very error; an error of the task may match it too
		return err
	}
	if attempted {
		return last
	}
	return context.Cause(ctx)
}

// postpones reports whether an execution that ends with err has not failed, and is to run again; see
// [taskmanager.ErrNotYet].
func postpones(err error) bool {
	if _, crashed := errors.AsType[*taskmanager.PanicError](err); crashed {
		return false
	}
	for err != nil && err != taskmanager.ErrNotYet { //nolint:errorlint // a failure to which it is joined counts
		err = errors.Unwrap(err)
	}
	return err != nil
}

// onWorker calls execute, on the goroutine of the worker. Its frame marks the stack for isOnWorker.
//
//go:noinline
func onWorker(execute func() error) error { return execute() }

// marker is the function name of onWorker in a stack.
var marker = runtime.FuncForPC(reflect.ValueOf(onWorker).Pointer()).Name()

// isOnWorker reports whether onWorker is on the stack of the calling goroutine. It is not on the
// stack of a goroutine that a policy has started.
func isOnWorker() bool {
	const size = 32
	var pcs [size]uintptr
	for skip, n := 1, size; n == size; skip += n {
		n = runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for more := n > 0; more; {
			var frame runtime.Frame
			if frame, more = frames.Next(); frame.Function == marker {
				return true
			}
		}
	}
	return false
}

// attempt calls next and returns a panic as an error. A panic that propagated through the policies
// would not be counted, and would not return their permits.
func attempt(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &taskmanager.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return next(ctx, h)
}
