package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// job is a task that waits, as for a remote call, and may fail then.
type job struct {
	name, kind, key, description string

	takes   time.Duration
	fails   bool
	again   bool // restarts when it fails; it fails each time
	crashes bool

	done atomic.Int32 // steps
}

const steps = 20

var (
	_ taskmanager.TaskWithKind     = (*job)(nil)
	_ taskmanager.TaskWithKey      = (*job)(nil)
	_ taskmanager.TaskWithProgress = (*job)(nil)
	_ taskmanager.RestartableTask  = (*job)(nil)
)

// Name returns the name.
func (j *job) Name() string { return j.name }

// Kind returns the kind.
func (j *job) Kind() string { return j.kind }

// Key returns the tenant.
func (j *job) Key() string { return j.key }

// Description returns the description.
func (j *job) Description() string { return j.description }

// Progress returns the part of the time that has passed.
func (j *job) Progress() (float64, error) { return float64(j.done.Load()) / steps, nil }

// Restart reports whether the task runs again after a failure.
func (j *job) Restart(context.Context, error) bool { return j.again }

// remotes are what tasks wait for, by kind.
var remotes = map[string]string{"fetch": "GET from the camera", "thumbnail": "PUT to the store", "mail": "SMTP"}

var errReset = errors.New("connection reset by peer")

// Execute waits in steps.
func (j *job) Execute(ctx context.Context) error {
	j.done.Store(0)
	tick := time.NewTicker(max(j.takes/steps, 1))
	defer tick.Stop()
	for range steps {
		select {
		case <-tick.C:
			j.done.Add(1)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	switch {
	case j.crashes:
		return fmt.Errorf("the film has %d frames, and no sound", frames(nil))
	case j.fails:
		return fmt.Errorf("%s: %w", remotes[j.kind], errReset)
	}
	return nil
}

// frames panics without a film, as a program with an error does.
func frames(film *struct{ frames int }) int { return film.frames }
