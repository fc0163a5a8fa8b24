package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// work is the role of a worker. It drains when it is asked to end.
func work(ctx context.Context, s settings, c *nats.Client, l *ledger.Writer) error {
	m, err := taskmanager.Start(taskmanager.WithName(s.process), taskmanager.WithWorkers(0, s.workers))
	if err != nil {
		return err
	}
	options := []nats.WorkerOption{nats.WithProcessName(s.process)}
	if s.audit != 0 {
		options = append(options, nats.WithAuditEvery(s.audit))
	}
	w, err := nats.NewWorker(c, m, options...)
	if err != nil {
		return err
	}
	if err := handle(w, s, l); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(context.WithoutCancel(ctx)) }()
	ready(s.process)
	select {
	case err := <-ended:
		l.Write(ledger.Line{Event: ledger.Note, Text: fmt.Sprint("Run returned ", err)})
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	err = w.Drain(grace)
	l.Write(ledger.Line{Event: ledger.Note, Text: fmt.Sprint("Drain returned ", err)})
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 100*time.Millisecond)
	defer cancel()
	_ = m.Stop(stop) // what ignores its context ends with the process
	return nil
}

// handle registers all kinds.
func handle(w *nats.Worker, s settings, l *ledger.Writer) error {
	execute := func(ctx context.Context, in job.Job) error { return perform(ctx, in, l) }
	policy := restart.MaxAttempts(s.attempts, restart.Constant(s.backoff))
	return errors.Join(
		nats.Handle(w, job.Plain, execute),
		nats.Handle(w, job.Tick, execute),
		nats.Handle(w, job.Again, execute, nats.WithRestart(policy)),
		nats.Handle(w, job.Keyed, execute, nats.WithKeyLimit(s.keyLimit)),
		nats.Handle(w, job.Few, execute, nats.WithKindLimit(s.kindLimit)),
		nats.HandleResult(w, job.Square, func(ctx context.Context, in job.Job) (int, error) {
			return in.N * in.N, perform(ctx, in, l)
		}),
	)
}

// perform does what a job describes, and writes it down.
func perform(ctx context.Context, in job.Job, l *ledger.Writer) error {
	h, ok := taskmanager.FromContext(ctx)
	if !ok {
		return errors.New("the context of a handler has no task")
	}
	if in.ID == "" { // of a schedule
		in.ID = nats.TaskID(ctx)
	}
	line := ledger.Line{Name: h.Name(), ID: in.ID, Kind: h.Kind(), Attempt: h.Status().Attempt}
	note := func(e ledger.Event, text string) {
		line.Event, line.Text = e, text
		l.Write(line)
	}
	text := h.Key()
	if in.Stubborn {
		text = "stubborn"
	}
	note(ledger.Start, text)
	if id := nats.TaskID(ctx); id != in.ID {
		note(ledger.Note, fmt.Sprintf("TaskID is %q", id))
	}
	if line.Attempt <= in.Kills {
		note(ledger.Kill, "")
		die()
	}
	nats.SetProgress(ctx, 0.5, "half")
	stop := ctx.Done()
	if in.Stubborn {
		stop = nil
	}
	done := time.After(in.Work)
	if line.Attempt <= in.Stays {
		done = nil
	}
	select {
	case <-stop:
		note(ledger.Cancelled, context.Cause(ctx).Error())
		return context.Cause(ctx)
	case <-done:
	}
	if line.Attempt <= in.Fails {
		note(ledger.Failed, "")
		return fmt.Errorf("execution %d of %q fails on purpose", line.Attempt, line.Name)
	}
	note(ledger.End, "")
	return nil
}

// die kills this process, as a fault of the handler would.
func die() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	fmt.Fprintln(os.Stderr, "die:", err)
	select {} // until the kill takes effect
}
