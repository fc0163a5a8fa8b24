package nats

import (
	"context"
)

// Task is a submitted task. It is safe for concurrent use.
type Task struct {
	c              *Client
	name, kind, id string
	result         bool // the outcome is kept
}

func (c *Client) task(e envelope) *Task {
	return &Task{c: c, name: e.Name, kind: e.Kind, id: e.ID, result: e.Result > 0}
}

// Name returns the name of the task.
func (t *Task) Name() string { return t.name }

// Kind returns the kind of the task.
func (t *Task) Kind() string { return t.kind }

// ID returns the id of the task: that of [WithID], or a random one. It is the same for all
// executions, so it can serve as an idempotency key.
func (t *Task) ID() string { return t.id }

// Cancel cancels the task like [Client.Cancel]. It returns false if the task has ended. It does not
// affect a later task of the same name.
func (t *Task) Cancel(ctx context.Context) (bool, error) {
	if err := checkContext(ctx, "cancel"); err != nil {
		return false, err
	}
	return t.c.cancelTask(ctx, t.name, t.id)
}

// Status returns the status of the task like [Client.Lookup]. The error is [ErrNotFound] if the
// task has ended, even if another task has its name now.
func (t *Task) Status(ctx context.Context) (Status, error) {
	s, err := t.c.Lookup(ctx, t.name)
	if s.ID != "" && s.ID != t.id {
		return Status{}, named(t.name, ErrNotFound)
	}
	return s, err
}
