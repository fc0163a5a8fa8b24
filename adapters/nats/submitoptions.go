package nats

import (
	"errors"
	"fmt"
	"time"
)

// SubmitOption configures a task. If an option is given twice, the last one applies.
type SubmitOption func(*submission) error

// submission holds the options of one task.
type submission struct {
	kind, id              string
	delay                 time.Duration
	notBefore, deadline   time.Time // by the local clock
	timeout, queueTimeout time.Duration
	key, description      string
	cost                  int64
	level                 Priority
	result                time.Duration
}

func newSubmission(lists ...[]SubmitOption) (submission, error) {
	var s submission
	var errs []error
	for _, opts := range lists {
		for _, o := range opts {
			if o == nil {
				errs = append(errs, errors.New("nats: nil SubmitOption; leave it out"))
				continue
			}
			errs = append(errs, o(&s))
		}
	}
	if s.delay > 0 && !s.notBefore.IsZero() {
		errs = append(errs, errors.New("nats: WithDelay and WithNotBefore exclude each other; pass one of them"))
	}
	return s, errors.Join(errs...)
}

// WithKind sets the kind of the task, which selects the handler. It overrides the method Kind of
// the payload. An encoded kind has at most 64 bytes: an ASCII letter, a digit, "-", "_" or "/"
// takes one byte, any other byte takes three.
func WithKind(kind string) SubmitOption {
	return func(s *submission) error {
		if kind == "" {
			return &rephrased{`nats: WithKind(""): use a kind that is not empty, or leave the option out`, ErrNoKind}
		}
		s.kind = kind
		return nil
	}
}

// WithID sets the id of the task. A repeated submit with the same id is the same task: it succeeds
// and stores no second task while the task is outstanding, and for two minutes after the first
// submit. After [ErrUnknownOutcome], repeat the submit with the same id.
//
// Use an id for one task only. It has 1 to 512 printable ASCII characters other than the space.
// Without this option, the id is random. As an option for all items of [SubmitAll], it is the id of
// the batch.
//
// The server forgets the ids of ended tasks when it is restarted. A repeated submit then stores a
// new task with the same id. A handler that must not do its work twice compares [TaskID] with what
// it has stored.
func WithID(id string) SubmitOption {
	return func(s *submission) error {
		if !validID(id) {
			return fmt.Errorf("nats: WithID(%s): use 1 to %d printable ASCII characters other than the space", quote(id), idLimit)
		}
		s.id = id
		return nil
	}
}

func validID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= idLimit
}

// positive makes an option of a duration that must be positive.
func positive(name string, d time.Duration, to func(*submission) *time.Duration) SubmitOption {
	return func(s *submission) error {
		if d <= 0 {
			return fmt.Errorf("nats: %s(%v): use a positive duration, or leave the option out", name, d)
		}
		*to(s) = d
		return nil
	}
}

// WithDelay delays the start of the task until d has passed since the submit. It excludes
// [WithNotBefore].
func WithDelay(d time.Duration) SubmitOption {
	return func(s *submission) error {
		if d < 0 {
			return fmt.Errorf("nats: WithDelay(%v): use a duration that is not negative", d)
		}
		s.delay = d
		return nil
	}
}

// WithNotBefore delays the start of the task until t, by the clock of the submitter. It excludes
// [WithDelay].
func WithNotBefore(t time.Time) SubmitOption {
	return func(s *submission) error {
		s.notBefore = t
		return nil
	}
}

// WithDeadline ends the task at t, by the clock of the submitter, if it has not ended by then. The
// task becomes a dead letter.
func WithDeadline(t time.Time) SubmitOption {
	return func(s *submission) error {
		s.deadline = t
		return nil
	}
}

// WithTimeout limits each execution of the task to d. An execution that exceeds it fails with
// [taskmanager.ErrTimeout], and the restart policy decides whether the task runs again.
func WithTimeout(d time.Duration) SubmitOption {
	return positive("WithTimeout", d, func(s *submission) *time.Duration { return &s.timeout })
}

// WithQueueTimeout limits the wait for the start of the first execution to d. The wait counts from
// the submit, or from the time of [WithDelay] or [WithNotBefore]. A task that exceeds it becomes a
// dead letter.
func WithQueueTimeout(d time.Duration) SubmitOption {
	return positive("WithQueueTimeout", d, func(s *submission) *time.Duration { return &s.queueTimeout })
}

// WithKey sets the key of the task. [WithKeyLimit] limits how many tasks with the same key run at
// once in all processes, and the discipline of the manager that runs the task may use the key.
// Encoded as in [WithKind], a key has at most 512 bytes.
func WithKey(key string) SubmitOption {
	return func(s *submission) error {
		if len(encode(key)) > keyLimit {
			return wrapf("%w: WithKey: the key has more than %d bytes when it is encoded; use a shorter one, such as a hash", ErrTooLarge, keyLimit)
		}
		s.key = key
		return nil
	}
}

// WithCost sets the cost of the task, for the discipline of the manager that runs it.
func WithCost(cost int64) SubmitOption {
	return func(s *submission) error {
		if cost < 0 {
			return fmt.Errorf("nats: WithCost(%d): use a cost that is not negative", cost)
		}
		s.cost = cost
		return nil
	}
}

// WithDescription sets a text that [Client.TaskStatus] returns and the dashboard shows. Encoded as
// in [WithKind], it has at most 4,096 bytes.
func WithDescription(text string) SubmitOption {
	return func(s *submission) error {
		if len(encode(text)) > descriptionLimit {
			return wrapf("%w: WithDescription: the text has more than %d bytes when it is encoded; use a shorter one", ErrTooLarge, descriptionLimit)
		}
		s.description = text
		return nil
	}
}

// WithPriority sets the level of the task: [Low], [Normal] or [High]. The default is Normal.
// Workers poll higher levels first, so many tasks of a high level may starve the lower levels. The
// level does not affect tasks that a worker has already taken.
func WithPriority(p Priority) SubmitOption {
	return func(s *submission) error {
		if p < Low || p > High {
			return fmt.Errorf("nats: WithPriority(%d): use nats.Low, nats.Normal or nats.High", int(p))
		}
		s.level = p
		return nil
	}
}

// WithResult stores the outcome of the task for [Task.Wait], [Result] and [Future.Result], and
// keeps it for ttl after the end of the task. The minimum is one second. A stored outcome costs one
// more write for each task.
//
// The worker repeats the write for up to a minute while the server does not answer or a cluster
// elects a leader, and for up to ten seconds while the server refuses it. If it does not succeed in
// that time, waits end with [ErrNoResult], and the worker logs an error.
func WithResult(ttl time.Duration) SubmitOption {
	return func(s *submission) error {
		if ttl < time.Second {
			return fmt.Errorf("nats: WithResult(%v): use at least 1s", ttl)
		}
		s.result = ttl
		return nil
	}
}
