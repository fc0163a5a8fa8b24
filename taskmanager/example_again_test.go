package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// An import looks for its file every 10 milliseconds. That the file is not there yet is no failure,
// so it needs no restart policy.
func ExampleNotYet() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	looks := 0
	h, err := m.SubmitFunc(ctx, "import", func(context.Context) error {
		if looks++; looks < 3 {
			return taskmanager.NotYet(10 * time.Millisecond)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Wait(ctx))
	s := h.Status()
	fmt.Printf("%d executions, %d restarts\n", s.Attempt, s.Restarts)
	_ = m.Stop(ctx)
	// Output:
	// <nil>
	// 3 executions, 0 restarts
}

// A report waits for a query that it submits. The query has the priority of the report, so it does
// not wait behind the newsletters.
func ExampleWithInherit() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Priority(0)))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	say := func(what string) func(context.Context) error {
		return func(context.Context) error { fmt.Println(what); return nil }
	}
	m.Pause() // until all are queued
	_, _ = m.SubmitFunc(ctx, "newsletter", say("newsletter"), taskmanager.WithPriority(5))
	_, _ = m.SubmitFunc(ctx, "report", func(ctx context.Context) error {
		query, err := m.SubmitFunc(ctx, "query", say("query"), taskmanager.WithInherit())
		if err != nil {
			return err
		}
		return query.Wait(ctx) // lends the only slot
	}, taskmanager.WithPriority(10))
	m.Resume()
	fmt.Println(m.WaitIdle(ctx))
	_ = m.Stop(ctx)
	// Output:
	// query
	// newsletter
	// <nil>
}

// A task comes from a queue that several processes share, where it has failed once. It fails again,
// and its new history goes back to that queue.
func ExampleWithOrigin() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	h, err := m.SubmitFunc(ctx, "mail/42", func(context.Context) error { return errors.New("no route to host") },
		taskmanager.WithOrigin(restart.State{Attempts: 1, Row: 1, Previous: time.Second}),
		taskmanager.WithRestart(restart.MaxAttempts(5, restart.Constant(time.Second))))
	if err != nil {
		log.Fatal(err)
	}
	err = h.Wait(ctx)
	if over, ok := errors.AsType[*taskmanager.HandedOver](err); ok {
		s := over.State // store it
		fmt.Printf("execution %d failed, the %dnd in a row; again in %v\n", s.Attempts, s.Row, s.Delay)
	}
	fmt.Println(err)
	_ = m.Stop(ctx)
	// Output:
	// execution 2 failed, the 2nd in a row; again in 1s
	// taskmanager: handed over after execution 2, to run again in 1s: no route to host
}

// A program fetches work for the workers that are free, and no more.
func ExampleTaskManager_WaitRoom() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(0, 4))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	work := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} // in a shared queue
	for len(work) > 0 {
		n, err := m.WaitRoom(ctx, 0)
		if err != nil {
			log.Fatal(err)
		}
		batch := work[:min(n, len(work))]
		work = work[len(batch):]
		for _, name := range batch {
			if _, err := m.SubmitFunc(ctx, name, func(context.Context) error { return nil }); err != nil {
				log.Fatal(err)
			}
		}
	}
	fmt.Println(m.Drain(ctx), m.Counts().Succeeded)
	// Output:
	// <nil> 10
}

// A worker loses the lease of a task, and cancels it for that reason.
func ExampleHandle_CancelCause() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	errLeaseLost := errors.New("lease lost")
	h, err := m.SubmitFunc(ctx, "mail/42", func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
	h.CancelCause(errLeaseLost)
	err = h.Wait(ctx)
	fmt.Println(errors.Is(err, errLeaseLost), errors.Is(err, taskmanager.ErrCancelled))
	_ = m.Stop(ctx)
	// Output:
	// true true
}
