package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// soakNames is the number of names for which tasks compete. Most children have unique
// names.
const soakNames = 40

var errSkipped = errors.New("a middleware did not let the task run")

// life is one manager of the soak, from its start until after its end.
type life struct {
	s           *soak
	slot        int
	m           *taskmanager.TaskManager
	about       string
	overflow    taskmanager.Overflow
	bounded     bool
	name        string // of the manager
	keyed       bool   // with WithKeyQueueLimit
	keyOverflow taskmanager.Overflow
	profiles    bool
	watcher     *soakObserver // nil: none
	pool        *soakPool
	sheds       bool
	resources   soakResources
	skips       bool // a middleware skips or repeats some executions
	history     int
	stopping    atomic.Bool // Stop or Drain was called, or is about to be
	drained     bool        // Drain succeeded, so no task may have ended with ErrStopped
	serial      atomic.Int64
	refused     atomic.Int64 // submits that failed and may be in the history
	told        told
	shelf       shelf

	running [soakNames]atomic.Int32 // number of executions by name

	resizing sync.Mutex // held by resize and tighten

	mu       sync.Mutex // guards the rest
	underWay int        // executions that do not wait, without those whose slot is uncertain
	hurried  int        // executions that may run without a slot, since their context has ended
	bound    int        // limit of underWay without the hurried ones
	max      int        // the last maximum set
	tasks    []*soakTask
	closed   bool
	inside   int // operations in progress
}

// newLife starts a manager with random options.
func newLife(s *soak, slot, number int, random *rand.Rand) (*life, error) {
	for {
		x := &life{s: s, slot: slot, max: 1 + random.IntN(6)}
		x.bound = x.max
		least := random.IntN(min(3, x.max+1))
		opts := []taskmanager.Option{
			taskmanager.WithWorkers(least, x.max),
			taskmanager.WithIdleTimeout(time.Duration(1+random.IntN(100)) * 50 * time.Microsecond),
		}
		about := fmt.Sprintf("workers %d-%d", least, x.max)
		for _, choose := range []func(*rand.Rand) (taskmanager.Option, string){
			x.discipline, x.limit, x.restarts, x.plain, x.scaler, x.middleware, x.remember, x.observe, x.times,
			x.keyLimit, x.naming, x.profiling, x.randomness, x.telemetry, x.logger,
		} {
			if o, name := choose(random); o != nil {
				opts = append(opts, o)
				about += ", " + name
			}
		}
		x.about = fmt.Sprintf("seed %d, slot %d, life %d (%s)", s.seed, slot, number, about)
		m, err := taskmanager.Start(opts...)
		if err != nil && x.bounded { // the overflow policy and the discipline exclude each other
			continue
		}
		if err == nil {
			x.m, x.pool = m, newSoakPool(x, random)
		}
		return x, err
	}
}

func (x *life) discipline(random *rand.Rand) (taskmanager.Option, string) {
	d := map[int]taskmanager.Discipline{
		0:  taskmanager.FIFO(),
		1:  taskmanager.LIFO(),
		2:  taskmanager.Priority(0),
		3:  taskmanager.Priority(8),
		4:  taskmanager.Deadline(10 * time.Millisecond),
		5:  taskmanager.Fair(func(key string) int { return 1 + len(key) }),
		6:  taskmanager.LimitByKey(1, taskmanager.FIFO()),
		7:  taskmanager.LimitByKey(2, taskmanager.Priority(0)),
		8:  taskmanager.CoDel(taskmanager.CoDelConfig{Target: time.Millisecond, Interval: 5 * time.Millisecond}),
		9:  taskmanager.Custom(queue.NewLIFO[*taskmanager.Handle]),
		10: taskmanager.LimitByKeyFunc(func(key string) int { return len(key) }, taskmanager.Fair(nil)),
	}
	names := []string{"FIFO", "LIFO", "Priority(0)", "Priority(8)", "Deadline", "Fair", "LimitByKey(1)", "LimitByKey(2)", "CoDel", "Custom", "LimitByKeyFunc"}
	n := random.IntN(len(names) + 4)
	if n >= len(names) {
		d, name := x.resources.limiting(random)
		return taskmanager.WithQueue(d), name
	}
	x.sheds = names[n] == "CoDel"
	return taskmanager.WithQueue(d[n]), names[n]
}

