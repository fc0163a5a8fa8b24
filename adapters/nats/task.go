package nats

// Task is a task that was submitted. It is safe for concurrent use.
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

// ID returns the id of the task: that of [WithID], or a random one.
func (t *Task) ID() string { return t.id }
