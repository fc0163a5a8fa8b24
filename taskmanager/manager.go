package taskmanager

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager/internal/delay"
	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// TaskManager runs named tasks on a pool of workers. [Start] and [New] make one;
// [TaskManager.Close], [TaskManager.Drain] and [TaskManager.Stop] end it. It is safe for
// concurrent use.
type TaskManager struct {
	name       string
	pool       *scheduler.Pool[*Handle]
	observers  atomic.Pointer[observers] // of tasks that are submitted now
	given      []observe.Observer        // WithObserver
	following  atomic.Bool               // a goroutine replaces observers
	pools      poolObservations
	names      *names.Table[Handle] // of the outstanding tasks
	queue      Discipline
	keyQueue   *keyQueues    // nil: no WithKeyQueueLimit
	runner     Runner        // executes tasks through the middleware; nil: no middleware
	delayed    *alarms       // delayed starts, restarts, deadlines and schedules
	patience   *alarms       // queue timeouts; its clock stands still while the manager is paused
	restart    restartRule   // of tasks without WithRestart
	profiles   bool          // WithProfiling
	plain      bool          // WithRestartPlain
	revived    atomic.Uint64 // restarts granted
	notYets    atomic.Uint64 // executions that returned NotYet
	rand       *rand.Rand
	log        log
	logged     atomic.Int64 // when a decision of the scaler was last logged, since the epoch
	epoch      time.Time    // origin of times, which are monotonic; one second before the start, so that none is 0
	history    *history     // nil: no WithHistory
	waiting    sync.Map     // context.CancelCauseFunc by *Handle: submits that wait for room
	inline     sync.Map     // *inlineTask by *Handle: tasks that are being submitted under CallerRuns
	waits      atomic.Pointer[waitGraph]
	schedules  sync.Map    // the keys are *Schedule
	links      links       // to the contexts of submits and groups
	successors successors  // tasks that wait for their name
	calls      calls       // of user code, in progress
	draining   atomic.Bool // Close or Drain was called
	shutdown   shutdown
	drops      dropLog       // tasks that were dropped or shed
	lost       dropLog       // tasks that the discipline failed to queue
	ends       tally         // of accepted tasks
	serial     *serial       // of WithUniqueName
	refused    atomic.Uint64 // tasks that were added to names and then refused
	postponed  atomic.Int64  // tasks that wait for their first time
	restarting atomic.Int64  // tasks that wait out the delay of a restart
	increases  atomic.Int64  // scaler decisions for more workers
	decreases  atomic.Int64  // scaler decisions for fewer workers
	limit      int           // of the queue, for observers; -1: none
	bounded    bool          // WithLimit
	blocks     bool          // the overflow policy is Block
	callerRuns bool          // the overflow policy is CallerRuns
	atFront    bool          // WithRestartAtFront
	paused     atomic.Bool   // set by the pool; see pauseChanged
	described  description
}

// New starts a manager. minCount workers run from the start and always; up to maxCount
// run under load. A worker above minCount exits when it has been idle for timeout. With a
// nil log, nothing is logged. The options are applied after these arguments.
//
// New panics if an argument or an option is invalid, with the error that [Start] would
// return: if maxCount is below 1, minCount is negative or above maxCount, timeout is not
// positive, or options conflict. New is for constant arguments. Prefer [Start].
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

// Start starts a manager. The documentation of each option states its default. The error
// joins all faults of the options.
func Start(opts ...Option) (*TaskManager, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	m := &TaskManager{
		name:       cfg.name,
		names:      names.New(names.Functions[Handle]{Name: (*Handle).Name, Ended: (*Handle).over, Moved: (*Handle).moved}),
		queue:      cfg.discipline,
		restart:    cfg.restart,
		atFront:    cfg.atFront,
		profiles:   cfg.profiles,
		plain:      cfg.plain,
		rand:       rand.New(&lockedSource{source: cfg.rand}),
		epoch:      time.Now().Add(-time.Second),
		history:    newHistory(cfg.history),
		given:      cfg.observers,
		serial:     new(serial),
		limit:      limitOf(cfg.limit),
		bounded:    cfg.limit != 0,
		blocks:     cfg.limit != 0 && cfg.overflow == Block,
		callerRuns: cfg.limit != 0 && cfg.overflow == CallerRuns,
	}
	m.describe(cfg)
	m.delayed, m.patience = delay.NewQueue(cfg.timer), delay.NewQueue(cfg.timer)
	m.log = newLog(cfg.logger, cfg.name, &m.calls)
	m.shutdown.done = make(chan struct{})
	m.shutdown.open, m.shutdown.close = context.WithCancel(context.Background())
	if m.runner, err = newRunner(cfg.middleware); err != nil {
		return nil, err
	}
	set, err := newObservers(cfg.observers, cfg.silent, nil)
	if err != nil {
		return nil, err
	}
	m.observers.Store(set)
	m.keyQueue = cfg.keyQueue
	if m.pool, err = m.newPool(cfg); err != nil {
		return nil, fmt.Errorf("taskmanager: %w", err)
	}
	m.observePools(set)
	return m, nil
}

// newPool starts the pool of a manager.
func (m *TaskManager) newPool(cfg config) (*scheduler.Pool[*Handle], error) {
	claim := (*Handle).claim
	if m.keyQueue != nil {
		claim = (*Handle).claimOfKey
	}
	return scheduler.NewPool(scheduler.Config[*Handle]{
		Min:         cfg.min,
		Max:         cfg.max,
		IdleTimeout: cfg.idleTimeout,
		Queue:       m.queueOf(cfg.discipline),
		Scaler:      cfg.scaler,
		Limit:       cfg.limit,
		Times:       cfg.times,
		Overflow:    cfg.overflow,
		Crashed:     m.crashed,
		Dropped:     m.dropped,
		Decided:     m.decided,
		Hooks: scheduler.Hooks[*Handle]{
			Withdrawn:     (*Handle).withdrawn,
			Claim:         claim,
			Inside:        m.contextInside,
			Paused:        m.pauseChanged,
			RequeuesFirst: cfg.atFront,
			TrackCallers:  true,
			Timer:         cfg.timer,
			Settle:        cfg.settle,
		},
	}, m.run)
}

// now returns the time since the epoch. It is always positive.
func (m *TaskManager) now() time.Duration { return time.Since(m.epoch) }

// wall returns a time since the epoch as the wall clock shows it now.
func (m *TaskManager) wall(t time.Duration) time.Time { return clock.Wall(m.epoch.Add(t)) }

// after returns t+d, or the largest Duration if that overflows.
func after(t, d time.Duration) time.Duration {
	if d > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + d
}
