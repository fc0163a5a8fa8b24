package taskmanager

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// Option configures a manager. Options come from the With functions of this
// package. If an option is given twice, the last one wins, so that callers can append
// to a list of defaults.
type Option interface{ apply(c *config) error }

// TaskOption configures one task. Task options come from the With functions of
// this package. If an option is given twice, the last one wins.
type TaskOption interface{ applyTask(c *taskConfig) error }

// Overflow says what a submit does when the limit leaves no room.
type Overflow = scheduler.Overflow

// The overflow policies. Under those that drop, a submit neither waits nor fails,
// but some task ends without having run: its handle with ErrDropped, and the log
// tells.
const (
	// Block waits for room until the context ends. A task that submits to its own
	// manager gets ErrWouldDeadlock instead.
	Block = scheduler.Block
	// Reject returns ErrQueueFull at once.
	Reject = scheduler.Reject
	// DropNewest drops the task that is submitted.
	DropNewest = scheduler.DropNewest
	// DropOldest drops the task that has been queued longest. Under LimitByKey
	// there is none to tell.
	DropOldest = scheduler.DropOldest
	// DropWorst drops the task that the discipline can best do without: as a rule
	// the one that would run last, under Fair the newest of the key that has the
	// most waiting.
	DropWorst = scheduler.DropWorst
	// CallerRuns has the submit run the task and return when that run has ended, so
	// that whoever submits too much is slowed down. So more tasks than the maximum of
	// workers may be under way. If the task restarts, it does so on a worker. During a
	// pause, and while Stop is at work, it acts as Reject. It does not go with
	// LimitByKey, whose limits it would pass by.
	CallerRuns = scheduler.CallerRuns
)

// DefaultIdleTimeout is how long a worker above the minimum stays idle before
// it leaves, unless WithIdleTimeout says otherwise.
const DefaultIdleTimeout = scheduler.DefaultIdleTimeout

// config is what the options of a manager come to.
type config struct {
	min, max    int
	idleTimeout time.Duration
	logger      Logger
	name        string
	limit       int // as in scheduler.Config
	overflow    Overflow
	discipline  Discipline
	scaler      scale.Scaler[scale.Snapshot]
	restart     restartRule
	plain       bool
	rand        rand.Source // nil: the global one
	middleware  []func(Runner) Runner
	history     int // how many ended tasks are remembered
	observers   []observe.Observer
	silent      bool // nothing is emitted by itself
	profiles    bool // tasks are marked for profiles
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
	faults = append(faults, c.discipline.clash(c.overflow))
	return c, errors.Join(faults...)
}

// option is an Option: a name, and what it does or the fault of its arguments.
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

// WithWorkers sets the bounds on the number of workers: minimum of them run at
// once and always, and up to maximum under load. The default is 1 and
// GOMAXPROCS, which suits work that computes; work that waits wants more.
func WithWorkers(minimum, maximum int) Option {
	return option{
		name:  "WithWorkers",
		set:   func(c *config) { c.min, c.max = minimum, maximum },
		fault: workersFault(minimum, maximum),
	}
}

// workersFault is what is wrong with bounds on the number of workers.
func workersFault(minimum, maximum int) error {
	return errors.Join(
		fault(minimum < 0, "the minimum is %d; it must be 0 or more", minimum),
		fault(maximum < 1, "the maximum is %d; it must be 1 or more", maximum),
		fault(maximum > math.MaxInt32, "the maximum is %d; it must be at most %d", maximum, math.MaxInt32),
		fault(minimum > maximum, "the minimum, %d, exceeds the maximum, %d", minimum, maximum),
	)
}

// WithIdleTimeout sets how long a worker above the minimum stays idle before it
// leaves. The default is DefaultIdleTimeout.
func WithIdleTimeout(d time.Duration) Option {
	return option{
		name:  "WithIdleTimeout",
		set:   func(c *config) { c.idleTimeout = d },
		fault: fault(d <= 0, "the timeout is %v; it must be positive", d),
	}
}

// WithLogger sets who is told what happens. The default, and nil, is nobody.
func WithLogger(l Logger) Option {
	return option{name: "WithLogger", set: func(c *config) { c.logger = l }}
}

// WithName names the manager, for logs.
func WithName(name string) Option {
	return option{
		name:  "WithName",
		set:   func(c *config) { c.name = name },
		fault: fault(name == "", "the name is empty"),
	}
}

