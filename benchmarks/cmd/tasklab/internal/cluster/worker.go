package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// ahead is how many tasks a worker takes beyond those that it can run: files are read faster than tasks are fetched.
const ahead = 8

// Workforce is the manager with which a process runs tasks.
type Workforce struct {
	Manager settings.Manager
	Scaler  settings.Scaler
	Restart restart.Policy
	Retries int
	Options []taskmanager.Option
}

// Worker runs tasks of a cluster. Stop ends it.
type Worker struct {
	// Manager runs the tasks.
	Manager *taskmanager.TaskManager

	worker *nats.Worker
	done   chan struct{} // closed when Run has returned
	err    error         // of Run; read it after done
}

// Serve begins to run tasks of the cluster.
func (c *Cluster) Serve(f Workforce, r Reader) (*Worker, error) {
	m, err := taskmanager.Start(append(append(f.Manager.Options(), taskmanager.WithScaler(f.Scaler)), f.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("tasklab: %w", err)
	}
	s := &Worker{Manager: m, done: make(chan struct{})}
	if s.worker, err = nats.NewWorker(c.Client, m, nats.WithProcessName(r.Name), nats.WithAhead(ahead)); err == nil {
		err = r.Handle(s.worker, restart.MaxAttempts(f.Retries+1, f.Restart))
	}
	if err != nil {
		return nil, fmt.Errorf("tasklab: %w", errors.Join(err, m.Stop(context.Background())))
	}
	go func() {
		defer close(s.done)
		s.err = s.worker.Run(context.Background())
	}()
	return s, nil
}

// Done is closed when the worker runs no tasks any more, after Stop or because it cannot.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Read returns how many files the worker has read.
func (w *Worker) Read() int { return int(w.Manager.Counts().Succeeded) }

// Stop gives back what the worker has not done within the grace period, and stops the manager.
func (w *Worker) Stop(ctx context.Context, grace time.Duration) error {
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := w.worker.Drain(draining)
	<-w.done
	stopping, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancelStop()
	if err = errors.Join(err, w.err, w.Manager.Stop(stopping)); err != nil {
		return fmt.Errorf("tasklab: %w", err)
	}
	return nil
}

// Log returns a logger that writes the errors of a cluster, such as a lost connection.
func Log(w io.Writer) taskmanager.Logger { return errorLog{w} }

// errorLog writes errors, and what follows them.
type errorLog struct{ w io.Writer }

// Infof writes what is about the connection.
func (l errorLog) Infof(format string, args ...any) { l.Errorf(format, args...) }

// Info writes nothing: it is not used.
func (errorLog) Info(...any) {}

// Errorf writes an error.
func (l errorLog) Errorf(format string, args ...any) {
	output.Say(l.w, "tasklab: "+format+"\n", args...)
}

// Error writes an error.
func (l errorLog) Error(args ...any) { output.Say(l.w, "tasklab: %s\n", fmt.Sprint(args...)) }
