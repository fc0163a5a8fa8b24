package nats

import (
	"context"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// deliveryKey is the key of the context value that holds the delivery of a task.
type deliveryKey struct{}

// progress is what SetProgress has set.
type progress struct {
	done float64
	text string
}

// SetProgress sets the progress and the description that the status of a task shows. ctx is the
// context of the execution; for any other one SetProgress does nothing. done is on any scale, such as 0 to 1. An
// empty text leaves the description of the submit. It sends nothing: [Client.TaskStatus] and
// [Client.Lookup] ask for the progress.
func SetProgress(ctx context.Context, done float64, text string) {
	if d := deliveryOf(ctx); d != nil {
		d.progress.Store(&progress{done, text})
	}
}

// TaskID returns the id of the task whose execution has the context ctx: the id that [WithID] set
// at its submit. It is the same for all executions of the task, in all processes, so it can serve
// as an idempotency key. It is empty for any other context.
func TaskID(ctx context.Context) string {
	if d := deliveryOf(ctx); d != nil {
		return d.env.ID
	}
	return ""
}

// deliveryOf returns the delivery of the execution with the context ctx. A task that the handler submits to
// the manager with its context carries the value too, and is not the one.
func deliveryOf(ctx context.Context) *delivery {
	if ctx == nil {
		return nil
	}
	d, _ := ctx.Value(deliveryKey{}).(*delivery)
	if d == nil {
		return nil
	}
	if h, ok := taskmanager.FromContext(ctx); ok && h.Name() != d.env.Name {
		return nil
	}
	return d
}
