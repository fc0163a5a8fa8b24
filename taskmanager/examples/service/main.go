// Command service is an HTTP service that runs background tasks.
//
//	POST   /tasks/{name}  submits a task: 202, 409 if the name is taken, 429 if the queue is full
//	GET    /tasks/{name}  returns the status and the progress of the task
//	DELETE /tasks/{name}  cancels the task
//
// On SIGTERM or Ctrl-C the service stops taking requests, finishes the tasks that it has
// accepted, and cancels those that are not done within 20 seconds.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	address := flag.String("address", "localhost:8080", "where to listen")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %v", listener.Addr())
	if err := run(listener, pretend, 20*time.Second); err != nil {
		log.Fatal(err)
	}
}

// pretend is the work of a task. Replace it with your own.
func pretend(ctx context.Context, progress func(done float64)) error {
	const steps = 100
	for step := range steps {
		select {
		case <-time.After(100 * time.Millisecond):
			progress(float64(step+1) / steps)
		case <-ctx.Done():
			return context.Cause(ctx) // cancelled, or out of time at shutdown
		}
	}
	return nil
}

// run serves until the process receives SIGTERM or an interrupt. It then shuts down within
// grace. The error names the tasks that had to be cancelled.
func run(listener net.Listener, work work, grace time.Duration) error {
	terminate, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()

	m, err := start()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newHandler(m, work), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, m.Stop(context.Background()))
	case <-terminate.Done():
	}
	restore() // a second signal ends the process at once

	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// The server first: after Shutdown no handler runs, so the drain refuses no client.
	err = errors.Join(server.Shutdown(ctx), m.Drain(ctx))
	// After a drain that ran out of time, the tasks that it cancelled get a moment to return.
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(err, m.Stop(ctx))
}

// start starts the manager. A bounded queue with Reject turns overload into an error that the
// client sees at once. Without a limit, the queue and the waits would grow until the process
// runs out of memory.
func start() (*taskmanager.TaskManager, error) {
	return taskmanager.Start(
		taskmanager.WithWorkers(1, 4),
		taskmanager.WithLimit(16, taskmanager.Reject),
		taskmanager.WithHistory(1000), // so that clients learn how their tasks ended
	)
}
