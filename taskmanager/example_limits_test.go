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

// An execution that takes too long is cancelled, and the task may restart.
func ExampleWithTimeout() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	attempt := 0
	h, err := m.SubmitFunc(ctx, "fetch", func(ctx context.Context) error {
		attempt++
		if attempt == 1 {
			<-ctx.Done() // the server does not answer
			fmt.Println(context.Cause(ctx))
			return ctx.Err()
		}
		return nil
	}, taskmanager.WithTimeout(10*time.Millisecond), taskmanager.WithRestart(restart.MaxAttempts(1_000, restart.Constant(0))))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: the task ran for longer than its time limit
	// <nil>
	// <nil>
}

// A late answer is useless, so the task gives up if it does not get a worker in time.
func ExampleWithQueueTimeout() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	busy, err := m.SubmitFunc(ctx, "busy", untilCancelled)
	if err != nil {
		log.Fatal(err)
	}

	h, err := m.SubmitFunc(ctx, "answer", func(context.Context) error {
		fmt.Println("this does not run")
		return nil
	}, taskmanager.WithQueueTimeout(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	err = h.Wait(ctx)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	busy.Cancel()
	fmt.Println(m.Stop(ctx))
	// Output:
	// taskmanager: the task waited for longer than its time limit
	// true
	// <nil>
}

// A deadline limits the task as a whole: its wait in the queue, its executions and the
// delays between them.
func ExampleWithDeadline() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	h, err := m.SubmitFunc(ctx, "bid", func(context.Context) error {
		return errors.New("the auction does not answer")
	},
		taskmanager.WithRestart(restart.Constant(time.Hour)),
		taskmanager.WithDeadline(time.Now().Add(time.Second)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(h.Wait(ctx), taskmanager.ErrDeadlineExceeded)) // after a second, not an hour

	_, err = m.SubmitFunc(ctx, "bid", untilCancelled, taskmanager.WithDeadline(time.Now()))
	fmt.Println(errors.Is(err, taskmanager.ErrDeadlineExceeded)) // refused by the submit
	fmt.Println(m.Stop(ctx))
	// Output:
	// true
	// true
	// <nil>
}

// A task continues after the request that submitted it, unless it is linked to the
// context of the request.
func ExampleWithLinkedContext() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		log.Fatal(err)
	}
	request, over := context.WithCancelCause(context.Background())

	audit, err := m.SubmitFunc(request, "audit", untilCancelled)
	if err != nil {
		log.Fatal(err)
	}
	preview, err := m.SubmitFunc(request, "preview", untilCancelled, taskmanager.WithLinkedContext())
	if err != nil {
		log.Fatal(err)
	}
	gone := errors.New("the user has left")
	over(gone)

	ctx := context.Background()
	err = preview.Wait(ctx)
	fmt.Println("preview:", errors.Is(err, taskmanager.ErrCancelled), errors.Is(err, gone))
	fmt.Println("audit:", audit.Err())
	fmt.Println(m.Stop(ctx))
	// Output:
	// preview: true true
	// audit: <nil>
	// <nil>
}

// The cause of its context tells a task why it is cancelled.
func ExampleTaskManager_Cancel() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(4, 4))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	reasons := make(chan string)
	work := func(ctx context.Context) error {
		<-ctx.Done()
		cause := context.Cause(ctx)
		switch {
		case errors.Is(cause, taskmanager.ErrGroupFailed):
			reasons <- "another task of the group has failed"
		case errors.Is(cause, taskmanager.ErrCancelled):
			reasons <- "it was cancelled"
		case errors.Is(cause, taskmanager.ErrTimeout):
			reasons <- "it takes too long"
		case errors.Is(cause, taskmanager.ErrStopped):
			reasons <- "the manager stops"
		}
		return cause
	}
	start := func(opts ...taskmanager.TaskOption) {
		h, err := m.SubmitFunc(ctx, "import", work, opts...)
		if err != nil {
			log.Fatal(err)
		}
		<-h.Started()
	}

	start()
	fmt.Println("found:", m.Cancel("import"))
	fmt.Println(<-reasons)
	if err := m.WaitIdle(ctx); err != nil { // until the name is free again
		log.Fatal(err)
	}

	start(taskmanager.WithTimeout(time.Millisecond))
	fmt.Println(<-reasons)

	g := m.Group(ctx)
	_ = g.Go("export", work)
	if h, ok := m.Lookup("export"); ok {
		<-h.Started()
	}
	_ = g.Go("verify", func(context.Context) error { return errors.New("no space left") })
	fmt.Println(<-reasons)
	if err := m.WaitIdle(ctx); err != nil {
		log.Fatal(err)
	}

	start()
	stopped := make(chan error)
	go func() { stopped <- m.Stop(ctx) }()
	fmt.Println(<-reasons)
	fmt.Println(<-stopped)
	// Output:
	// found: true
	// it was cancelled
	// it takes too long
	// another task of the group has failed
	// the manager stops
	// <nil>
}
