// Package submit submits tasks to a cluster whose servers come and go, and keeps the ledger of it.
package submit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Submitter submits and writes what comes of it to a ledger. It is safe for concurrent use.
type Submitter struct {
	Client *nats.Client
	Ledger *ledger.Writer

	cancels atomic.Int64 // numbers the cancellations
}

const (
	// pause is the wait between two tries.
	pause = 20 * time.Millisecond
	// The time limits of one try. A cancellation waits for the processes that do not answer.
	submitLimit, cancelLimit = 2 * time.Second, 5 * time.Second
)

// Submit submits a task with the id in.ID, until it is accepted or refused or ctx ends. An error that another try
// cannot cure is returned at once.
func (s *Submitter) Submit(ctx context.Context, name string, in job.Job, opts ...nats.SubmitOption) (*nats.Task, error) {
	opts = append(slices.Clip(opts), nats.WithID(in.ID))
	var task *nats.Task
	err := s.repeat(ctx, []nats.Item[job.Job]{{Name: name, In: in}}, ledger.Refused, func(ctx context.Context) (err error) {
		task, err = nats.Submit(ctx, s.Client, name, in, opts...)
		return err
	})
	return task, err
}

// SubmitText is like Submit for a payload that is not a job.
func (s *Submitter) SubmitText(ctx context.Context, name, id, text string, opts ...nats.SubmitOption) error {
	opts = append(slices.Clip(opts), nats.WithID(id))
	return s.repeat(ctx, []nats.Item[job.Job]{{Name: name, In: job.Job{ID: id}}}, ledger.Refused, func(ctx context.Context) error {
		_, err := nats.Submit(ctx, s.Client, name, text, opts...)
		return err
	})
}

// SubmitAll is like Submit for tasks that are accepted or refused together. The id is that of the batch.
func (s *Submitter) SubmitAll(ctx context.Context, id string, names []string, in job.Job, opts ...nats.SubmitOption) error {
	var items []nats.Item[job.Job]
	for i, name := range names {
		in.ID = fmt.Sprint(id, "/", i)
		items = append(items, nats.Item[job.Job]{Name: name, In: in})
	}
	opts = append(slices.Clip(opts), nats.WithID(id))
	return s.repeat(ctx, items, ledger.Rejected, func(ctx context.Context) error {
		_, err := nats.SubmitAll(ctx, s.Client, items, opts...)
		return err
	})
}

// repeat calls try until the items are accepted or refused, or ctx ends.
func (s *Submitter) repeat(ctx context.Context, items []nats.Item[job.Job], refused ledger.Event, try func(context.Context) error) error {
	note := func(e ledger.Event, text string) {
		for _, item := range items {
			s.Ledger.Write(ledger.Line{Event: e, Name: item.Name, ID: item.In.ID, Text: text})
		}
	}
	note(ledger.Try, "")
	for {
		limited, cancel := context.WithTimeout(ctx, submitLimit)
		err := try(limited)
		cancel()
		switch {
		case err == nil:
			note(ledger.Accepted, "")
			return nil
		case errors.Is(err, taskmanager.ErrAlreadyExists):
			note(refused, "")
			return err
		case !again(err):
			note(ledger.Unknown, err.Error())
			return err
		}
		note(ledger.Note, err.Error())
		select {
		case <-ctx.Done():
			note(ledger.Unknown, err.Error())
			return err
		case <-time.After(pause):
		}
	}
}

// Cancel cancels the task of a name, and tries again while that fails.
func (s *Submitter) Cancel(ctx context.Context, name string) (bool, error) {
	id := fmt.Sprint("cancel-", s.cancels.Add(1))
	s.Ledger.Write(ledger.Line{Event: ledger.Asked, Name: name, ID: id})
	for tries := 1; ; tries++ {
		try, cancel := context.WithTimeout(ctx, cancelLimit)
		found, err := s.Client.Cancel(try, name)
		cancel()
		if err == nil || ctx.Err() != nil {
			text := fmt.Sprint(found)
			if !found && tries > 1 {
				text = "unknown" // a try that failed may have cancelled it
			}
			if err != nil {
				text = err.Error()
			}
			s.Ledger.Write(ledger.Line{Event: ledger.Answered, Name: name, ID: id, Text: text})
			return found, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// again reports whether another try may succeed.
func again(err error) bool {
	return errors.Is(err, nats.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, taskmanager.ErrQueueFull)
}
