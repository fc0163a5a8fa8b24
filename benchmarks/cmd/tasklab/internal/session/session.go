// Package session runs a manager from its start to its stop, while it works on
// a workload.
package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Session is a manager and the tasks that are submitted to it.
type Session struct {
	Manager *taskmanager.TaskManager
	Load    *measure.Load
	Start   time.Time

	// Read these when Work has returned.
	Elapsed time.Duration  // from the start to the end of the last task
	Final   scale.Snapshot // at the end of the last task

	grace   time.Duration
	pending sync.WaitGroup // a goroutine for each outstanding task
	abandon chan struct{}  // closed to give up the outstanding tasks
}

// Open starts a manager.
func Open(with settings.Manager, queue taskmanager.Discipline, scaler settings.Scaler, more ...taskmanager.Option) (*Session, error) {
	options := append(with.Options(), taskmanager.WithQueue(queue), taskmanager.WithScaler(scaler))
	m, err := taskmanager.Start(append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("tasklab: %w", err)
	}
	return &Session{
		Manager: m,
		Load:    measure.NewLoad(func() int { return m.Snapshot().Workers }),
		Start:   time.Now(),
		grace:   with.Grace,
		abandon: make(chan struct{}),
	}, nil
}

// Work lets feed submit the tasks, waits for them and stops the manager.
func (s *Session) Work(ctx context.Context, feed func(ctx context.Context) error) error {
	// finish handles an interrupt. But feed returns only if the interrupt also
	// reaches a task that a submit executes itself. This Stop does not wait,
	// since ctx has ended.
	defer context.AfterFunc(ctx, func() { _ = s.Manager.Stop(ctx) })()

	feedErr := feed(ctx)
	stopErr := s.finish(ctx)
	switch {
	case stopErr != nil:
		return fmt.Errorf("tasklab: %w", stopErr)
	case feedErr != nil && ctx.Err() == nil:
		return feedErr
	}
	return nil
}

// Submit submits a task. A goroutine calls ended when the task has ended. The
// overflow policy decides what Submit does while the queue is full.
func (s *Session) Submit(ctx context.Context, t taskmanager.Task, ended func(err error)) error {
	h, err := s.Manager.Submit(ctx, t)
	if err != nil {
		return fmt.Errorf("tasklab: %w", err)
	}
	s.pending.Go(func() {
		select {
		case <-h.Done():
			ended(h.Err())
		case <-s.abandon:
		}
	})
	return nil
}

// finish waits for the tasks and stops the manager. When ctx ends, it stops the
// manager at once, and abandons tasks that do not end within the grace period.
func (s *Session) finish(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.pending.Wait()
		s.Elapsed, s.Final = time.Since(s.Start), s.Manager.Snapshot()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	err := s.Manager.Stop(stopping)
	if err != nil {
		close(s.abandon)
	}
	<-done
	return err
}

// View returns what a display shows of the manager. The caller adds the tasks.
func (s *Session) View() progress.View {
	now := s.Manager.Snapshot()
	return progress.View{
		Elapsed: time.Since(s.Start),
		Busy:    now.Busy,
		Workers: now.Workers,
		Queued:  now.Queued,
	}
}
