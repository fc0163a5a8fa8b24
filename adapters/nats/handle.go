package nats

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// kind is what a worker does with the tasks of one kind. It does not change after the start of Run.
type kind struct {
	name     string
	policy   restart.Policy // nil: that of the task, if it has a Restart method
	limit    int            // of running tasks over all workers; 0: none
	keyLimit int            // likewise, for each key

	// One of them is set. call runs an execution, and returns the encoded result; build makes the task of the
	// manager.
	call  func(ctx context.Context, d *delivery) (result []byte, err error)
	build func(d *delivery) (taskmanager.Task, error)
}

// HandleOption configures how a worker runs the tasks of a kind. If an option is given twice, the
// last one applies.
type HandleOption func(*kind) error

// WithRestart sets the policy that decides whether and when a failed task runs again. Without it, a
// task of [Handle] or [HandleResult] that fails becomes a dead letter at once, and a task of
// [HandleTask] runs again if its method Restart returns true. Between two executions the task is
// stored, and any worker of its kind may run it next.
//
// The policy gets the history of the task from all processes. A [restart.Budget] counts only the
// tasks of its own process.
func WithRestart(policy restart.Policy) HandleOption {
	return func(k *kind) error {
		if policy == nil {
			return errors.New("nats: WithRestart: nil policy; leave it out for tasks that do not run again")
		}
		if v, ok := policy.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return fmt.Errorf("nats: WithRestart: %w", err)
			}
		}
		k.policy = policy
		return nil
	}
}

// WithKindLimit limits how many tasks of the kind run at once, in all workers together. The limit
// is exact while the workers hold their leases. It also counts tasks that were delivered and wait:
// those that wait to run again, and those with a delay. So n tasks that are due tomorrow stop a
// kind with the limit n until then; use a kind without a limit for tasks with long delays. Tasks of
// the kind are taken in the order of their arrival, and their levels only order tasks within one
// process.
//
// All workers of the kind need the same limit; the worker that starts last sets it. A limit can be
// changed at any time. It can be introduced or removed only while no other process handles the
// kind; see [Worker.Run].
func WithKindLimit(n int) HandleOption {
	return func(k *kind) error {
		k.limit = n
		if n < 1 {
			return fmt.Errorf("nats: WithKindLimit(%d): use at least 1, or leave it out", n)
		}
		return nil
	}
}

// WithKeyLimit limits how many tasks of the kind with the same key (see [WithKey]) run at once, in
// all workers together. The limit holds while the workers hold their leases. A task beyond the
// limit is given back and tried again after up to 100 ms, then up to 200 ms and so on, up to 5 s.
// So tasks of a key have no order, and there may be pauses between them. Tasks without a key have
// no limit.
func WithKeyLimit(n int) HandleOption {
	return func(k *kind) error {
		k.keyLimit = n
		if n < 1 {
			return fmt.Errorf("nats: WithKeyLimit(%d): use at least 1, or leave it out", n)
		}
		return nil
	}
}

// Handle makes a worker run the tasks of a kind with fn. The payload is decoded into T. A task
// whose payload cannot be decoded is given back three times, in case a worker of another version
// can decode it, and then becomes a dead letter. fn may be called more than once for a task: after
// a failure (see [WithRestart]), and after the loss of a worker or its lease. [TaskID] identifies
// the task.
//
// Call Handle, [HandleResult] and [HandleTask] before [Worker.Run], once for each kind. They are
// safe for concurrent use. An error describes invalid arguments.
func Handle[T any](w *Worker, kind string, fn func(ctx context.Context, in T) error, opts ...HandleOption) error {
	if fn == nil {
		return fmt.Errorf("nats: Handle(%s): nil function", quote(kind))
	}
	return w.handle("Handle", kind, opts, func(k *kindConfig) {
		k.call = func(ctx context.Context, d *delivery) ([]byte, error) {
			in, err := decodePayload[T](d)
			if err != nil {
				return nil, err
			}
			return nil, fn(ctx, in)
		}
	})
}

