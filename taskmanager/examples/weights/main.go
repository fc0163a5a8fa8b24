// Command weights limits the memory that running tasks use together.
//
// The bounds on the number of workers count every task as one. Here a task also needs units of
// memory, and the units of all running tasks must not exceed a total. The discipline Resources
// starts a task only when there are enough.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// units is what a task needs of the memory.
func units(n int64) taskmanager.TaskOption { return taskmanager.WithResource("memory", n) }

// run runs videos, mails and images on two workers with 8 units of memory. One video waits for
// the memory of the other one; the mails need none and do not wait.
//
// What becomes free is kept for the video that waits, so that small tasks do not starve a large one:
// the images wait behind the video, although there are units for them.
func run(ctx context.Context, out io.Writer) error {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2),
		taskmanager.WithQueue(taskmanager.Resources(map[string]int64{"memory": 8}, taskmanager.FIFO())))
	if err != nil {
		return err
	}
	begin, events := time.Now(), make(chan string)

	// work returns a function that pretends to work for a time.
	work := func(name string, d time.Duration) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			events <- fmt.Sprintf("%4d ms  %s starts", time.Since(begin).Milliseconds(), name)
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	tasks := m.Group(ctx)
	ended := make(chan error, 1)
	go func() {
		defer close(events)
		for _, name := range []string{"video/1", "video/2"} {
			_ = tasks.Go(name, work(name, 350*time.Millisecond), units(6))
		}
		for _, name := range []string{"mail/1", "mail/2", "mail/3"} {
			_ = tasks.Go(name, work(name, 100*time.Millisecond))
		}
		for _, name := range []string{"image/1", "image/2"} {
			_ = tasks.Go(name, work(name, 50*time.Millisecond), units(1))
		}
		ended <- tasks.Wait(ctx) // the errors of Go too
	}()
	for event := range events {
		_, failed := fmt.Fprintln(out, event)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, <-ended, m.Stop(context.Background()))
}
