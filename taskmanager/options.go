package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Option configures a manager. The With functions of this package make options. If an
// option is given twice, the last one wins, so that callers can append to a list of
// defaults.
type Option interface{ apply(c *config) error }

// TaskOption configures one task. The With functions of this package make task options.
// If an option is given twice, the last one wins, except for [WithOnEnd].
type TaskOption interface{ applyTask(c *taskConfig) error }

// Overflow is the policy for a submit that finds no room; see [WithLimit].
type Overflow = scheduler.Overflow

// The overflow policies. Under a policy that drops, the submit neither waits nor fails.
// The dropped task ends with [ErrDropped] without having run. The log reports the first such
// task, and then their number.
const (
	// Block waits for room until the context ends. The discipline orders the task among all
	// others meanwhile, and the submit returns when there is room or when the task is about
	// to start. A task that submits to its own manager gets [ErrWouldDeadlock] instead of
	// waiting.
	Block = scheduler.Block
	// Reject returns [ErrQueueFull] at once.
	Reject = scheduler.Reject
	// DropNewest drops the submitted task.
	DropNewest = scheduler.DropNewest
	// DropOldest drops the task that has been queued longest. It cannot be combined with
	// [LimitByKey], which cannot find that task.
	DropOldest = scheduler.DropOldest
	// DropWorst drops the task that ranks last in the discipline, which may be the
	// submitted one: under [Fair] the newest task of the key with the largest backlog,
	// otherwise as a rule the task that would run last.
	DropWorst = scheduler.DropWorst
	// CallerRuns runs the task inside the submit, which returns when the execution has
	// ended. This slows down submitters that submit too much. The task runs in addition
	// to the maximum of workers, and restarts, if any, run on a worker.
	//
	// The pool runs the task on a separate goroutine that acts for the submitter. A
	// [runtime.Goexit] in the task therefore does not end the submitter, and the waits of
	// the task lend the slot of the submitting task, if there is one.
	//
	// While the manager is paused or stops, CallerRuns acts as [Reject]. It cannot be
	// combined with [LimitByKey], because the task would bypass the limit of its key.
	CallerRuns = scheduler.CallerRuns
)

// DefaultIdleTimeout is the default of [WithIdleTimeout].
const DefaultIdleTimeout = scheduler.DefaultIdleTimeout

// NoIdleTimeout lets idle workers stay until the manager ends or is resized. It is for
// [WithIdleTimeout] and [New].
const NoIdleTimeout = scheduler.NoIdleTimeout

// NoMaximum lets the manager run as many workers as its scaler asks for; with the default
// scaler, one for each task that is queued or running. The scalers [scale.Fixed](0) and
// [scale.Step] need a real maximum. It is for [WithWorkers], [New] and [TaskManager.Resize].
const NoMaximum = scheduler.NoMaximum

// config is the result of the options of a manager.
type config struct {
	min, max    int
	idleTimeout time.Duration
	logger      Logger
	name        string
	limit       int // as in scheduler.Config
	overflow    Overflow
	keyQueue    *keyQueues // nil: no WithKeyQueueLimit
	discipline  Discipline
	scaler      scale.Scaler[scale.Snapshot]
	restart     restartRule
	atFront     bool // WithRestartAtFront
	plain       bool
	rand        rand.Source // nil: the global source
	middleware  []func(Runner) Runner
	history     int // number of ended tasks to keep
	observers   []observe.Observer
	silent      bool // WithoutTelemetry
	times       bool // WithPoolTimes
	profiles    bool // WithProfiling

	// hooks.Simulated
	timer  func(ring func()) scheduler.Timer
	settle func()
}

func newConfig(opts []Option) (config, error) {
	c := config{
		min:         1,
		max:         max(1, runtime.GOMAXPROCS(0)),
		idleTimeout: DefaultIdleTimeout,
		discipline:  FIFO(),
	}
	c.restart, _ = newRestartRule(restart.Default())
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("taskmanager: option %d is nil", i+1))
			continue
		}
		if err := o.apply(&c); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, c.discipline.clash(c.overflow), c.restartFault())
	return c, errors.Join(faults...)
}

// option is an Option: its name, its effect, and the fault of its arguments, if any.
type option struct {
	name  string
	set   func(c *config)
	fault error
}

func (o option) apply(c *config) error {
	if o.fault != nil {
		return fmt.Errorf("taskmanager: %s: %w", o.name, o.fault)
	}
	o.set(c)
	return nil
}

