package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// TaskWithKind is an optional interface of a [Task] that has a kind.
type TaskWithKind interface {
	Task
	// Kind returns the kind of the task, by which telemetry names and counts executions. A
	// program should have few kinds, while names are unique. Kind is called once, at the
	// submit, unless [WithKind] is given. The default kind is the name of the task's type,
	// and "func" for functions. [WithUniqueName] changes that default.
	Kind() string
}

// WithKind sets the kind of the task; it must not be empty. It overrides [TaskWithKind].
func WithKind(kind string) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.label().kind = kind
		return fault(kind == "", "taskmanager: WithKind: the kind is empty; leave the option out for the name of the type")
	})
}

// kindOf returns the kind of a task. askKind has stored the result of a Kind method in cfg.
func kindOf(task Task, cfg *taskConfig) string {
	if kind := cfg.kind(); kind != "" {
		return kind
	}
	switch t := task.(type) {
	case closure, forgetful:
		return funcKind
	case *remains:
		return t.kind
	}
	return reflect.TypeOf(task).String()
}

// kindLocked returns the kind of the task. The lock of h must be held, unless no other goroutine
// ends h.
func (h *Handle) kindLocked() string {
	if h.cfg != nil && h.cfg.suffix > 0 && h.cfg.kind() == "" {
		return h.stem()
	}
	return kindOf(h.task, h.cfg)
}

// funcKind is the default kind of functions.
const funcKind = "func"

// remains stand for a task that has ended, in its handle: its kind, for the status. All tasks
// of a type have the same ones.
type remains struct{ kind string }

var (
	funcRemains = &remains{funcKind}
	typeRemains sync.Map // *remains by reflect.Type
)

// remainsOf returns the remains of a task.
func remainsOf(task Task) Task {
	switch task.(type) {
	case closure, forgetful: // the usual case
		return funcRemains
	}
	t := reflect.TypeOf(task)
	if r, ok := typeRemains.Load(t); ok {
		return r.(*remains)
	}
	r, _ := typeRemains.LoadOrStore(t, &remains{t.String()})
	return r.(*remains)
}

// Execute is called if a middleware runs the task after its end.
func (*remains) Execute(ctx context.Context) error {
	return errors.New("taskmanager: a middleware ran a task that has ended")
}

// Name is never called.
func (*remains) Name() string { return "" }

// askKind stores the result of the Kind method of a task in its configuration, if it has
// that method and no option sets the kind.
func askKind(task Task, cfg *taskConfig) (*taskConfig, error) {
	k, ok := task.(TaskWithKind)
	_, future := task.(forgetful) // it has the methods of its handle
	if !ok || future || cfg.kind() != "" {
		return cfg, nil
	}
	if cfg == nil {
		cfg = &taskConfig{attributes: defaultAttributes}
	}
	if err := guarded(func() error { cfg.label().kind = k.Kind(); return nil }); err != nil {
		return nil, fmt.Errorf("taskmanager: the Kind method of %T: %w", task, err)
	}
	return cfg, nil
}

// tell calls an observer or a function of WithOnEnd. It logs a panic.
func (m *TaskManager) tell(what userCall, do func()) {
	shard, place := m.calls.begin(what)
	defer func() {
		shard.end(place)
		if v := recover(); v != nil {
			m.logCrash(what, recovered(v))
		}
	}()
	do()
}

// given returns ctx, which an observer returned, or, if that is nil, the context before.
func given(ctx, before context.Context) context.Context {
	if ctx == nil {
		return before
	}
	return ctx
}

// subjectLocked describes a task to observers. The lock of h must be held unless no other goroutine
// knows h.
func (m *TaskManager) subjectLocked(h *Handle) observe.Task {
	return observe.Task{Manager: m.name, Name: h.name, Kind: h.kindLocked()}
}

// beginSubmit tells observers that a submit begins. No other goroutine knows h yet. onto is
// the context whose values the executions carry.
func (m *TaskManager) beginSubmit(ctx context.Context, h *Handle, set *observers) (s observe.Submission, onto context.Context) {
	s = observe.Submission{Task: m.subjectLocked(h)}
	if h.cfg != nil {
		_, s.Scheduled = h.cfg.watcher.(*Schedule)
		s.Elsewhere = h.cfg.origin != nil
	}
	onto = set.inform(originOf(ctx), h, func(onto context.Context) context.Context {
		for _, o := range set.submit {
			m.tell(userCall{beginSubmitCall, o, h.name}, func() { onto = given(o.BeginSubmit(ctx, onto, s), onto) })
		}
		return onto
	})
	h.firstCtx.SetBase(onto)
	return s, onto
}

// endSubmit tells observers that the submit of h returned err. If another task of the name serves
// the submit, it is about that one.
func (m *TaskManager) endSubmit(ctx context.Context, h *Handle, set *observers, s observe.Submission, err error) {
	if err != nil {
		h.discard(err)
	}
	if by, failure := served(err); by != nil {
		h, err = by, failure
	}
	set.inform(ctx, h, func(ctx context.Context) context.Context {
		for _, o := range set.submit {
			m.tell(userCall{endSubmitCall, o, s.Name}, func() { o.EndSubmit(ctx, s, err) })
		}
		return ctx
	})
}

