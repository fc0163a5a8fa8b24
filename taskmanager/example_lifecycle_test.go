package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// A tree of tasks runs on a single worker, because a task that waits lends its slot.
func ExampleHandle_Wait_nested() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	book, err := m.SubmitFunc(ctx, "book", func(ctx context.Context) error {
		for n := range 2 {
			chapter, err := m.Submit(ctx, report{"chapter", n + 1})
			if err != nil {
				return err
			}
			if err := chapter.Wait(ctx); err != nil { // with the context of the waiting task
				return err
			}
		}
		fmt.Println("book")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(book.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// chapter/1
	// chapter/2
	// book
	// <nil>
	// <nil>
}

// The function is called when the task has ended and its name is free. It may submit the next task.
func ExampleWithOnEnd() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	over := make(chan struct{})
	var poll func(attempt int) error
	poll = func(attempt int) error {
		_, err := m.SubmitFunc(ctx, "poll", func(context.Context) error {
			return fmt.Errorf("answer %d", attempt)
		}, taskmanager.WithOnEnd(func(h *taskmanager.Handle) {
			fmt.Println(h.Name(), "has ended with", h.Err())
			if attempt == 3 || poll(attempt+1) != nil {
				close(over)
			}
		}))
		return err
	}
	if err := poll(1); err != nil {
		log.Fatal(err)
	}
	<-over
	fmt.Println(m.Stop(ctx))
	// Output:
	// poll has ended with answer 1
	// poll has ended with answer 2
	// poll has ended with answer 3
	// <nil>
}

// While a task waits for something outside the manager, another task uses its slot.
func ExampleBlocking() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	approved := make(chan struct{})
	release, err := m.SubmitFunc(ctx, "release", func(ctx context.Context) error {
		taskmanager.Blocking(ctx, func() {
			select {
			case <-approved:
			case <-ctx.Done():
			}
		})
		fmt.Println("released")
		return context.Cause(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.SubmitFunc(ctx, "approve", func(context.Context) error {
		fmt.Println("approved")
		close(approved)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(release.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// approved
	// released
	// <nil>
	// <nil>
}

// Drain runs the accepted tasks and refuses new ones.
func ExampleTaskManager_Drain() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	for n := range 3 {
		if _, err := m.Submit(context.Background(), report{"invoice", n + 1}); err != nil {
			log.Fatal(err)
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var late *taskmanager.DrainError
	if err := m.Drain(ctx); errors.As(err, &late) {
		log.Print("these did not run in time, and were cancelled: ", late.Cancelled, "; and these still run: ", late.Running)
	}
	_, err = m.Submit(context.Background(), report{"invoice", 4})
	fmt.Println(errors.Is(err, taskmanager.ErrStopped))
	// Output:
	// invoice/1
	// invoice/2
	// invoice/3
	// true
}

// WaitIdle waits for all tasks, including those that are submitted during the wait.
func ExampleTaskManager_WaitIdle() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = m.SubmitFunc(ctx, "crawl", func(ctx context.Context) error {
		fmt.Println("crawl")
		_, err := m.Submit(ctx, report{"page", 1})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.WaitIdle(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// crawl
	// page/1
	// <nil>
	// <nil>
}

// During a pause, tasks are accepted but not started.
func ExampleTaskManager_Pause() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	m.Pause() // for example while the database moves
	h, err := m.Submit(ctx, report{"daily", 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Status().Status)
	m.Resume()
	fmt.Println(h.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// not assigned
	// daily/1
	// <nil>
	// <nil>
}

// The bounds on the number of workers can change at any time.
func ExampleTaskManager_Resize() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, name := range []string{"first", "second"} {
		if _, err := m.SubmitFunc(ctx, name, untilCancelled); err != nil {
			log.Fatal(err)
		}
	}

	second, _ := m.Lookup("second")
	fmt.Println(second.Status().Status)
	if err := m.Resize(1, 2); err != nil {
		log.Fatal(err)
	}
	<-second.Started()
	fmt.Println(second.Status().Status)
	fmt.Println(m.Resize(3, 2))
	fmt.Println(m.Stop(ctx))
	// Output:
	// not assigned
	// running
	// taskmanager: Resize: the minimum, 3, exceeds the maximum, 2
	// <nil>
}

// PauseWait returns when no task runs, so that something can be changed that tasks use.
func ExampleTaskManager_PauseWait() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	database := "old"
	query := func(context.Context) error {
		_ = database
		return nil
	}
	for _, name := range []string{"query/1", "query/2", "query/3"} {
		if _, err := m.SubmitFunc(ctx, name, query); err != nil {
			log.Fatal(err)
		}
	}
	if err := m.PauseWait(ctx); err != nil { // ctx limits the wait
		log.Fatal(err)
	}
	database = "new"
	m.Resume()
	fmt.Println(m.WaitIdle(ctx), m.Counts().Succeeded)
	fmt.Println(m.Stop(ctx))
	// Output:
	// <nil> 3
	// <nil>
}
