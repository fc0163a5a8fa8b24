// Command weights limits the memory that running tasks use together.
//
// The bounds on the number of workers count every task as one. Here a task also needs units of
// memory, and the units of all running tasks must not exceed a total. The semaphore of
// golang.org/x/sync counts the units; the manager needs to know only when a task waits for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// memory is a total of units that tasks share.
type memory struct {
	total int64
	free  *semaphore.Weighted
}

func newMemory(total int64) memory { return memory{total, semaphore.NewWeighted(total)} }

// with returns a function for a task: it runs work while it holds a number of units.
func (m memory) with(units int64, work func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if units > m.total { // Acquire would wait until the task is cancelled
			return fmt.Errorf("the task needs %d units, and there are %d in total", units, m.total)
		}
		if !m.free.TryAcquire(units) { // no need to lend the slot if the units are free
			var err error
			// While this task waits, its worker's slot runs another task, which may need no
			// memory. Without Blocking, a few tasks that wait would occupy all workers.
			taskmanager.Blocking(ctx, func() { err = m.free.Acquire(ctx, units) })
			if err != nil {
				return context.Cause(ctx) // the task was cancelled
			}
		}
		defer m.free.Release(units)
		return work(ctx)
	}
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run runs videos, mails and images on two workers with 8 units of memory. One video waits for
// the memory of the other one; the mails need none and do not wait.
//
// The semaphore serves waiting tasks in order, so that small tasks do not starve a large one:
// the images wait behind the video, although there are units for them. A task that waits for
// memory has left the queue and has a goroutine; WithGroupLimit bounds the number of such tasks.
func run(ctx context.Context, out io.Writer) error {
	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
	if err != nil {
		return err
	}
	begin, memory := time.Now(), newMemory(8)
	events := make(chan string)

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
	tasks := m.Group(ctx, taskmanager.WithGroupLimit(100))
	ended := make(chan error, 1)
	go func() {
		defer close(events)
		for _, name := range []string{"video/1", "video/2"} {
			_ = tasks.Go(name, memory.with(6, work(name, 350*time.Millisecond)))
		}
		for _, name := range []string{"mail/1", "mail/2", "mail/3"} {
			_ = tasks.Go(name, work(name, 100*time.Millisecond))
		}
		for _, name := range []string{"image/1", "image/2"} {
			_ = tasks.Go(name, memory.with(1, work(name, 50*time.Millisecond)))
		}
		ended <- tasks.Wait(ctx) // the errors of Go too
	}()
	for event := range events {
		_, failed := fmt.Fprintln(out, event)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, <-ended, m.Stop(context.Background()))
}