// HandleResult is [Handle] for a function with a result. The result is stored if the task was
// submitted with [WithResult] or by [Async]. If the result cannot be encoded, or is too large for a
// message, the execution fails.
func HandleResult[T, R any](w *Worker, kind string, fn func(ctx context.Context, in T) (R, error), opts ...HandleOption) error {
	if fn == nil {
		return fmt.Errorf("nats: HandleResult(%s): nil function", quote(kind))
	}
	return w.handle("HandleResult", kind, opts, func(k *kindConfig) {
		k.call = func(ctx context.Context, d *delivery) ([]byte, error) {
			in, err := decodePayload[T](d)
			if err != nil {
				return nil, err
			}
			out, err := fn(ctx, in)
			if err != nil || d.env.Result == 0 {
				return nil, err
			}
			return d.encodeResult(out)
		}
	})
}

// HandleTask makes a worker run the tasks of a kind as tasks that mk makes of the payload. The
// optional methods of a task apply: Restart, Progress and Description, Priority, Key, Cost and
// Deadline. Values that the submitter has set override them. The name is the submitted one,
// whatever the method Name returns. mk is called at each delivery, and should be quick. An error of
// mk is treated like a payload that cannot be decoded.
func HandleTask[T any](w *Worker, kind string, mk func(name string, in T) (taskmanager.Task, error), opts ...HandleOption) error {
	if mk == nil {
		return fmt.Errorf("nats: HandleTask(%s): nil function", quote(kind))
	}
	return w.handle("HandleTask", kind, opts, func(k *kindConfig) {
		k.build = func(d *delivery) (t taskmanager.Task, err error) {
			in, err := decodePayload[T](d)
			if err != nil {
				return nil, err
			}
			defer recovered("the function of HandleTask", &err)
			t, err = mk(d.env.Name, in)
			if err == nil && t == nil {
				err = errors.New("nats: the function of HandleTask returned a nil task without an error")
			}
			return t, err
		}
	})
}

// kindConfig is another name of kind for functions with a parameter of that name.
type kindConfig = kind

// handle registers a kind.
func (w *Worker) handle(call, name string, opts []HandleOption, set func(*kind)) error {
	if w == nil || w.c == nil {
		return fmt.Errorf("nats: %s: not a worker; make one with NewWorker", call)
	}
	k := &kind{name: name}
	set(k)
	var errs []error
	switch token := encode(name); {
	case name == "":
		errs = append(errs, fmt.Errorf("nats: %s: empty kind; name what the tasks do", call))
	case len(token) > kindLimit:
		errs = append(errs, fmt.Errorf("nats: %s: %w: the kind %s takes %d bytes in a subject; at most %d are allowed", call, ErrTooLarge, quote(name), len(token), kindLimit))
	}
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("nats: nil HandleOption; leave it out"))
			continue
		}
		errs = append(errs, o(k))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.started:
		return fmt.Errorf("nats: %s(%s): the worker runs already; register all kinds before Run", call, quote(name))
	case w.kinds[name] != nil:
		return fmt.Errorf("nats: %s(%s): the kind has a handler already", call, quote(name))
	}
	w.kinds[name] = k
	return nil
}

// decodeError is the failure to read a payload as a type.
type decodeError struct {
	to  reflect.Type
	err error
}

// Error returns the text of the codec.
func (e *decodeError) Error() string {
	return fmt.Sprintf("nats: cannot decode the payload as %v: %v", e.to, e.err)
}

// Unwrap returns the error of the codec.
func (e *decodeError) Unwrap() error { return e.err }

// decodePayload reads the payload of a task.
func decodePayload[T any](d *delivery) (in T, err error) {
	codec, err := d.codec()
	if err == nil {
		err = unmarshal(codec, d.msg.Data, &in)
	}
	if err != nil {
		return in, &decodeError{reflect.TypeFor[T](), err}
	}
	return in, nil
}

