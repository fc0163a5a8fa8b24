// Command store shows how managers in several processes run the tasks of a store that they share. It
// is a model for adapters to a database or another engine; README.md says what to take from it.
//
//   - store.go says what an adapter needs of the engine, and memory.go is such a store in memory.
//   - worker.go is the adapter: it takes tasks from the store, submits them to a manager, keeps their
//     leases, and settles their ends.
//   - The tests of the store are written for any store.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	if err := run(context.Background(), log.New(os.Stdout, "", 0)); err != nil {
		log.Fatal(err)
	}
}

// run stores four tasks. Manager a has the first attempt at them, until it loses the store. Manager
// b does the rest.
func run(ctx context.Context, out *log.Logger) error {
	st := newMemory()
	for _, name := range []string{"bill", "film", "file", "mail", "bill"} {
		if err := st.insert(ctx, name); err != nil {
			out.Printf("insert %s: %v", name, err)
		}
	}
	cable := &cable{store: st}
	time.AfterFunc(600*time.Millisecond, func() { cable.cut.Store(true) })
	if err := work(ctx, cable, "a", time.Second, out); err != nil {
		return err
	}
	if err := work(ctx, st, "b", 4*time.Second, out); err != nil {
		return err
	}
	out.Printf("outstanding: %d", len(st.rows))
	for name, reason := range st.dead {
		out.Printf("dead: %s: %s", name, reason)
	}
	return nil
}

// work runs a manager for a while.
func work(ctx context.Context, st store, name string, lasts time.Duration, out *log.Logger) error {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 4))
	if err != nil {
		return err
	}
	w := &worker{
		store:   st,
		manager: m,
		execute: func(ctx context.Context, task string) error { return execute(ctx, name, task, out) },
		policy:  restart.MaxAttempts(3, restart.Constant(time.Second)),
		valid:   400 * time.Millisecond,
		poll:    50 * time.Millisecond,
		crashes: 5,
	}
	pulling, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	if err := w.run(pulling); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return m.Drain(ctx)
}

var errBounced = errors.New("bounced")

// execute is an execution of a task: bill succeeds, film takes longer than a lease, file has not
// arrived at first, and mail fails each time.
func execute(ctx context.Context, manager, task string, out *log.Logger) error {
	h, _ := taskmanager.FromContext(ctx)
	attempt := h.Status().Attempt
	out.Printf("manager %s: execution %d of %s", manager, attempt, task)
	switch {
	case task == "film":
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-ctx.Done():
			out.Printf("manager %s: execution %d of %s ends early: %v", manager, attempt, task, context.Cause(ctx))
			return ctx.Err()
		}
	case task == "file" && attempt < 3:
		return taskmanager.NotYet(time.Second)
	case task == "mail":
		return errBounced
	}
	return nil
}

// cable is the connection of a manager to the store. Once it is cut, the store knows no more of the
// manager than if that had crashed.
type cable struct {
	store
	cut atomic.Bool
}

var errUnreachable = errors.New("the store cannot be reached")

func (c *cable) lease(ctx context.Context, n int, valid time.Duration) ([]lease, error) {
	if c.cut.Load() {
		return nil, errUnreachable
	}
	return c.store.lease(ctx, n, valid)
}

func (c *cable) renew(ctx context.Context, ls []lease, valid time.Duration) ([]lease, error) {
	if c.cut.Load() {
		return nil, errUnreachable
	}
	return c.store.renew(ctx, ls, valid)
}
