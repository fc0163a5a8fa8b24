package batch_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/batch"
)

// TestCycleAtTheEnd: an item submits a task that runs inside the submit and waits for the task that
// runs the batch. The end of the batch waits for the item, so the wait would never end. It is refused,
// whether it begins before the end of the batch or during it, and whatever ends the batch.
func TestCycleAtTheEnd(t *testing.T) {
	for _, ending := range []string{"break", "failure", "context", "sequence"} {
		for _, during := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, during the end %t", ending, during), func(t *testing.T) {
				bubble(t, func(t *testing.T) { cycleAtTheEnd(t, ending, during) })
			})
		}
	}
}

func cycleAtTheEnd(t *testing.T, ending string, during bool) {
	m := start(t, taskmanager.WithWorkers(0, 2), taskmanager.WithLimit(0, taskmanager.CallerRuns))
	refused := make(chan error, 1)
	inside := make(chan struct{})
	outer, err := m.SubmitFunc(t.Context(), "outer", func(ctx context.Context) error {
		self, _ := taskmanager.FromContext(ctx)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		submits := func(item context.Context) error {
			_, err := m.SubmitFunc(item, "inside", func(context.Context) error {
				if during {
					close(inside)
					<-item.Done()
				}
				err := self.Wait(context.Background())
				refused <- err
				if !during {
					close(inside)
					<-item.Done()
				}
				return err
			})
			return err
		}
		items := func(yield func(int) bool) {
			if !yield(0) || !yield(1) {
				return
			}
			if ending == "sequence" {
				panic(errFailed)
			}
		}
		for _, err := range batch.Map(ctx, m, "item", items, func(ctx context.Context, i int) (int, error) {
			if i == 1 {
				return i, submits(ctx)
			}
			<-inside
			switch ending {
			case "failure":
				return i, errFailed
			case "context":
				cancel()
			}
			return i, nil
		}, inFlight(2)) {
			switch ending {
			case "break", "sequence":
				return err
			case "failure":
				check.Is(t, "the failed item", err, errFailed)
			}
		}
		return nil
	})
	check.Is(t, "SubmitFunc", err, nil)
	check.Is(t, "the task", outer.Wait(t.Context()), nil)
	check.Is(t, "the wait for the task", <-refused, taskmanager.ErrWouldDeadlock)
	idle(t, m)
}
