package batch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
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

// gate is an observer that holds up the submits of items.
type gate struct{ reached, open chan struct{} }

func (g *gate) BeginSubmit(_, onto context.Context, s observe.Submission) context.Context {
	if strings.HasPrefix(s.Name, "item") {
		close(g.reached)
		<-g.open
	}
	return onto
}

func (*gate) EndSubmit(context.Context, observe.Submission, error) {}

// TestItemThatIsAboutToBeRefused holds up no task that waits for the one of the batch: when the submit
// has failed, that one goes on.
func TestItemThatIsAboutToBeRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
		m := start(t, taskmanager.WithObserver(g), taskmanager.WithWorkers(0, 20), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
		outer, err := m.SubmitFunc(t.Context(), "outer", func(ctx context.Context) error {
			err := batch.ForEach(ctx, m, "item", numbers(1), func(context.Context, int) error { return nil }, batch.WithTaskOptions(taskmanager.WithKey("k")))
			check.Is(t, "the batch", err, taskmanager.ErrWouldDeadlock)
			return nil
		}, taskmanager.WithKey("k"))
		check.Is(t, "SubmitFunc", err, nil)
		<-g.reached
		waits := func(of string, on *taskmanager.Handle) *taskmanager.Handle {
			h, err := m.SubmitFunc(t.Context(), of, func(ctx context.Context) error { return on.Wait(ctx) })
			check.Is(t, "SubmitFunc", err, nil)
			synctest.Wait()
			return h
		}
		begin := make(chan struct{})
		first, err := m.SubmitFunc(t.Context(), "first", func(ctx context.Context) error {
			<-begin
			return outer.Wait(ctx)
		})
		check.Is(t, "SubmitFunc", err, nil)
		// Ten waiters exceed the first limit of the search for a cycle, so the search also follows the wait
		// for the outer task.
		for i := range 10 {
			waits(fmt.Sprint("waits ", i), first)
		}
		close(begin)
		synctest.Wait()
		close(g.open)
		check.Is(t, "the wait for the task", first.Wait(t.Context()), nil)
		idleSoon(t, m)
	})
}
