package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/submit"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// race is the role of submitters that all submit the same names, half of them under another kind. It starts when a
// line comes in, and the last fifth of the names waits for a second line. The ledger has what comes of it; the error is that of a submit that was neither accepted nor
// refused.
func race(ctx context.Context, s settings, c *nats.Client, w *ledger.Writer, commands <-chan struct{}) error {
	ready(s.process)
	<-commands
	second := make(chan struct{})
	go func() {
		<-commands
		close(second)
	}()
	kinds := []string{job.Plain, job.Again}
	sender := submit.Submitter{Client: c, Ledger: w}
	var all sync.WaitGroup
	faults := make(chan error, s.submitter)
	for g := range s.submitter {
		all.Go(func() {
			for i := range s.names {
				if i == s.names*4/5 {
					<-second
				}
				id := fmt.Sprintf("%s-%d-%d", s.process, g, i)
				_, err := sender.Submit(ctx, fmt.Sprint(s.prefix, i), job.Job{ID: id}, nats.WithKind(kinds[g%2]))
				if err != nil && !errors.Is(err, taskmanager.ErrAlreadyExists) {
					faults <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(faults)
	return <-faults
}

// request is the role of a process that submits one task, which fails once, in a span.
func request(ctx context.Context, s settings, c *nats.Client, w *ledger.Writer) error {
	ready(s.process)
	ctx, span := otel.Tracer("child").Start(ctx, "request")
	defer span.End()
	sender := submit.Submitter{Client: c, Ledger: w}
	_, err := sender.Submit(ctx, s.prefix, job.Job{ID: s.prefix + ".1", Fails: 1}, nats.WithKind(job.Again))
	return err
}

// repeat is the role of a process that fires a schedule.
func repeat(ctx context.Context, s settings, c *nats.Client) error {
	schedule, err := nats.Repeat(ctx, c, multiples(s.every), s.prefix, job.Job{}, nats.WithKind(job.Tick))
	if err != nil {
		return err
	}
	ready(s.process)
	<-ctx.Done()
	schedule.Stop()
	<-schedule.Done()
	return nil
}

// multiples is a timetable of the multiples of a duration since year 1, on the wall clock.
type multiples time.Duration

// Next implements [taskmanager.Timetable].
func (m multiples) Next(after time.Time) time.Time {
	return after.Round(0).Truncate(time.Duration(m)).Add(time.Duration(m))
}