// WithWorkers sets the bounds on the number of workers. The minimum, at least 0, runs
// from the start and always. Up to the maximum, at least 1, run under load. The defaults
// are 1 and GOMAXPROCS, which suit computing tasks. For tasks that mostly wait for input
// and output, choose a higher maximum, or [NoMaximum].
func WithWorkers(minimum, maximum int) Option {
	return option{
		name:  "WithWorkers",
		set:   func(c *config) { c.min, c.max = minimum, maximum },
		fault: workersFault(minimum, maximum),
	}
}

// workersFault returns the faults of bounds on the number of workers.
func workersFault(minimum, maximum int) error {
	return errors.Join(
		fault(minimum < 0, "the minimum is %d; it must be 0 or more", minimum),
		fault(maximum < 1, "the maximum is %d; it must be 1 or more", maximum),
		fault(maximum > NoMaximum, "the maximum is %d; it must be at most %d, which is NoMaximum", maximum, NoMaximum),
		fault(minimum > maximum, "the minimum, %d, exceeds the maximum, %d", minimum, maximum),
	)
}

// WithIdleTimeout sets how long a worker above the minimum stays idle before it exits.
// The timeout must be positive. The default is [DefaultIdleTimeout]. With [NoIdleTimeout],
// no worker exits for being idle.
func WithIdleTimeout(d time.Duration) Option {
	return option{
		name:  "WithIdleTimeout",
		set:   func(c *config) { c.idleTimeout = d },
		fault: fault(d <= 0, "the timeout is %v; it must be positive, and there is NoIdleTimeout", d),
	}
}

// WithLogger sets the logger. With nil, the default, nothing is logged.
func WithLogger(l Logger) Option {
	return option{name: "WithLogger", set: func(c *config) { c.logger = l }}
}

// WithName sets the name of the manager in logs and telemetry. It must not be empty. By
// default the manager has no name.
func WithName(name string) Option {
	return option{
		name:  "WithName",
		set:   func(c *config) { c.name = name },
		fault: fault(name == "", "the name is empty"),
	}
}

// WithLimit limits how many tasks wait to n, in addition to those for which a worker is
// free. The overflow policy decides what a submit does when there is no room. With n = 0
// there is room only if a worker is free. By default there is no limit. Tasks that
// restart, tasks whose delay has passed and runs of a [Schedule] are queued even beyond
// the limit.
func WithLimit(n int, overflow Overflow) Option {
	limit := n
	if n == 0 {
		limit = scheduler.HandOver
	}
	return option{
		name: "WithLimit",
		set:  func(c *config) { c.limit, c.overflow = limit, overflow },
		fault: errors.Join(
			fault(n < 0, "the limit is %d; it must be 0 or more", n),
			fault(!overflow.Valid(), "unknown overflow policy %v", overflow),
		),
	}
}

// WithScaler sets the strategy that decides how many workers there are, within the bounds
// of [WithWorkers]. The default is [scale.Demand](1): a task that finds no idle worker
// gets a new one at once. A scaler keeps state and must not be shared by two managers.
func WithScaler(s scale.Scaler[scale.Snapshot]) Option {
	return option{
		name:  "WithScaler",
		set:   func(c *config) { c.scaler = s },
		fault: fault(s == nil, "the scaler is nil"),
	}
}

// taskConfig is the result of the options of a task, together with its attributes.
type taskConfig struct {
	labels *labels // nil: no label
	attributes
	restart  *restartRule // nil: that of the manager
	delayed  *postponed   // nil: no delay
	limits   *limits      // nil: no time limit
	placing  *placing     // nil: nothing of it
	given    attribute    // the attributes that options have set
	linked   bool         // WithLinkedContext, or a task of a group
	enters   bool         // see entersLocked; guarded by the handle's lock
	unique   bool         // WithUniqueName
	inherits bool         // WithInherit
	suffix   uint8        // the length of what WithUniqueName appended to the name
	taken    duplicate    // what the submit does if the name is taken
	inLine   *queuedTask  // nil: not counted; guarded by the lock of keyQueues
	watcher  watcher      // nil: nothing watches the task; guarded by the handle's lock
	repeat   *repeating   // only for schedules
	onEnd    *onEnd       // WithOnEnd; nil: nothing, or the task has ended; guarded as watcher

	// Of a task that is kept elsewhere: its history there. nil: none, or the task has ended.
	origin *restart.State

	// Guarded by the handle's lock, and nil once the task has ended.
	link     *link           // nil: not linked, or to a context that cannot end
	linkedTo context.Context // nil: not linked
}

