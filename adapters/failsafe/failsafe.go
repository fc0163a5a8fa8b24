// Package failsafe puts the policies of github.com/failsafe-go/failsafe-go around the
// executions of tasks: rate limiters, circuit breakers, bulkheads, retries, timeouts.
//
//	limiter := ratelimiter.NewSmoothBuilder[any](10, time.Second).WithMaxWaitTime(time.Minute).Build()
//	m, err := taskmanager.Start(taskmanager.WithMiddleware(
//		failsafe.Middleware(failsafego.With(limiter)),
//	))
//
// The policies see every execution of every task of the manager. For those of some
// tasks only, wrap the middleware; see the second example.
//
// # Policies
//
// A policy that waits, such as a rate limiter or a bulkhead with a maximal wait, or a
// retry with a delay, keeps its worker meanwhile. For long waits the restart policies
// of the manager are better, which give the worker back; an execution that a policy
// refuses is a failure, after which the task may restart like after any other.
//
// The task runs on the goroutine of its worker. Therefore a hedge policy does not go
// with this package: it runs what it is given on goroutines of its own, and does not
// wait for them. An attempt on another goroutine fails with ErrGoroutine, without a call
// of the task. A timeout does go with it: it ends the context of an attempt, and
// waits until the task has returned.
//
// Executions have no result. What a policy is told to do with results, and a fallback
// returns as one, concerns the zero value of R.
//
// # Contexts
//
// The context of the task is the one that the policies wait with, and the task gets
// what the executor makes of it. A context of the executor's own, by its WithContext,
// is replaced.
//
// # How an execution ends
//
// It ends with the error that the executor returns, as it is: that of the task if no
// policy interfered, or one of failsafe's, which errors.Is finds, even in how the task
// ends: ratelimiter.ErrExceeded, circuitbreaker.ErrOpen, bulkhead.ErrFull,
// timeout.ErrExceeded, and retrypolicy.ErrExceeded, which wraps the last failure of the
// task (ReturnLastFailure of its builder gives that alone).
//
// When the context of the task is done, some policies would have its error in place of
// what the task returned, even of success. In place of that error an execution ends as
// its last attempt did, or, if there was none, with the cause of the context, such as
// ErrCancelled or ErrStopped of package taskmanager.
//
// A panic of the task counts as a failure with the policies, as a
// *taskmanager.PanicError, and ends the execution as such unless they retry it. One of
// a policy's own functions goes on to the manager. After runtime.Goexit no Go code can
// go on, so that no policy learns of it: a bulkhead does not get its permit back, nor
// does a circuit breaker that is half-open. Do not combine them with tasks that call it.
//
// # Concurrency
//
// A middleware is safe for concurrent use, as executors and policies are. An executor
// must not be composed or given listeners any more when it is in use.
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

// ErrGoroutine is how an attempt ends that a policy makes on another goroutine than that
// of the worker. Leave the policy out; in place of a hedge, retry, or submit two tasks.
var ErrGoroutine = errors.New("failsafe: a policy, such as a hedge, would run the task on another goroutine; leave it out")

// errNilExecutor is what Start fails with.
var errNilExecutor = errors.New("failsafe: nil executor; make one with failsafe.With and its policies")

// Middleware runs each execution of a task by an executor. It is for
// taskmanager.WithMiddleware; with a nil executor, Start fails.
func Middleware[R any](executor failsafe.Executor[R]) func(next taskmanager.Runner) taskmanager.Runner {
	return func(next taskmanager.Runner) taskmanager.Runner {
		if executor == nil {
			panic(errNilExecutor)
		}
		r := &runner[R]{executor: executor, next: next}
		return r.run
	}
}

// runner runs executions by an executor.
type runner[R any] struct {
	executor failsafe.Executor[R]
	next     taskmanager.Runner
	// inline is whether an attempt was seen on the goroutine of its worker. To find out
	// takes microseconds, and a policy does it in one way always.
	inline atomic.Bool
}

func (r *runner[R]) run(ctx context.Context, h *taskmanager.Handle) error {
	attempted, last := false, error(nil)
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
			return err
		})
	})
	if err == nil || err != ctx.Err() { //nolint:errorlint // failsafe passes it on as it is; the errors of a task may do as they like
		return err
	}
	if attempted {
		return last
	}
	return context.Cause(ctx)
}

// onWorker calls a function on the goroutine of the worker, and marks the stack for
// isOnWorker.
//
//go:noinline
func onWorker(execute func() error) error { return execute() }

// marker is the name of onWorker in stacks.
var marker = runtime.FuncForPC(reflect.ValueOf(onWorker).Pointer()).Name()

// isOnWorker reports whether onWorker is on the stack of its caller. The stack of another
// goroutine, which a policy has started, begins above it.
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

// attempt makes an error of a panic. If it went on, it would go past the policies: they
// would not count it, nor take their permits back.
func attempt(ctx context.Context, h *taskmanager.Handle, next taskmanager.Runner) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &taskmanager.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return next(ctx, h)
}