// codec returns the codec of the task.
func (d *delivery) codec() (Codec, error) {
	switch d.env.Codec {
	case d.w.c.cfg.codec.Name():
		return d.w.c.cfg.codec, nil
	case JSON.Name():
		return JSON, nil
	}
	return nil, fmt.Errorf("the task has the codec %s, and this worker has %s; pass it to Open with WithCodec", quote(d.env.Codec), quote(d.w.c.cfg.codec.Name()))
}

// encodeResult returns a result as bytes.
func (d *delivery) encodeResult(out any) ([]byte, error) {
	codec, err := d.codec()
	if err != nil {
		return nil, err
	}
	data, err := marshal(codec, out)
	if err != nil {
		return nil, fmt.Errorf("nats: cannot encode the result: %w", err)
	}
	// In the stored outcome the result is in base64, beside less than 1 KiB.
	if size, most := int64(len(data))*4/3+1024, d.w.c.nc.MaxPayload(); size > most {
		return nil, fmt.Errorf("%w: the result has %d bytes; store it elsewhere, and return a reference", ErrTooLarge, len(data))
	}
	return data, nil
}

// job is the task of the manager for one delivery. It has all optional methods, with the values that
// their absence means unless the task of HandleTask, which is inner, has them.
type job struct {
	d     *delivery
	inner taskmanager.Task // nil for a function
}

// Name returns the name under which the task was submitted.
func (j job) Name() string { return j.d.env.Name }

// Execute runs an execution.
func (j job) Execute(ctx context.Context) error {
	d := j.d
	if d.isSuspect() {
		if err := d.recordAlone(ctx); err != nil {
			return err
		}
	}
	d.begin(ctx)
	if j.inner != nil {
		err := j.inner.Execute(ctx)
		d.returned(ctx, err)
		return err
	}
	out, err := d.k.call(ctx, d)
	d.result = out
	d.returned(ctx, err)
	return err
}

// Restart says whether the task wants to run again. The policy decides whether it does.
func (j job) Restart(ctx context.Context, err error) bool {
	if _, bad := errors.AsType[*decodeError](err); bad {
		return false
	}
	if _, dead := errors.AsType[crashError](err); dead {
		return false
	}
	if t, ok := j.inner.(taskmanager.RestartableTask); ok {
		return t.Restart(ctx, err)
	}
	return j.d.k.policy != nil
}

// Progress returns what SetProgress has set, or the progress of the inner task.
func (j job) Progress() (float64, error) {
	if t, ok := j.inner.(taskmanager.TaskWithProgress); ok {
		return t.Progress()
	}
	if p := j.d.progress.Load(); p != nil {
		return p.done, nil
	}
	return 0, nil
}

// Description returns the text of SetProgress, or that of the inner task or of the submitter.
func (j job) Description() string {
	if p := j.d.progress.Load(); p != nil && p.text != "" {
		return p.text
	}
	if t, ok := j.inner.(taskmanager.TaskWithProgress); ok && j.d.env.Description == "" {
		return t.Description()
	}
	return j.d.env.Description
}

// Kind returns the kind under which the task was submitted.
func (j job) Kind() string { return j.d.k.name }

// Priority returns the level, or the priority of the inner task if the level is Normal.
func (j job) Priority() int {
	if t, ok := j.inner.(taskmanager.TaskWithPriority); ok && j.d.env.Level == Normal {
		return t.Priority()
	}
	return int(j.d.env.Level)
}

// Key returns the key of the submitter, or that of the inner task.
func (j job) Key() string {
	if t, ok := j.inner.(taskmanager.TaskWithKey); ok && j.d.env.Key == "" {
		return t.Key()
	}
	return j.d.env.Key
}

// Cost returns the cost of the submitter, or that of the inner task, or 1.
func (j job) Cost() int64 {
	if j.d.env.Cost > 0 {
		return j.d.env.Cost
	}
	if t, ok := j.inner.(taskmanager.TaskWithCost); ok {
		return t.Cost()
	}
	return 1
}

// Deadline returns the deadline by which the inner task is ordered.
func (j job) Deadline() (time.Time, bool) {
	if t, ok := j.inner.(taskmanager.TaskWithDeadline); ok {
		return t.Deadline()
	}
	return time.Time{}, false
}