func (x *life) limit(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(3) == 0 {
		return nil, ""
	}
	n := random.IntN(9)
	x.bounded = true
	x.overflow = []taskmanager.Overflow{
		taskmanager.Block, taskmanager.Reject, taskmanager.DropNewest,
		taskmanager.DropOldest, taskmanager.DropWorst, taskmanager.CallerRuns,
	}[random.IntN(6)]
	return taskmanager.WithLimit(n, x.overflow), fmt.Sprintf("limit %d %v", n, x.overflow)
}

func (x *life) restarts(random *rand.Rand) (taskmanager.Option, string) {
	switch random.IntN(5) {
	case 0:
		return taskmanager.WithRestart(restart.Never()), "never restarts"
	case 1:
		return taskmanager.WithRestart(restart.MaxAttempts(3, restart.Constant(time.Millisecond))), "3 attempts"
	case 2:
		return taskmanager.WithRestart(restart.Budget(0.2, 5, restart.Exponential(100*time.Microsecond, 2*time.Millisecond))), "budget"
	case 3:
		return taskmanager.WithRestart(restart.Intensity(10, 50*time.Millisecond, restart.Decorrelated(50*time.Microsecond, time.Millisecond))), "intensity"
	default:
		return taskmanager.WithRestart(brisk{}), "brisk"
	}
}

func (x *life) plain(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	return taskmanager.WithRestartPlain(), "plain"
}

func (x *life) scaler(random *rand.Rand) (taskmanager.Option, string) {
	switch random.IntN(5) {
	case 0:
		return taskmanager.WithScaler(scale.Step(time.Millisecond)), "Step"
	case 1:
		return taskmanager.WithScaler(scale.Demand(3)), "Demand(3)"
	case 2:
		return taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{})), "TargetWait"
	case 3:
		return taskmanager.WithScaler(scale.Fixed(2)), "Fixed(2)"
	default:
		return nil, ""
	}
}

// middleware returns, half of the time, two middleware functions. The first adds a value to
// the context. The second skips some executions and repeats others after a failure.
func (x *life) middleware(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	x.skips = true
	type key struct{}
	var calls atomic.Int64
	return taskmanager.WithMiddleware(
		func(next taskmanager.Runner) taskmanager.Runner {
			return func(ctx context.Context, h *taskmanager.Handle) error {
				return next(context.WithValue(ctx, key{}, h.Name()), h)
			}
		},
		func(next taskmanager.Runner) taskmanager.Runner {
			return func(ctx context.Context, h *taskmanager.Handle) error {
				if name, _ := ctx.Value(key{}).(string); name != h.Name() {
					x.fail("the value of a middleware is %q for the task %q", name, h.Name())
				}
				switch n := calls.Add(1); {
				case n%50 == 0:
					return errSkipped
				case n%20 == 0:
					if err := next(ctx, h); err == nil || ctx.Err() != nil {
						return err
					}
				}
				return next(ctx, h)
			}
		},
	), "middleware"
}

func (x *life) remember(random *rand.Rand) (taskmanager.Option, string) {
	x.history = []int{0, 10, 1 << 22}[random.IntN(3)]
	return taskmanager.WithHistory(x.history), fmt.Sprint("history ", x.history)
}

// fail reports a failure. It reports only the first few: they tend to cause the others.
func (x *life) fail(format string, args ...any) {
	if x.s.fails.Add(1) > 20 {
		return
	}
	failure := fmt.Sprintf("%s: %s", x.about, fmt.Sprintf(format, args...))
	x.s.t.Error(failure)
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.failures = append(x.s.failures, failure)
}

// enter allows the caller to use the manager until it calls leave. It returns false if
// close has been called.
func (x *life) enter() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	x.inside++
	return true
}

func (x *life) leave() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.inside--
}

