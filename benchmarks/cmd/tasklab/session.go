package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// session is a manager and the tasks that it is given.
type session struct {
	manager *taskmanager.TaskManager
	load    *load
	grace   time.Duration
	pending sync.WaitGroup // a goroutine for each outstanding task
	abandon chan struct{}  // closed when the outstanding tasks are waited for no more
	start   time.Time

	// To be read when work has returned.
	elapsed time.Duration  // from the start to the end of the last task
	final   scale.Snapshot // at the end of the last task
}

// open starts a manager.
func (s settings) open(queue taskmanager.Discipline, scaler scaler, more ...taskmanager.Option) (*session, error) {
	m, err := taskmanager.Start(append(more,
		taskmanager.WithWorkers(s.min, s.max),
		taskmanager.WithIdleTimeout(s.idleTimeout),
		taskmanager.WithQueue(queue),
		taskmanager.WithScaler(scaler),
		taskmanager.WithLimit(s.limit, s.overflow.value),
	)...)
	if err != nil {
		return nil, fmt.Errorf("tasklab: %w", err)
	}
	return &session{
		manager: m,
		load:    &load{workers: func() int { return m.Snapshot().Workers }},
		grace:   s.grace,
		abandon: make(chan struct{}),
		start:   time.Now(),
	}, nil
}

// work has feed submit the tasks, waits for them and stops the manager.
func (s *session) work(ctx context.Context, feed func(ctx context.Context) error) error {
	// An interrupt is for finish to deal with, but feed comes to an end only if a
	// task which the submit itself executes is interrupted too. As ctx has ended
	// then, this waits for nothing.
	defer context.AfterFunc(ctx, func() { _ = s.manager.Stop(ctx) })()

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

// submit hands a task to the manager. Its end is told to ended, in a goroutine. What
// the submit does while the queue is full is for the overflow policy to say.
func (s *session) submit(ctx context.Context, t taskmanager.Task, ended func(err error)) error {
	h, err := s.manager.Submit(ctx, t)
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

// finish waits for the tasks, and stops the manager. Once ctx has ended it stops it
// at once; tasks that do not end within the grace are abandoned.
func (s *session) finish(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.pending.Wait()
		s.elapsed, s.final = time.Since(s.start), s.manager.Snapshot()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	err := s.manager.Stop(stopping)
	if err != nil {
		close(s.abandon)
	}
	<-done
	return err
}
