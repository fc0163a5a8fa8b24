package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/scheduler"
)

// TaskManager runs named tasks on a pool of workers. Make one with Start or New
// and end it with Stop. It is safe for concurrent use.
type TaskManager struct {
	pool    *scheduler.Pool[*Handle]
	names   *names
	owner   *lazycontext.Owner // of the contexts of the tasks
	queue   Discipline
	delayed *delay.Queue[*Handle] // tasks that wait for their time
	restart restartRule           // of tasks that have none of their own
	plain   bool                  // tasks without a Restart method restart too
	revived atomic.Uint64         // restarts granted
	rand    *rand.Rand
	log     log
	logged  atomic.Int64 // when a decision of the scaler was logged last, since the epoch
	epoch   time.Time    // to which a handle's times are relative; a second before the start, so that none is 0
	bounded bool
}

// New starts a manager with minCount workers, which run at once and always, and
// up to maxCount under load. A worker above minCount leaves when it has been
// idle for timeout. The logger may be nil. Options may add to this.
//
// Impossible arguments (maxCount below 1, minCount negative or above maxCount, a
// timeout that is not positive, options that clash) panic with the error that
// Start would return: this is the constructor of programs with constants in its
// place. Prefer Start.
func New(minCount, maxCount int, timeout time.Duration, log Logger, opts ...Option) *TaskManager {
	m, err := Start(append([]Option{
		WithWorkers(minCount, maxCount),
		WithIdleTimeout(timeout),
		WithLogger(log),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return m
}

// Start starts a manager. The error joins all that is wrong with the options.
func Start(opts ...Option) (*TaskManager, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	m := &TaskManager{
		names:   newNames(),
		owner:   new(lazycontext.Owner),
		queue:   cfg.discipline,
		restart: cfg.restart,
		plain:   cfg.plain,
		rand:    rand.New(&lockedSource{source: cfg.rand}),
		log:     newLog(cfg.logger, cfg.name),
		epoch:   time.Now().Add(-time.Second),
		bounded: cfg.limit != 0,
	}
	m.delayed = delay.NewQueue(m.due)
	m.pool, err = scheduler.NewPool(scheduler.Config[*Handle]{
		Min:         cfg.min,
		Max:         cfg.max,
		IdleTimeout: cfg.idleTimeout,
		Queue:       cfg.discipline.queue,
		Scaler:      cfg.scaler,
		Limit:       cfg.limit,
		Overflow:    cfg.overflow,
		Claim:       (*Handle).claim,
		Withdrawn:   (*Handle).withdrawn,
		Dropped:     m.dropped,
		Inside:      func(ctx context.Context) bool { return lazycontext.OwnerOf(ctx) == m.owner },
		Crashed:     m.crashed,
		Decided:     m.decided,
	}, m.run)
	if err != nil {
		return nil, fmt.Errorf("taskmanager: %w", err)
	}
	return m, nil
}

// Go submits a task. The channel is closed when a worker takes it, or when it
// is clear that none ever will because the task was cancelled or the manager
// stopped. In a manager with a limit, Go waits for room, unless the overflow policy
// has it otherwise; a task that was dropped closes the channel too.
//
// Errors: ErrAlreadyExists and ErrStopped, as they are, ErrQueueFull,
// ErrWouldDeadlock, and those for bad input.
func (m *TaskManager) Go(newTask Task) (<-chan struct{}, error) {
	return m.started(m.Submit(context.Background(), newTask))
}

// GoFunc is Go for a function with a name.
func (m *TaskManager) GoFunc(key string, fn func(ctx context.Context) error) (<-chan struct{}, error) {
	return m.started(m.SubmitFunc(context.Background(), key, fn))
}

// started gives Go and GoFunc their results.
func (m *TaskManager) started(h *Handle, err error) (<-chan struct{}, error) {
	if errors.Is(err, ErrAlreadyExists) {
		return nil, ErrAlreadyExists // programs compare it with ==
	}
	if err != nil {
		return nil, err
	}
	return h.Started(), nil
}

// Submit hands a task to the manager and returns its handle. The task's context
// carries the values of ctx. Its cancellation counts only until Submit returns,
// which may have to wait for room in a manager with a limit: background work goes
// on when the request that started it is over. After an error the task will not
// run.
//
// In a manager with a limit that is reached, the overflow policy says what happens
// (see WithLimit). What the discipline wants to know of the task is asked now.
//
// Errors: ErrAlreadyExists with the name, ErrStopped, ErrQueueFull,
// ErrWouldDeadlock, why ctx ended, ErrNilTask, ErrEmptyName, ErrNilContext, and
// faults of the options and of the task's attributes.
func (m *TaskManager) Submit(ctx context.Context, task Task, opts ...TaskOption) (*Handle, error) {
	if task == nil {
		return nil, ErrNilTask
	}
	name, err := nameOf(task)
	if err != nil {
		return nil, err
	}
	return m.submit(ctx, name, task, opts)
}

// SubmitFunc is Submit for a function with a name.
func (m *TaskManager) SubmitFunc(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) (*Handle, error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	return m.submit(ctx, name, closure(fn), opts)
}

func (m *TaskManager) submit(ctx context.Context, name string, task Task, opts []TaskOption) (*Handle, error) {
	if ctx == nil {
		return nil, ErrNilContext
	}
	if name == "" {
		return nil, ErrEmptyName
	}
	cfg, err := newTaskConfig(opts)
	if err != nil {
		return nil, err
	}
	if cfg, err = m.queue.attributesOf(task, cfg); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // before the name is taken, for a broken context may panic
		return nil, submitError(name, cause.Of(ctx))
	}
	h := &Handle{m: m, name: name, task: task, cfg: cfg, queuedAt: m.now()}
	postponed := cfg.delays() // once: its time may come meanwhile
	if m.bounded || postponed {
		h.state = admitting
	}
	h.firstCtx.Init(ctx, m.owner)
	if err := m.names.add(h); err != nil {
		if errors.Is(err, ErrAlreadyExists) {
			err = fmt.Errorf("%w: %q", err, name)
		}
		return nil, err
	}
	if postponed {
		if err := m.delay(h); err != nil {
			return nil, err
		}
		return h, nil
	}
	if err := m.give(ctx, h); err != nil {
		err = submitError(name, err)
		m.refuse(h, err)
		return nil, err
	}
	if m.bounded {
		m.admitted(h)
	}
	return h, nil
}

// give hands a task to the pool. What panics there is a method of the context, before
// anything has happened: the name must not stay taken.
func (m *TaskManager) give(ctx context.Context, h *Handle) error {
	defer func() {
		if v := recover(); v != nil {
			m.refuse(h, submitError(h.name, recovered(v)))
			panic(v)
		}
	}()
	return m.pool.Submit(ctx, h)
}

// refuse ends a task that the pool did not take. If a cancellation has ended it
// meanwhile, that has withdrawn an item that never was in the queue.
func (m *TaskManager) refuse(h *Handle, err error) {
	h.mu.Lock()
	mine := h.state == queued || h.state == admitting
	if mine {
		h.state = ending
	}
	h.mu.Unlock()
	if mine {
		m.end(h, err)
	} else {
		m.pool.UndoWithdraw()
	}
}

// delay holds a task until its time has come.
func (m *TaskManager) delay(h *Handle) error {
	h.mu.Lock()
	p := h.cfg.delayed
	wait := max(p.by, time.Until(p.until), 0)
	if h.cancelled == nil {
		h.state = delayed
		p.due = after(m.now(), wait)
		p.entry = m.delayed.Add(h, wait)
		if p.entry != nil {
			h.mu.Unlock()
			return nil
		}
	}
	h.state = ending // cancelled by Stop, or too late
	h.mu.Unlock()
	m.end(h, ErrStopped)
	return ErrStopped
}

// admitted lets a task be withdrawn from the queue, now that it is there. A
// cancellation that came while it waited for room takes effect now.
func (m *TaskManager) admitted(h *Handle) {
	h.mu.Lock()
	if h.state == admitting {
		h.state = queued
	}
	cause := h.cancelled
	h.mu.Unlock()
	if cause != nil {
		m.cancel(h, cause)
	}
}

// Decisions lists the last decisions of the scaler that changed the number of
// workers that there should be, the latest at the end, and why. The log tells of
// them too, if not of all: at most every ten seconds.
func (m *TaskManager) Decisions() []scheduler.Decided { return m.pool.Decisions() }

// decisionLogInterval is how often decisions of the scaler are logged at most.
const decisionLogInterval = 10 * time.Second

// decided is called by the pool for each decision that changes the target.
func (m *TaskManager) decided(d scheduler.Decided) {
	now, last := int64(m.now()), m.logged.Load()
	if d.Target == d.Workers || last != 0 && now-last < int64(decisionLogInterval) || !m.logged.CompareAndSwap(last, now) {
		return
	}
	// A logger that calls runtime.Goexit must not end somebody who submits a task,
	// or the pool's timer in the middle of things.
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		m.log.infof("%d workers wanted, with %d there: %s", d.Target, d.Workers, d.Reason)
	}()
	<-logged
}

// Snapshot returns the state of the pool of workers. The pool counts executions,
// not tasks: a task that restarts is submitted again, and one whose Execute
// returned an error has completed.
func (m *TaskManager) Snapshot() scheduler.Snapshot { return m.pool.Snapshot() }

// now is the time since the epoch; always positive.
func (m *TaskManager) now() time.Duration { return time.Since(m.epoch) }

// after is the time d after t, or the last that there is.
func after(t, d time.Duration) time.Duration {
	if d > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + d
}
