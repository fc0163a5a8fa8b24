package taskmanager

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// TaskManager runs named tasks on a pool of workers. Make one with Start or New
// and end it with Stop. It is safe for concurrent use.
type TaskManager struct {
	name       string
	pool       *scheduler.Pool[*Handle]
	observers  observers
	names      *names.Table[Handle] // of the outstanding tasks
	queue      Discipline
	runner     Runner        // executes tasks, by way of the middleware; nil: there is none
	delayed    *alarms       // what is to happen to tasks at a time
	restart    restartRule   // of tasks that have none of their own
	profiles   bool          // tasks are marked for profiles
	plain      bool          // tasks without a Restart method restart too
	asks       bool          // a submit asks tasks for attributes, or for their kind
	revived    atomic.Uint64 // restarts granted
	rand       *rand.Rand
	log        log
	logged     atomic.Int64   // when a decision of the scaler was logged last, since the epoch
	epoch      time.Time      // to which a handle's times are relative; a second before the start, so that none is 0
	history    *history       // nil: it is not kept
	waiting    sync.Map       // context.CancelCauseFunc by *Handle, of submits that wait for room
	batches    sync.Map       // *batch by *Handle, of those being submitted under CallerRuns
	inline     sync.Map       // []waiter by *Handle: the tasks inside whose submits a task runs
	schedules  sync.Map       // of *Schedule
	asking     sync.WaitGroup // of timetables that are foreign code
	draining   atomic.Bool
	cancelled  atomic.Pointer[[]string] // by the first Stop that found tasks: their names, in order
	unobserve  []func()                 // end the observation of the pool
	unobserved sync.Once
	increases  atomic.Int64 // decisions of the scaler for more workers
	decreases  atomic.Int64 // and for fewer
	bounded    bool
	blocks     bool // a submit may wait for room
	callerRuns bool // or run the task itself
	handsOver  bool // nothing waits in the queue
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
		name:       cfg.name,
		names:      names.New((*Handle).Name, (*Handle).over),
		queue:      cfg.discipline,
		restart:    cfg.restart,
		profiles:   cfg.profiles,
		plain:      cfg.plain,
		rand:       rand.New(&lockedSource{source: cfg.rand}),
		log:        newLog(cfg.logger, cfg.name),
		epoch:      time.Now().Add(-time.Second),
		history:    newHistory(cfg.history),
		bounded:    cfg.limit != 0,
		blocks:     cfg.limit != 0 && cfg.overflow == Block,
		handsOver:  cfg.limit == scheduler.HandOver,
		callerRuns: cfg.limit != 0 && cfg.overflow == CallerRuns,
	}
	m.delayed = delay.NewQueue()
	if m.runner, err = newRunner(cfg.middleware); err != nil {
		return nil, err
	}
	if m.observers, err = newObservers(cfg); err != nil {
		return nil, err
	}
	m.asks = m.queue.wants != noAttributes || !m.observers.none() || m.profiles
	m.pool, err = scheduler.NewPool(scheduler.Config[*Handle]{
		Min:         cfg.min,
		Max:         cfg.max,
		IdleTimeout: cfg.idleTimeout,
		Queue:       cfg.discipline.queue,
		Scaler:      cfg.scaler,
		Limit:       cfg.limit,
		Overflow:    cfg.overflow,
		Crashed:     m.crashed,
		Dropped:     m.dropped,
		Decided:     m.decided,
		Hooks: scheduler.Hooks[*Handle]{
			Withdrawn: (*Handle).withdrawn,
			Claim:     (*Handle).claim,
			Inside: func(ctx context.Context) bool {
				h := ownerOf(ctx)
				return h != nil && h.m == m
			},
			TrackCallers: true,
		},
	}, m.run)
	if err != nil {
		return nil, fmt.Errorf("taskmanager: %w", err)
	}
	m.observePool(cfg.limit)
	return m, nil
}

// Decisions lists the last decisions of the scaler that changed the number of
// workers that there should be, the latest at the end, and why. The log tells of
// them too, if not of all: at most every ten seconds.
func (m *TaskManager) Decisions() []scheduler.Decided { return m.pool.Decisions() }

// decisionLogInterval is how often decisions of the scaler are logged at most.
const decisionLogInterval = 10 * time.Second

// decided is called by the pool for each decision that changes the target.
func (m *TaskManager) decided(d scheduler.Decided) {
	switch {
	case d.Target > d.Workers:
		m.increases.Add(1)
	case d.Target < d.Workers:
		m.decreases.Add(1)
	}
	now, last := int64(m.now()), m.logged.Load()
	if d.Target == d.Workers || last != 0 && now-last < int64(decisionLogInterval) || !m.logged.CompareAndSwap(last, now) {
		return
	}
	m.log.infof("%d workers wanted, with %d there: %s", d.Target, d.Workers, d.Reason)
}

// Snapshot returns the state of the pool of workers. The pool counts executions,
// not tasks: a task that restarts is submitted again, and one whose Execute
// returned an error has completed.
func (m *TaskManager) Snapshot() scale.Snapshot { return m.pool.Snapshot() }

// now is the time since the epoch; always positive.
func (m *TaskManager) now() time.Duration { return time.Since(m.epoch) }

// after is the time d after t, or the last that there is.
func after(t, d time.Duration) time.Duration {
	if d > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + d
}
