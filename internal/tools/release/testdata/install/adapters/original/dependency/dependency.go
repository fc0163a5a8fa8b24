// Package dependency was written for the original.
package dependency

import (
	"context"
	"fmt"
	"time"

	"github.com/plexsysio/taskmanager"
)

// Run runs a task.
func Run() error {
	m := taskmanager.New(1, 2, time.Minute, nil)
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	started, err := m.GoFunc("task", wait)
	if err != nil {
		return err
	}
	<-started
	if status := m.TaskStatus()["task"].Status; status != taskmanager.Running {
		return fmt.Errorf("the task is %s", status)
	}
	if _, err := m.GoFunc("task", wait); err != taskmanager.ErrAlreadyExists {
		return fmt.Errorf("a second task of the name: %v", err)
	}
	return m.Stop(context.Background())
}
