package nats

import (
	"errors"
	"fmt"
	"time"
)

// SubmitOption configures a task. If an option is given twice, the last one counts.
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

// WithKind sets the kind of the task, which decides which handler runs it. It overrides the method
// Kind of the payload. Encoded, it has at most 64 bytes; an ASCII letter, a digit, "-", "_" or "/" counts as one byte,
// any other byte as three.
func WithKind(kind string) SubmitOption {
	return func(s *submission) error {
		if kind == "" {
			return &rephrased{`nats: WithKind(""): use a kind that is not empty, or leave the option out`, ErrNoKind}
		}
		s.kind = kind
		return nil
	}
}

// WithID sets the id of the task. A repeated submit with the same id is the same task: it
// succeeds, and does not make a second one, while the task is outstanding and for two minutes after the
// first submit. After [ErrUnknownOutcome], repeat the submit with the same id.
//
// Use an id once. It has 1 to 512 printable ASCII characters other than the space. Without this option, the
// id is random. In [SubmitAll], an id in the options of all items is that of the whole batch.
//
// The server forgets the ids of ended tasks when it is restarted. A repeated submit then makes a new task with
// the same id. A handler that must not do its work twice compares [TaskID] with what it has stored.
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

// WithDelay starts the task after d at the earliest. It excludes [WithNotBefore].
func WithDelay(d time.Duration) SubmitOption {
	return func(s *submission) error {
		if d < 0 {
			return fmt.Errorf("nats: WithDelay(%v): use a duration that is not negative", d)
		}
		s.delay = d
		return nil
	}
}

// WithNotBefore starts the task at t at the earliest, by the clock of the submitter. It excludes
// [WithDelay].
func WithNotBefore(t time.Time) SubmitOption {
	return func(s *submission) error {
		s.notBefore = t
		return nil
	}
}

// WithDeadline ends the task at t, by the clock of the submitter, if it has not ended by then. It
// is then a dead letter.
func WithDeadline(t time.Time) SubmitOption {
	return func(s *submission) error {
		s.deadline = t
		return nil
	}
}

// WithTimeout limits each execution of the task to d. A longer one fails with [taskmanager.ErrTimeout], and the
// restart policy decides whether the task runs again.
func WithTimeout(d time.Duration) SubmitOption {
	return positive("WithTimeout", d, func(s *submission) *time.Duration { return &s.timeout })
}

// WithQueueTimeout limits the time to the start of the first execution to d. It counts from the submit, or from
// the time of [WithDelay] or [WithNotBefore]. Later, the task is a dead letter.
func WithQueueTimeout(d time.Duration) SubmitOption {
	return positive("WithQueueTimeout", d, func(s *submission) *time.Duration { return &s.queueTimeout })
}

// WithKey sets the key of the task: for a limit of tasks with the same key over all processes, see
// [WithKeyLimit], and for the discipline of the manager that runs it. Encoded as in [WithKind], it has
// at most 512 bytes.
func WithKey(key string) SubmitOption {
	return func(s *submission) error {
		if len(encode(key)) > keyLimit {
			return wrapf("%w: WithKey: the key has more than %d bytes when it is encoded; use a shorter one, such as a hash", ErrTooLarge, keyLimit)
		}
		s.key = key
		return nil
	}
}

// WithCost sets the cost of the task for the discipline of the manager that runs it.
func WithCost(cost int64) SubmitOption {
	return func(s *submission) error {
		if cost < 0 {
			return fmt.Errorf("nats: WithCost(%d): use a cost that is not negative", cost)
		}
		s.cost = cost
		return nil
	}
}

// WithDescription sets a text that [Client.TaskStatus] shows. Encoded as in [WithKind], it has
// at most 4,096 bytes.
func WithDescription(text string) SubmitOption {
	return func(s *submission) error {
		if len(encode(text)) > descriptionLimit {
			return wrapf("%w: WithDescription: the text has more than %d bytes when it is encoded; use a shorter one", ErrTooLarge, descriptionLimit)
		}
		s.description = text
		return nil
	}
}

// WithPriority sets the level of the task: [Low], [Normal], which is the default, or [High]. Workers
// look for tasks of a higher level first, so many of these may starve the lower levels. Tasks
// that a worker has taken already are not affected.
func WithPriority(p Priority) SubmitOption {
	return func(s *submission) error {
		if p < Low || p > High {
			return fmt.Errorf("nats: WithPriority(%d): use nats.Low, nats.Normal or nats.High", int(p))
		}
		s.level = p
		return nil
	}
}

// WithResult keeps the outcome of the task, for [Task.Wait] and [Future.Result], for ttl after its end. It is at
// least a second. A kept outcome costs one more write for each task.
func WithResult(ttl time.Duration) SubmitOption {
	return func(s *submission) error {
		if ttl < time.Second {
			return fmt.Errorf("nats: WithResult(%v): use at least 1s", ttl)
		}
		s.result = ttl
		return nil
	}
}
