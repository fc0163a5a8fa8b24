// Command store shows how several managers pull tasks from a store that they share. Tasks that fail,
// or that cannot run yet, go back to the store, and another manager continues with them.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	if err := run(context.Background(), log.New(os.Stdout, "", 0)); err != nil {
		log.Fatal(err)
	}
}

// run stores three tasks. Manager a has the first attempt at them, and is then drained. Manager b
// does the rest.
func run(ctx context.Context, out *log.Logger) error {
	st := &store{waiting: make(map[string]restart.State), over: make(map[string]error)}
	for _, name := range []string{"bill", "file", "mail"} {
		st.waiting[name] = restart.State{QueuedAt: time.Now()}
	}
	for _, stage := range []struct {
		manager string
		lasts   time.Duration
	}{{"a", 500 * time.Millisecond}, {"b", 5 * time.Second}} {
		if err := work(ctx, st, stage.manager, stage.lasts, out); err != nil {
			return err
		}
	}
	for _, name := range []string{"bill", "file", "mail"} {
		out.Printf("%s ended with %v", name, st.over[name])
	}
	return nil
}

// work pulls tasks with one manager for a while.
func work(ctx context.Context, st *store, manager string, lasts time.Duration, out *log.Logger) error {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2))
	if err != nil {
		return err
	}
	var puller sync.WaitGroup
	puller.Go(func() {
		_ = st.pull(ctx, m, func(ctx context.Context, name string) error { return execute(ctx, manager, name, out) })
	})
	time.Sleep(lasts)
	err = m.Drain(ctx) // which ends the pull too
	puller.Wait()
	return err
}

var errBounced = errors.New("bounced")

// execute is an execution of a task: mail fails each time, file has not arrived at first, and bill
// succeeds.
func execute(ctx context.Context, manager, name string, out *log.Logger) error {
	h, _ := taskmanager.FromContext(ctx)
	attempt := h.Status().Attempt
	out.Printf("manager %s: execution %d of %s", manager, attempt, name)
	switch {
	case name == "mail":
		return errBounced
	case name == "file" && attempt < 3:
		return taskmanager.NotYet(time.Second)
	}
	return nil
}
