package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Runner runs one execution of a task and returns its error. ctx is the context of the
// execution or derived from it. See [WithMiddleware].
type Runner func(ctx context.Context, h *Handle) error

// WithMiddleware wraps every execution of a task, for example to limit rates, to break
// circuits, to measure, or to add values to the context.
//
// Each function is called once, when the manager starts, with the next inner runner; it
// returns the runner that wraps it. The first function is the outermost. The error that a
// runner returns is the error of the execution. An error that matches [ErrNotYet] is no failure
// of the task: a runner that retries or counts failures returns it and does nothing else. A runner
// may call next several times or not at all, but only on its own goroutine and before it returns.
// A panic in a runner counts as a panic of the task. Runners must be safe for concurrent use.
func WithMiddleware(middleware ...func(next Runner) Runner) Option {
	var faults []error
	for i, mw := range middleware {
		faults = append(faults, fault(mw == nil, "function %d is nil", i+1))
	}
	return option{
		name:  "WithMiddleware",
		set:   func(c *config) { c.middleware = middleware },
		fault: errors.Join(faults...),
	}
}

// newRunner returns the outermost runner, or nil if there is no middleware.
func newRunner(middleware []func(Runner) Runner) (run Runner, err error) {
	if len(middleware) == 0 {
		return nil, nil
	}
	run = execute
	for i, wrap := range slices.Backward(middleware) {
		err := guarded(func() error {
			run = wrap(run)
			return fault(run == nil, "it returned no runner")
		})
		if err != nil {
			return nil, fmt.Errorf("taskmanager: WithMiddleware: function %d: %w", i+1, err)
		}
	}
	return run, nil
}

// execute is the innermost runner. It calls the Execute method of the task.
func execute(ctx context.Context, h *Handle) error {
	h.word.Lock()
	task := h.task
	h.word.Unlock()
	return task.Execute(ctx)
}
