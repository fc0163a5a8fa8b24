package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// answerTimeout is how long processes have to answer a question about their tasks.
const answerTimeout = 2 * time.Second

// TaskStatus returns the status of all outstanding tasks of the namespace, by name. It reads
// waiting tasks from the server, and asks the worker processes for the tasks that they have; they
// call the Progress methods of these. For a task that has not run yet, only the name, the kind, the
// level and the status are known. [Client.Lookup] returns more.
//
// If some processes do not answer within two seconds, the error is a [*PartialError], and the map
// holds what is known.
//
// The cost is linear in the number of outstanding tasks. For many tasks, use [Client.Kinds] or
// [Client.List].
func (c *Client) TaskStatus(ctx context.Context) (map[string]Status, error) {
	if err := checkClient(ctx, c, "status"); err != nil {
		return nil, err
	}
	tasks, err := c.waiting(ctx)
	if err != nil {
		return nil, wrapf("nats: status: %w", err)
	}
	for m, err := range c.entries(ctx, "STATE") {
		if err != nil {
			return nil, wrapf("nats: status: %w", err)
		}
		var h history
		name, err := decode(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
		if s, ok := tasks[name]; err == nil && ok && json.Unmarshal(m.Data, &h) == nil {
			c.addHistory(&s, h)
			s.ID = h.ID
			tasks[name] = s
		}
	}
	answers, silent, err := c.askStatus(ctx, "")
	if err != nil {
		return nil, wrapf("nats: status: %w", err)
	}
	for _, a := range answers {
		for _, t := range a.Tasks {
			if had := tasks[t.Status.Name]; had.Process == "" || supersedes(t, had) {
				tasks[t.Status.Name] = c.described(had, a.Process, t)
			}
		}
	}
	if len(silent) > 0 {
		return tasks, &PartialError{silent}
	}
	return tasks, nil
}

// waiting returns what the subjects of the stored tasks tell.
func (c *Client) waiting(ctx context.Context) (map[string]Status, error) {
	info, err := c.subjects(ctx, c.tasks, c.cfg.namespace+".run.>")
	if err != nil {
		return nil, err
	}
	tasks := make(map[string]Status, len(info))
	for subject := range info {
		level, kind, name, err := c.parseSubject(subject)
		if err != nil {
			continue // not ours
		}
		tasks[name] = Status{Kind: kind, Level: level, TaskStatus: taskmanager.TaskStatus{
			Name: name, Kind: kind, Attempt: 1, Status: taskmanager.NotAssigned,
		}}
	}
	return tasks, nil
}

// subjects returns how many messages a stream has of each subject.
func (c *Client) subjects(ctx context.Context, st jetstream.Stream, filter string) (map[string]uint64, error) {
	var info *jetstream.StreamInfo
	err := c.again(ctx, func(ctx context.Context) (err error) {
		info, err = st.Info(ctx, jetstream.WithSubjectFilter(filter))
		return err
	})
	if err != nil {
		return nil, c.translate(err)
	}
	return info.State.Subjects, nil
}

// addHistory adds what is stored about earlier executions.
func (c *Client) addHistory(s *Status, h history) {
	s.Attempt = h.State.Attempts + 1
	s.Restarts = h.State.Attempts
	if text := h.State.LastError; text != "" {
		s.LastError = errors.New(text)
	} else if h.Err != "" {
		s.LastError = errors.New(h.Err)
	}
	if h.NotBefore > 0 && time.Unix(0, h.NotBefore).After(c.clock.now()) {
		s.DueAt = c.clock.toLocal(time.Unix(0, h.NotBefore))
		if h.State.Attempts > 0 {
			s.Status = taskmanager.Restarted
		}
	}
}

// supersedes reports whether an answer of another process is newer than what one has said: a process that has
// lost its lease may still run the task.
func supersedes(t taskAnswer, had Status) bool {
	if t.Status.Attempt != had.Attempt {
		return t.Status.Attempt > had.Attempt
	}
	return t.Status.StartedAt.After(had.StartedAt)
}

// described returns the status of a task that a process has, as that describes it. stored is what
// is known without it.
func (c *Client) described(stored Status, process string, t taskAnswer) Status {
	s := Status{
		TaskStatus: t.Status, Kind: t.Kind, Process: process, ID: t.ID, Level: cmp.Or(t.Level, stored.Level), Deadline: stored.Deadline,
	}
	s.TaskStatus.Kind = t.Kind
	if !t.Deadline.IsZero() {
		s.Deadline = c.clock.toLocal(t.Deadline)
	}
	return s
}

// Lookup returns the status of the outstanding task of a name. The error is [ErrNotFound] if there
// is none. If processes that may run the task do not answer, it is a [*PartialError], and the
// status holds what is known.
func (c *Client) Lookup(ctx context.Context, name string) (Status, error) {
	if err := checkClient(ctx, c, "lookup"); err != nil {
		return Status{}, err
	}
	m, err := c.last(ctx, name)
	if err != nil {
		return Status{}, err
	}
	e, err := c.parse(m.Subject, m.Header)
	if err != nil {
		return Status{}, err
	}
	s := c.statusOf(e, m.Time)
	h, _, err := c.history(ctx, e)
	if err != nil {
		return Status{}, err
	}
	c.addHistory(&s, h)
	answers, silent, err := c.askStatus(ctx, name)
	if err != nil {
		return s, err
	}
	for _, a := range answers {
		for _, t := range a.Tasks {
			if t.ID == e.ID && (s.Process == "" || supersedes(t, s)) {
				s = c.described(s, a.Process, t)
			}
		}
	}
	if s.Process == "" && len(silent) > 0 {
		return s, &PartialError{silent}
	}
	return s, nil
}

// statusOf returns the status of a task that has not run.
func (c *Client) statusOf(e envelope, stored time.Time) Status {
	s := Status{Kind: e.Kind, ID: e.ID, Level: e.Level, TaskStatus: taskmanager.TaskStatus{
		Name: e.Name, Kind: e.Kind, Key: e.Key, Priority: int(e.Level), Attempt: 1, Description: e.Description,
		Status: taskmanager.NotAssigned, QueuedAt: c.clock.toLocal(stored),
	}}
	if e.NotBefore.After(c.clock.now()) {
		s.DueAt = c.clock.toLocal(e.NotBefore)
	}
	if !e.Deadline.IsZero() {
		s.Deadline = c.clock.toLocal(e.Deadline)
	}
	return s
}

// history returns what is stored about earlier executions of a task, and its revision. Both are zero
// if there is nothing.
func (c *Client) history(ctx context.Context, e envelope) (h history, revision uint64, err error) {
	var entry jetstream.KeyValueEntry
	err = c.again(ctx, func(ctx context.Context) (err error) {
		entry, err = c.state.Get(ctx, encode(e.Name))
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return h, 0, nil
	}
	if err != nil {
		return h, 0, c.translate(err)
	}
	if json.Unmarshal(entry.Value(), &h) != nil || h.ID != e.ID { // of an earlier task of the name
		return history{}, 0, nil
	}
	return h, entry.Revision(), nil
}

// Processes returns the workers that are present, sorted by name and id. A process with several
// workers has an entry for each.
func (c *Client) Processes(ctx context.Context) ([]Process, error) {
	if err := checkClient(ctx, c, "processes"); err != nil {
		return nil, err
	}
	var out []Process
	for m, err := range c.entries(ctx, "PROCS") {
		if err != nil {
			return nil, wrapf("nats: processes: %w", err)
		}
		var p Process
		if json.Unmarshal(m.Data, &p) == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Process) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return out, nil
}

// askStatus asks all processes for the status of their tasks: of all, or of that of a name. silent holds
// the ids of the processes that are present and have not answered completely in time, sorted.
func (c *Client) askStatus(ctx context.Context, name string) (answers []statusAnswer, silent []string, err error) {
	var body []byte
	if name != "" {
		body = []byte(encode(name))
	}
	parts := map[string]map[int]bool{}
	silent, err = c.askAll(ctx, c.statusSubject(), body, func(data []byte) (process string, complete bool) {
		var a statusAnswer
		if json.Unmarshal(data, &a) != nil || a.Process == "" {
			return "", false
		}
		got := parts[a.Process]
		if got == nil {
			got = map[int]bool{}
			parts[a.Process] = got
		}
		if got[a.Part] {
			return "", false
		}
		got[a.Part] = true
		answers = append(answers, a)
		return a.Process, len(got) >= a.Parts
	})
	return answers, silent, err
}

// askAll sends a request to all worker processes, and reads their answers until those that are present
// have answered completely, or the time is over. read tells which process has sent an answer, or "", and
// whether it was the last part of it.
func (c *Client) askAll(ctx context.Context, subject string, body []byte, read func([]byte) (process string, complete bool)) (silent []string, err error) {
	present, err := c.Processes(ctx)
	if err != nil {
		return nil, err
	}
	open := make(map[string]bool, len(present))
	for _, p := range present {
		open[p.ID] = true
	}
	if len(open) == 0 {
		return nil, nil
	}
	sub, err := c.nc.SubscribeSync(c.nc.NewRespInbox())
	if err != nil {
		return nil, wrapf("nats: ask the processes: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.PublishRequest(subject, sub.Subject, body); err != nil {
		return nil, wrapf("nats: ask the processes: %w", err)
	}
	wait, stop := context.WithTimeout(ctx, answerTimeout)
	defer stop()
	for len(open) > 0 {
		m, err := sub.NextMsgWithContext(wait)
		if ctx.Err() != nil {
			return nil, ended(ctx, "ask the processes")
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, natsgo.ErrNoResponders) {
			return nil, wrapf("nats: ask the processes: %w", err)
		}
		if err != nil {
			break
		}
		if process, complete := read(m.Data); complete {
			delete(open, process)
		}
	}
	return slices.Sorted(maps.Keys(open)), nil
}
