package batch_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// TestCloseBetweenTwoItems of a batch in a task: the second submit fails, before or after the task has
// begun to wait for that item.
func TestCloseBetweenTwoItems(t *testing.T) {
	for range 1000 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			h, err := m.SubmitFunc(t.Context(), "task", func(ctx context.Context) error {
				return batch.ForEach(ctx, m, "item", func(yield func(int) bool) {
					if yield(1) {
						_ = sleep(ctx, time.Minute)
						m.Close()
						yield(2)
					}
				}, func(context.Context, int) error { return nil })
			})
			check.Is(t, "SubmitFunc", err, nil)
			time.Sleep(time.Hour)
			select {
			case <-h.Done():
				check.Is(t, "the batch", h.Err(), taskmanager.ErrStopped)
			default:
				t.Error("the batch has not ended an hour after Close")
				h.Cancel()
			}
		})
	}
}
