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

// run stores tasks of several kinds. Manager a has the first attempt at them, until it loses the store.
// Manager b does the rest. The fax stays, since no manager handles its kind.
func run(ctx context.Context, out *log.Logger) error {
	st := newMemory()
	for _, t := range []task{
		{"bill/7", "bill", []byte("7 euros")}, {"film/1", "film", []byte("1500ms")}, {"file/a", "file", nil},
		{"mail/x", "mail", []byte("Hello")}, {"bill/7", "bill", []byte("8 euros")}, {"fax/2", "fax", nil},
	} {
		if err := st.insert(ctx, t, time.Time{}); err != nil {
			out.Printf("insert %s: %v", t.name, err)
		}
	}
	if err := st.insert(ctx, task{"bill/8", "bill", []byte("9 euros")}, time.Now().Add(time.Hour)); err != nil {
		return err
	}
	found, err := st.remove(ctx, "bill/8")
	out.Printf("remove bill/8: %t, %v", found, err)
	cable := &cable{store: st}
	time.AfterFunc(600*time.Millisecond, func() { cable.cut.Store(true) })
	if err := work(ctx, cable, "a", time.Second, out); err != nil {
		return err
	}
	if err := work(ctx, st, "b", 4*time.Second, out); err != nil {
		return err
	}
	for name := range st.rows {
		out.Printf("outstanding: %s", name)
	}
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
		store:    st,
		manager:  m,
		handlers: handlers(name, out),
		policy:   restart.MaxAttempts(3, restart.Constant(time.Second)),
		valid:    400 * time.Millisecond,
		poll:     50 * time.Millisecond,
		crashes:  5,
	}
	pulling, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	if err := w.run(pulling); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return m.Drain(ctx)
}

var errBounced = errors.New("bounced")

// handlers are those of a manager.
func handlers(manager string, out *log.Logger) map[string]func(context.Context, task) error {
	// begin prints which execution of a task begins, and returns its number.
	begin := func(ctx context.Context, t task) int {
		h, _ := taskmanager.FromContext(ctx)
		attempt := h.Status().Attempt
		out.Printf("manager %s: execution %d of %s (%s)", manager, attempt, t.name, t.payload)
		return attempt
	}
	return map[string]func(context.Context, task) error{
		"bill": func(ctx context.Context, t task) error { begin(ctx, t); return nil },
		"film": func(ctx context.Context, t task) error { // takes longer than a lease
			attempt := begin(ctx, t)
			length, err := time.ParseDuration(string(t.payload))
			if err != nil {
				return err
			}
			select {
			case <-time.After(length):
			case <-ctx.Done():
				out.Printf("manager %s: execution %d of %s ends early: %v", manager, attempt, t.name, context.Cause(ctx))
			}
			return ctx.Err()
		},
		"file": func(ctx context.Context, t task) error { // has not arrived at first
			if begin(ctx, t) < 3 {
				return taskmanager.NotYet(time.Second)
			}
			return nil
		},
		"mail": func(ctx context.Context, t task) error { begin(ctx, t); return errBounced },
	}
}

// cable is the connection of a manager to the store. Once it is cut, the store knows no more of the
// manager than if that had crashed.
type cable struct {
	store
	cut atomic.Bool
}

var errUnreachable = errors.New("the store cannot be reached")

func (c *cable) lease(ctx context.Context, kinds []string, n int, valid time.Duration) ([]lease, error) {
	if c.cut.Load() {
		return nil, errUnreachable
	}
	return c.store.lease(ctx, kinds, n, valid)
}

func (c *cable) renew(ctx context.Context, ls []lease, valid time.Duration) ([]lease, error) {
	if c.cut.Load() {
		return nil, errUnreachable
	}
	return c.store.renew(ctx, ls, valid)
}