// end ends the manager in a random way.
func (x *life) end(random *rand.Rand) {
	x.stopping.Store(true)
	begin := time.Now()
	defer func() {
		if d := time.Since(begin); d > soakHang {
			x.fail("the end took %v", d)
		}
	}()
	short := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), time.Duration(random.IntN(2000))*time.Microsecond)
	}
	switch random.IntN(7) {
	case 0: // only the Stop below
	case 1, 2:
		x.s.count("ended by Drain")
		ctx, cancel := context.WithTimeout(context.Background(), soakHang)
		defer cancel()
		err := x.m.Drain(ctx)
		if err != nil {
			x.fail("Drain: %v\n%+v\n%+v\n%s", err, x.m.Snapshot(), x.m.TaskStatus(), x.stacks())
		}
		x.drained = err == nil
	case 3:
		x.s.count("ended by Drain with too little time")
		ctx, cancel := short()
		defer cancel()
		err := x.m.Drain(ctx)
		_, late := errors.AsType[*taskmanager.DrainError](err)
		if _, ok := errors.AsType[*taskmanager.StopError](err); ok {
			late = true // all tasks have ended, but workers are left
		}
		x.checkLate("Drain", err, late)
	case 4:
		x.s.count("ended by Stop with too little time")
		ctx, cancel := short()
		defer cancel()
		err := x.m.Stop(ctx)
		_, late := errors.AsType[*taskmanager.StopError](err)
		x.checkLate("Stop", err, late)
	case 5:
		x.s.count("ended by Drain and Stop at once")
		ctx, cancel := context.WithTimeout(context.Background(), soakHang)
		defer cancel()
		var both sync.WaitGroup
		both.Go(func() { _ = x.m.Drain(ctx) })
		both.Go(func() { x.stop() })
		both.Wait()
	case 6:
		x.s.count("ended by Close")
		x.m.Close()
		timer := time.NewTimer(soakHang)
		defer timer.Stop()
		select {
		case <-x.m.Done():
			x.drained = true
		case <-timer.C:
			x.fail("the manager does not end after Close\n%+v\n%+v\n%s", x.m.Snapshot(), x.m.TaskStatus(), x.stacks())
		}
	}
	x.stop()
}

// checkLate checks the error of a call with too little time.
func (x *life) checkLate(call string, err error, late bool) {
	if err == nil || late && errors.Is(err, context.DeadlineExceeded) {
		return
	}
	x.fail("%s, with too little time: %v", call, err)
}

func (x *life) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), soakHang)
	defer cancel()
	if err := x.m.Stop(ctx); err != nil {
		x.fail("Stop: %v\n%+v\n%+v\n%s", err, x.m.Snapshot(), x.m.TaskStatus(), x.stacks())
	}
}

// stacks returns the stacks of all goroutines, but only the first time: one hang causes
// others.
func (x *life) stacks() string {
	if x.s.shown.Swap(true) {
		return "(the goroutines are above)"
	}
	text := make([]byte, 1<<18)
	return string(text[:runtime.Stack(text, true)])
}

// close waits until no operation uses the manager.
func (x *life) close() {
	limit := time.Now().Add(soakHang)
	for {
		x.mu.Lock()
		x.closed = true
		inside := x.inside
		x.mu.Unlock()
		if inside == 0 {
			return
		}
		if time.Now().After(limit) {
			x.fail("%d operations do not return\n%s", inside, x.stacks())
			return
		}
		rest(context.Background(), time.Millisecond)
	}
}

// resize sets new bounds. The larger of the old and the new maximum holds from before the
// call until tighten.
func (x *life) resize(random *rand.Rand) {
	x.resizing.Lock()
	defer x.resizing.Unlock()
	maximum := 1 + random.IntN(6)
	x.mu.Lock()
	x.bound = max(x.bound, maximum)
	x.max = maximum
	x.mu.Unlock()
	err := x.m.Resize(random.IntN(min(3, maximum+1)), maximum)
	if err != nil && !x.stopped(err) {
		x.fail("Resize: %v", err)
	}
}

// stopped reports whether err is ErrStopped, and rightly so.
func (x *life) stopped(err error) bool {
	return errors.Is(err, taskmanager.ErrStopped) && x.stopping.Load()
}

// tighten lowers the bound to the maximum when the pool has no more workers than that.
func (x *life) tighten() {
	x.resizing.Lock()
	defer x.resizing.Unlock()
	p := x.m.Snapshot()
	x.mu.Lock()
	defer x.mu.Unlock()
	if p.Max == x.max && p.Workers <= p.Max {
		x.bound = p.Max
	}
}
