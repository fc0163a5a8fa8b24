package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Two functions run under their names. One of them panics, which is reported as its
// error.
func Example() {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 100))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	ok, err := m.SubmitFunc(ctx, "mail/1", func(context.Context) error { return nil })
	if err != nil {
		log.Fatal(err)
	}
	bad, err := m.SubmitFunc(ctx, "mail/2", func(context.Context) error { panic("no address") })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ok.Wait(ctx))
	fmt.Println(bad.Wait(ctx))
	fmt.Println(m.Stop(ctx))
	// Output:
	// <nil>
	// panicked: no address
	// <nil>
}

// counter is a task that reports its progress and restarts after a failure.
type counter struct {
	to, done int
	failed   bool
}

func (c *counter) Name() string        { return "counter" }
func (c *counter) Description() string { return fmt.Sprintf("counts to %d", c.to) }

func (c *counter) Progress() (float64, error) { return float64(c.done) / float64(c.to), nil }

func (c *counter) Execute(context.Context) error {
	for ; c.done < c.to; c.done++ {
		if c.done == 2 && !c.failed {
			c.failed = true
			return errors.New("lost count")
		}
	}
	return nil
}

func (c *counter) Restart(_ context.Context, err error) bool {
	fmt.Println("restart after:", err)
	return true
}

// A task fails once, restarts, and reports its progress.
func ExampleRestartableTask() {
	m := taskmanager.New(1, 4, time.Minute, nil)
	h, err := m.Submit(context.Background(), &counter{to: 5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Wait(context.Background()))
	fmt.Println(h.Status().Restarts, "restart")
	fmt.Println(m.Stop(context.Background()))
	// Output:
	// restart after: lost count
	// <nil>
	// 1 restart
	// <nil>
}

// The name of an outstanding task is taken.
func ExampleTaskManager_Go() {
	m := taskmanager.New(1, 4, time.Minute, nil)
	work := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	started, err := m.GoFunc("report", work)
	if err != nil {
		log.Fatal(err)
	}
	<-started
	for id, w := range m.Status() {
		fmt.Println(id, w.TaskName, w.Status)
	}
	_, err = m.GoFunc("report", work)
	fmt.Println(err == taskmanager.ErrAlreadyExists) //nolint:errorlint // == is what is promised
	fmt.Println(m.Stop(context.Background()))
	// Output:
	// 1 report running
	// true
	// <nil>
}

// If the context ends first, the error of Stop names the tasks that are still running.
func ExampleTaskManager_Stop() {
	m := taskmanager.New(1, 4, time.Minute, nil)
	finish := make(chan struct{})
	started, err := m.GoFunc("ignores its context", func(context.Context) error {
		<-finish
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	<-started

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	var stopErr *taskmanager.StopError
	if err := m.Stop(ctx); errors.As(err, &stopErr) {
		fmt.Println("still running:", strings.Join(stopErr.Running, ", "))
	}
	close(finish)
	fmt.Println(m.Stop(context.Background()))
	// Output:
	// still running: ignores its context
	// <nil>
}

// Start reports all invalid options at once.
func ExampleStart_errors() {
	_, err := taskmanager.Start(
		taskmanager.WithWorkers(10, 5),
		taskmanager.WithIdleTimeout(-time.Second),
	)
	fmt.Println(err)
	// Output:
	// taskmanager: WithWorkers: the minimum, 10, exceeds the maximum, 5
	// taskmanager: WithIdleTimeout: the timeout is -1s; it must be positive, and there is NoIdleTimeout
}

// The delay before a restart grows with each failure in a row, up to a minute.
func ExampleWithRestart() {
	m, err := taskmanager.Start(
		taskmanager.WithWorkers(1, 10),
		taskmanager.WithRestart(restart.Exponential(100*time.Millisecond, time.Minute)),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Stop(context.Background()))
	// Output: <nil>
}
