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

// SetProgress sets the progress and the description in the status of a task. ctx is the context of
// the execution; with any other context, SetProgress does nothing. done may use any scale, such as
// 0 to 1. With an empty text, the description of the submit stays. SetProgress sends nothing:
// [Client.TaskStatus] and [Client.Lookup] ask the process for the progress.
func SetProgress(ctx context.Context, done float64, text string) {
	if d := deliveryOf(ctx); d != nil {
		d.progress.Store(&progress{done, text})
	}
}

// TaskID returns the id of the task that is executed with the context ctx: the one that [WithID]
// set at the submit, or a random one. It is the same for all executions of the task, in all
// processes, so it can serve as an idempotency key. For any other context it is empty.
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
