// Command durable runs tasks that survive their process, with nothing but a directory.
//
//	go run ./durable -dir /tmp/tasks a b c    # Ctrl-C, or kill -9, while they run
//	go run ./durable -dir /tmp/tasks          # they go on
//
// Each task counts to five, one step a second by default. After a kill, a task that was running starts again when
// its lease has ended, which is three seconds here; after Ctrl-C at once. A task knows nothing of earlier executions
// except what it has stored itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Count is the payload of a task. Its method Kind selects the handler.
type Count struct {
	To   int
	Step time.Duration
}

// Kind returns the kind of all tasks with this payload.
func (Count) Kind() string { return "count" }

// lease is how long a task waits for a process that does not answer any more.
const lease = 3 * time.Second

func main() {
	dir := flag.String("dir", "durable.data", "the directory of the tasks")
	pause := flag.Duration("pause", 0, "how long to wait before the tasks run")
	step := flag.Duration("step", time.Second, "how long a task takes for each number")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *dir, *pause, *step, flag.Args())
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run submits a task for each name, and runs all tasks of the directory until ctx ends.
func run(ctx context.Context, dir string, pause, step time.Duration, names []string) (err error) {
	server, err := embed.Start(embed.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	nc, err := server.Conn()
	if err != nil {
		return err
	}
	client, err := nats.Open(ctx, nc, nats.WithLease(lease))
	if err != nil {
		return err
	}
	defer client.Close()

	for _, name := range names {
		_, err := nats.Submit(ctx, client, name, Count{To: 5, Step: step})
		switch {
		case errors.Is(err, taskmanager.ErrAlreadyExists):
			fmt.Println(name, "is there already")
		case err != nil:
			return err
		default: // it is on the disk
			fmt.Println(name, "accepted")
		}
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil
	}
	return work(ctx, client)
}

// work runs the tasks of a client until ctx ends. Tasks that run then are given back.
func work(ctx context.Context, client *nats.Client) (err error) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 4))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop(context.WithoutCancel(ctx))) }()
	worker, err := nats.NewWorker(client, m)
	if err != nil {
		return err
	}
	if err := nats.Handle(worker, "count", count); err != nil {
		return err
	}
	if err := worker.Run(ctx); ctx.Err() == nil {
		return err
	}
	return nil // asked to end
}

// count counts, one step after the other.
func count(ctx context.Context, in Count) error {
	task, _ := taskmanager.FromContext(ctx)
	for i := range in.To {
		fmt.Println(task.Name(), i+1, "of", in.To)
		select {
		case <-time.After(in.Step):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	fmt.Println(task.Name(), "done")
	return nil
}