// WithLimit lets at most n tasks wait beyond those for which a worker is free,
// and says what a submit does when there is no room. With 0 nothing waits: a
// task is taken only when a worker is free for it. The default is no limit.
// Tasks that restart, or were delayed, are not held to it.
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

// WithScaler sets the strategy that says how many workers there should be,
// within the bounds of WithWorkers. The default is scale.Demand(1): a task
// that finds no idle worker gets a new one at once. A scaler must not be shared
// by two managers.
func WithScaler(s scale.Scaler[scale.Snapshot]) Option {
	return option{
		name:  "WithScaler",
		set:   func(c *config) { c.scaler = s },
		fault: fault(s == nil, "the scaler is nil"),
	}
}

// taskConfig is what the options of a task come to.
type taskConfig struct {
	labels *labels // nil: none
	attributes
	restart *restartRule // nil: the manager's
	delayed *postponed   // nil: it need not wait for its time
	limits  *limits      // nil: none in time
	linked  bool         // to the context of its submit
	unlink  func() bool  // undoes that; guarded by the handle's mu
	watcher watcher      // nil: nobody is told of the end; likewise
	overlap *Overlap     // only for schedules
}

// labels say in words what a task is; few tasks have any.
type labels struct{ description, kind string }

// label returns what to note a label in.
func (c *taskConfig) label() *labels {
	if c.labels == nil {
		c.labels = new(labels)
	}
	return c.labels
}

// kind is what was given as the kind of the task, or "".
func (c *taskConfig) kind() string {
	if c == nil || c.labels == nil {
		return ""
	}
	return c.labels.kind
}

// postponed is what only tasks need that wait for the time of their start.
type postponed struct {
	by    time.Duration
	until time.Time

	// Guarded by the handle's mu.
	due   time.Duration // since the manager's epoch
	entry *alarm
}

// delays reports whether the task must wait for its time.
func (c *taskConfig) delays() bool {
	return c != nil && c.delayed != nil && (c.delayed.by > 0 || time.Until(c.delayed.until) > 0)
}

// postpone returns what to note a delay in.
func (c *taskConfig) postpone() *postponed {
	if c.delayed == nil {
		c.delayed = new(postponed)
	}
	return c.delayed
}

// newTaskConfig returns nil if there are no options, which is the usual case
// and costs nothing.
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

// configure reads the options of a task, and asks the task for what the discipline and
// the telemetry want to know. The result is nil if there is nothing to note.
func (m *TaskManager) configure(task Task, opts []TaskOption, w watcher) (*taskConfig, error) {
	cfg, err := newTaskConfig(opts)
	if err != nil {
		return nil, err
	}
	if cfg != nil && cfg.overlap != nil {
		return nil, errors.New("taskmanager: WithOverlap is for Every and Repeat")
	}
	if cfg, err = m.queue.attributesOf(task, cfg); err != nil {
		return nil, err
	}
	if cfg, err = m.askKind(task, cfg); err != nil {
		return nil, err
	}
	if w != nil {
		if cfg == nil {
			cfg = &taskConfig{attributes: defaultAttributes}
		}
		cfg.watcher = w
	}
	return cfg, nil
}

type taskOption func(c *taskConfig) error

func (o taskOption) applyTask(c *taskConfig) error { return o(c) }

// WithDescription says in the status what the task does. That of a
// TaskWithProgress comes from its method unless this is given.
func WithDescription(text string) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.label().description = text
		return nil
	})
}

// WithDelay holds the task back for d from the submit on. Until then it has its name
// and its status is NotAssigned, with the time at which it is due. Then it is
// queued, beyond the limit if there is one, since it was taken long ago. With
// WithNotBefore the later time counts.
func WithDelay(d time.Duration) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.postpone().by = d
		return fault(d < 0, "taskmanager: WithDelay: the delay is %v; it must not be negative", d)
	})
}

// WithNotBefore holds the task back until t, as WithDelay does: for the time that is
// left until t at the submit, whatever becomes of the wall clock. A time in the past
// is no delay.
func WithNotBefore(t time.Time) TaskOption {
	return taskOption(func(c *taskConfig) error {
		c.postpone().until = t
		return fault(t.IsZero(), "taskmanager: WithNotBefore: the time is zero; leave the option out for a task that need not wait")
	})
}

// fault is an error if the condition holds.
func fault(when bool, format string, args ...any) error {
	if !when {
		return nil
	}
	return fmt.Errorf(format, args...)
}