// labels describe a task. Few tasks have any, so they are a separate allocation.
type labels struct{ description, kind string }

// label returns the labels to write to.
func (c *taskConfig) label() *labels {
	if c.labels == nil {
		c.labels = new(labels)
	}
	return c.labels
}

// kind returns the kind given with WithKind, or "".
func (c *taskConfig) kind() string {
	if c == nil || c.labels == nil {
		return ""
	}
	return c.labels.kind
}

// postponed is the delay of a task.
type postponed struct {
	by    time.Duration
	until time.Time // a moment; see package clock

	// Guarded by the handle's lock.
	due   time.Duration // since the manager's epoch
	entry *alarm
}

// wait returns for how long the task must wait from now on, if it is submitted now.
func (p *postponed) wait() time.Duration { return max(p.by, time.Until(p.until), 0) }

// delays reports whether the task must wait before it is queued.
func (c *taskConfig) delays() bool { return c != nil && c.delayed != nil && c.delayed.wait() > 0 }

// postpone returns the delay to write to.
func (c *taskConfig) postpone() *postponed {
	if c.delayed == nil {
		c.delayed = new(postponed)
	}
	return c.delayed
}

// newTaskConfig returns nil if there are no options. This is the usual case and must not
// allocate.
func newTaskConfig(opts []TaskOption) (*taskConfig, error) {
	if len(opts) == 0 {
		return nil, nil
	}
	c := &taskConfig{attributes: defaultAttributes}
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("taskmanager: task option %d is nil", i+1))
			continue
		}
		if err := o.applyTask(c); err != nil {
			faults = append(faults, err)
		}
	}
	return c, errors.Join(faults...)
}

// configure applies the options of a task and asks the task for its attributes and its kind.
// It returns nil if there is nothing to store.
func (m *TaskManager) configure(ctx context.Context, task Task, opts []TaskOption, w watcher) (*taskConfig, error) {
	cfg, err := newTaskConfig(opts)
	if err != nil {
		return nil, err
	}
	if cfg != nil && cfg.repeat != nil {
		return nil, cfg.repeat.misplaced()
	}
	if err := cfg.duplicateFault(task, w); err != nil {
		return nil, err
	}
	if cfg != nil {
		if err := cfg.originFault(w); err != nil {
			return nil, err
		}
		cfg.inherit(ctx)
	}
	if cfg, err = m.queue.attributesOf(task, cfg); err != nil {
		return nil, err
	}
	if cfg, err = askKind(task, cfg); err != nil {
		return nil, err
	}
	if w != nil {
		if cfg == nil {
			cfg = &taskConfig{attributes: defaultAttributes}
		}
		cfg.watcher = w
		switch w.(type) {
		case *taskGroup:
			cfg.linked, cfg.enters = true, true
		case *watched:
			cfg.enters = true
		}
	}
	return cfg, nil
}

type taskOption func(c *taskConfig) error

func (o taskOption) applyTask(c *taskConfig) error { return o(c) }

// WithDescription sets the description in the status of the task. It overrides the
// Description method of a [TaskWithProgress].
func WithDescription(text string) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.label().description = text
		return nil
	})
}

// WithDelay delays the task by d, which must not be negative, counted from the submit.
// Until then the task holds its name, its status is [NotAssigned], and DueAt of its
// [TaskStatus] is the time at which it is due. It is then queued, even beyond the limit,
// because it was accepted long before. If [WithNotBefore] is given too, the later time
// counts.
func WithDelay(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.postpone().by = d
		return fault(d < 0, "taskmanager: WithDelay: the delay is %v; it must not be negative", d)
	})
}

// WithNotBefore delays the task until t, as [WithDelay] does. A time in the past means no
// delay. The zero time is an error.
//
// The delay is computed at the submit: it is the time that the wall clock then has to run
// until it shows t. From then on it is measured on the monotonic clock. A later change of
// the wall clock does not alter it, nor does time count for which the machine is suspended,
// on systems whose monotonic clock stops meanwhile. A schedule does follow the wall clock;
// see [TaskManager.Repeat].
func WithNotBefore(t time.Time) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.postpone().until = clock.Pin(t)
		return fault(t.IsZero(), "taskmanager: WithNotBefore: the time is zero; leave the option out for a task that need not wait")
	})
}

// fault returns an error if when is true, and nil otherwise.
func fault(when bool, format string, args ...any) error {
	if !when {
		return nil
	}
	return fmt.Errorf(format, args...)
}
