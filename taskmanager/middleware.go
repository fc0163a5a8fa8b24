package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Runner executes a task once. ctx is the context of the execution, or one derived
// from it.
type Runner func(ctx context.Context, h *Handle) error

// WithMiddleware puts something around every execution: to limit rates, to break
// circuits, to measure, to add values to the context. Each function is called once,
// when the manager starts, with the runner that it wraps; the first one given is the
// outermost. What a runner returns is how the execution ended. It may call next
// several times, or not at all; a panic in it counts as one of the task. It must
// call next on the goroutine on which it was called, and not when it has returned.
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

// newRunner wraps the innermost runner; with no middleware there is none.
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

// execute is the innermost runner.
func execute(ctx context.Context, h *Handle) error {
	h.mu.Lock()
	task := h.task
	h.mu.Unlock()
	if task == nil {
		return fmt.Errorf("taskmanager: a middleware ran the task %q, which has ended", h.name)
	}
	return task.Execute(ctx)
}