// discard ends a task that its submit has refused before it had the name, in case an observer
// has kept the handle. It has no effect on a task that has ended.
func (h *Handle) discard(err error) {
	h.word.Lock()
	defer h.word.Unlock()
	if s := h.word.State(); s == queued || s == admitting {
		h.inTroubleLocked().err = err
		h.forgetLocked(err)
		h.overLocked()
	}
}

// executionLocked describes an execution that began at the given time to observers. The lock of h
// must be held.
func (m *TaskManager) executionLocked(h *Handle, worker int32, began time.Duration) observe.Run {
	r := observe.Run{Task: m.subjectLocked(h), Attempt: h.attemptLocked(), Worker: worker, Waited: began - h.queuedAt}
	if again := h.retryLocked(); again != nil {
		r.Previous = again.last
	}
	return r
}

// observeRun tells observers that the execution of a claimed task begins. If the task was
// cancelled meanwhile, it does nothing and returns false.
func (m *TaskManager) observeRun(worker int32, h *Handle) bool {
	set := m.observersOf(h)
	if set.run == nil {
		return false
	}
	h.heed()
	h.word.Lock()
	r, ctx, cancelled := m.executionLocked(h, worker, m.now()), h.ctxLocked(), h.cancelledLocked() != nil
	h.word.Unlock()
	if cancelled {
		return false
	}
	ctx.Lazy().SetValues(set.inform(ctx.Lazy().Values(), h, func(values context.Context) context.Context {
		for _, o := range set.run {
			m.tell(userCall{beginRunCall, o, h.name}, func() { values = given(o.BeginRun(values, r), values) })
		}
		return values
	}))
	return true
}

// observeEnd tells observers that an execution, which began at the given time, has ended
// with err. It returns the type of a failure, as failureType does.
func (m *TaskManager) observeEnd(h *Handle, ctx taskContext, began time.Duration, err error) (kind string) {
	set := m.observersOf(h)
	if set.run == nil && err == nil {
		return "" // no observer, and no failure
	}
	h.word.Lock()
	r, result := m.executionLocked(h, h.worker, began), observe.Result{Err: err, Took: m.now() - began}
	cancelled := h.cancelledLocked()
	h.word.Unlock()
	switch _, again := askedAgain(err); {
	case err == nil:
		result.Outcome = observe.Success
	case cancelled != nil && !exactly(cancelled, ErrDeadlineExceeded) && !crashed(err):
		result.Outcome = observe.Cancelled
	case again && cancelled == nil:
		result.Outcome = observe.Postponed
	default:
		result.Outcome = observe.Failure
		result.Type, result.Stack = h.failureType(ctx, err)
	}
	if set.run != nil {
		set.inform(ctx.Lazy().Values(), h, func(values context.Context) context.Context {
			for _, o := range set.run {
				m.tell(userCall{endRunCall, o, h.name}, func() { o.EndRun(values, r, result) })
			}
			return values
		})
	}
	return result.Type
}

// crashed reports whether an execution ended in a panic or Goexit. Observers are told of
// these even if the task was cancelled: they may be bugs in how the task handles
// cancellation.
func crashed(err error) bool {
	_, panicked := err.(*PanicError) //nolint:errorlint // made by the pool, never wrapped
	return panicked || exactly(err, ErrGoexit)
}

// failureType returns the type of a failure for observers, and the stack of a panic.
func (h *Handle) failureType(ctx taskContext, err error) (kind string, stack []byte) {
	if p, ok := err.(*PanicError); ok { //nolint:errorlint // made by the pool, never wrapped
		return observe.TypePanic, p.Stack
	}
	switch {
	case exactly(err, ErrGoexit):
		return observe.TypeGoexit, nil
	case h.exceeded(ctx) != nil, exactly(err, ErrDeadlineExceeded):
		return observe.TypeTimeout, nil
	}
	return "", nil
}

// observeRestart tells observers that a task waits for its restart. err is the failure and
// kind its type. The caller must call over when the wait ends: with nil when the task is
// queued again, or with the reason why it will not run again.
func (m *TaskManager) observeRestart(h *Handle, ctx taskContext, wait time.Duration, err error, kind string) (over func(error)) {
	h.word.Lock()
	failed := m.executionLocked(h, h.worker, h.startedAt)
	h.word.Unlock()
	r := observe.Restart{Task: failed.Task, Attempt: failed.Attempt, Delay: wait, Err: err, Type: kind, Failed: ctx.Lazy().Values()}
	set := m.observersOf(h)
	values := set.inform(h.firstContext().Lazy().Base(), h, func(values context.Context) context.Context {
		for _, o := range set.restart {
			m.tell(userCall{beginRestartCall, o, h.name}, func() { values = given(o.BeginRestart(values, r), values) })
		}
		return values
	})
	return func(err error) {
		set.inform(values, h, func(values context.Context) context.Context {
			for _, o := range set.restart {
				m.tell(userCall{endRestartCall, o, h.name}, func() { o.EndRestart(values, r, err) })
			}
			return values
		})
	}
}

// restartOver tells observers that the wait for a restart has ended, and reports whether
// there was one.
func (m *TaskManager) restartOver(h *Handle, err error) bool {
	if h.word.Observers() == 0 {
		return false
	}
	h.word.Lock()
	var over func(error)
	if r := h.retryLocked(); r != nil {
		over, r.over = r.over, nil
	}
	h.word.Unlock()
	if over != nil {
		over(err)
	}
	return over != nil
}
