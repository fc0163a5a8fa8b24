package taskmanager_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// No two events are due at the same moment: the durations differ by odd numbers of
// microseconds, and all actions of the state machine are a nanosecond apart.
const (
	restartDelay = 10 * time.Millisecond // after the second and later failures in a row
	giveUpAfter  = 4                     // failures in a row
	idleTimeout  = 25*time.Millisecond + 11*time.Microsecond
	horizon      = 20*time.Millisecond + 1*time.Microsecond // of tasks without a deadline
	timeout      = 12*time.Millisecond + 3*time.Microsecond
	queueTimeout = 7*time.Millisecond + 5*time.Microsecond
)

// modelPolicy restarts at once, then with a fixed delay, and then gives up.
type modelPolicy struct{}

func (modelPolicy) Next(f restart.Failure) (time.Duration, bool) {
	switch {
	case f.Attempt == 1:
		return 0, true
	case f.Attempt < giveUpAfter:
		return restartDelay, true
	default:
		return 0, false
	}
}

// outcome is how the test makes an execution end.
type outcome string

const (
	succeed outcome = "succeed"
	fail    outcome = "fail"
	crash   outcome = "panic"
	goexit  outcome = "goexit"
	notYet  outcome = "not yet" // run again after order.after
)

// order tells an execution to end with an outcome, to wait for another task, or to call
// Blocking.
type order struct {
	outcome outcome
	target  *modelTask
	deaf    bool          // wait with a context that does not end
	waited  chan error    // gets the result of the wait
	block   chan struct{} // closed to end the call of Blocking
	after   time.Duration
}

// modelTask is a task of the model, together with the real task.
type modelTask struct {
	name         string
	given        string // that the submit gets; name has a number more if it is to be unique
	unique       bool
	restarts     bool // Restart returns true
	key          string
	priority     int
	cost         int64
	deadline     time.Time     // zero: none
	hard         bool          // the deadline is a limit
	timeout      time.Duration // 0: none
	queueTimeout time.Duration // 0: none
	delay        time.Duration // before the first run
	linked       bool          // linked to ctx
	needs        map[string]int64
	front        bool       // restarts at the front
	parent       *modelTask // submits it, with WithInherit; nil: none
	ctx          context.Context
	endCtx       context.CancelFunc
	group        *modelGroup // nil: none
	entry        string      // how it is submitted to the group: "try", "within" ctx, or otherwise
	givenUp      bool        // its ctx ended, and so it is no failure of the group
	notBefore    time.Time   // with a delay
	batch        []*modelTask
	taken        takenMode // what the submit does if the name is taken

	run    *modelSchedule // of which the task is a run; nil: none
	origin *restart.State // its history in a store; nil: it is not kept in one
	handed *restart.State // the expected one after a hand-over

	next, before *modelTask // that waits behind this one for the name, and that is before it
	patientFrom  time.Time  // when it came to wait behind another one, if its queue timeout counts from then

	phase     taskmanager.WorkerStatus
	inline    bool // runs in its submit
	slot      bool // has a slot
	queuedAt  time.Time
	startedAt time.Time
	failures  int
	due       time.Time // only while it is delayed
	started   bool

	running context.Context // of the last execution

	target *modelTask // the task that it waits for; nothing in Blocking
	deaf   bool       // the end of its context does not end the wait
	coming bool       // the task that it waited for has just freed a slot
	late   bool       // its time limit passed while it had no slot
	heeds  time.Time  // when it heeds the end of its context after a deaf wait; zero: no such time
	gone   error      // the cause of its cancellation
	last   error      // the last failure
	waited chan error // gets the result of the last wait
	block  chan struct{}

	orders    chan order    // received by the execution
	submitted chan struct{} // closed when the submit has returned
	returned  returned      // valid when submitted is closed
	handle    *taskmanager.Handle
	ends      atomic.Int32 // calls of the function of WithOnEnd
	err       error        // the error of the submit
	end       error        // the expected error of the task
}

// returned holds the results of a submit.
type returned struct {
	handle *taskmanager.Handle
	err    error
}

// learn copies the results of the submit if it has returned.
func (x *modelTask) learn() {
	if !isClosed(x.submitted) {
		return
	}
	x.err = x.returned.err
	if x.returned.handle != nil { // a group returns no handle
		x.handle = x.returned.handle
	}
}

// execute is the body of every task.
func (x *modelTask) execute(ctx context.Context) error {
	x.running = ctx
	for {
		select {
		case o := <-x.orders:
			switch {
			case o.target != nil:
				waitCtx := ctx
				if o.deaf {
					waitCtx = context.Background()
				}
				o.waited <- o.target.handle.Wait(waitCtx)
				if o.deaf && ctx.Err() != nil {
					time.Sleep(afterWait) // in the time of synctest
				}
				continue
			case o.block != nil:
				taskmanager.Blocking(ctx, func() {
					select {
					case <-o.block:
					case <-ctx.Done():
					}
				})
				continue
			case o.outcome == fail:
				return errFailed
			case o.outcome == crash:
				panic(errFailed)
			case o.outcome == goexit:
				runtime.Goexit()
			case o.outcome == notYet:
				return taskmanager.NotYet(o.after)
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nothing is the target of a task in Blocking.
var nothing = new(modelTask)

// cancelled reports whether a task in the queue has been cancelled.
func (x *modelTask) cancelled() bool { return x.phase == taskmanager.Finished }

// result returns the error with which the task ended. The handle of a group's or schedule's task is
// unknown if the task was dropped at once; then result returns the expected error.
func (x *modelTask) result() error {
	switch {
	case x.handle != nil:
		return x.handle.Err()
	case x.err == nil && (x.group != nil || x.run != nil):
		return x.end
	}
	return x.err
}

// executing reports whether Execute has been called and has not returned.
func (x *modelTask) executing() bool {
	return x.phase == taskmanager.Running || x.phase == taskmanager.Blocked
}

// modelWeight returns the weight of a key.
func modelWeight(key string) int { return 1 + len(key) }

// discipline is a discipline of the manager and the same discipline for the model. The test
// does not check the order itself, but that the manager gives its queue the right
// attributes.
type discipline struct {
	real  taskmanager.Discipline
	model queue.Factory[*modelTask]

	allows func(x *modelTask, beside []*modelTask) bool // whether x may run beside others; nil: always
	needs  bool                                         // it has modelResources
}

func (x *modelTask) keyOf() string                 { return x.key }
func (x *modelTask) priorityOf() int               { return x.priority }
func (x *modelTask) costOf() int64                 { return x.cost }
func (x *modelTask) weightOf() int                 { return modelWeight(x.key) }
func (x *modelTask) limitOf() int                  { return min(len(x.key), 1) } // none without a key
func (x *modelTask) deadlineOf() (time.Time, bool) { return x.deadline, !x.deadline.IsZero() }
func (x *modelTask) enqueuedOf() time.Time         { return x.queuedAt }

var modelFair = queue.Fair(queue.FairConfig[*modelTask, string]{
	Key: (*modelTask).keyOf, Weight: (*modelTask).weightOf, Cost: (*modelTask).costOf,
})

var disciplines = map[string]discipline{
	"FIFO":     {real: taskmanager.FIFO(), model: queue.NewFIFO[*modelTask]},
	"LIFO":     {real: taskmanager.LIFO(), model: queue.NewLIFO[*modelTask]},
	"Strict":   {real: taskmanager.Priority(0), model: queue.Priority((*modelTask).priorityOf, 0)},
	"Priority": {real: taskmanager.Priority(2), model: queue.Priority((*modelTask).priorityOf, 2)},
	"Deadline": {real: taskmanager.Deadline(horizon), model: queue.Deadline(queue.DeadlineConfig[*modelTask]{
		Deadline: (*modelTask).deadlineOf, Horizon: horizon, Enqueued: (*modelTask).enqueuedOf,
	})},
	"Fair": {real: taskmanager.Fair(modelWeight), model: modelFair},
	"LimitByKey": {
		real:   taskmanager.LimitByKey(1, taskmanager.Fair(modelWeight)),
		model:  queue.LimitByKeyFunc((*modelTask).limitOf, (*modelTask).keyOf, modelFair),
		allows: oneOfKey,
	},
	"LimitBy": {
		real: taskmanager.LimitBy(1, levelOf, taskmanager.LimitByKey(1, taskmanager.Fair(modelWeight))),
		model: queue.LimitByKeyFunc((*modelTask).levelLimitOf, (*modelTask).priorityOf,
			queue.LimitByKeyFunc((*modelTask).limitOf, (*modelTask).keyOf, modelFair)),
		allows: func(x *modelTask, beside []*modelTask) bool { return oneOfKey(x, beside) && oneOfLevel(x, beside) },
	},
	"Resources": {
		real:   taskmanager.Resources(modelResources, taskmanager.Priority(2)),
		model:  queue.Resources(modelNeeds, queue.Priority((*modelTask).priorityOf, 2)),
		allows: enoughFor, needs: true,
	},
	"ResourcesOverLimits": {
		real: taskmanager.LimitBy(1, levelOf, taskmanager.Resources(modelResources, taskmanager.LimitByKey(1, taskmanager.FIFO()))),
		model: queue.LimitByKeyFunc((*modelTask).levelLimitOf, (*modelTask).priorityOf,
			queue.Resources(modelNeeds, queue.LimitByKeyFunc((*modelTask).limitOf, (*modelTask).keyOf, nil))),
		allows: func(x *modelTask, beside []*modelTask) bool {
			return oneOfKey(x, beside) && oneOfLevel(x, beside) && enoughFor(x, beside)
		},
		needs: true,
	},
	"Custom": {
		real:  taskmanager.Custom(queue.Priority(func(h *taskmanager.Handle) int { return -int(h.Cost()) }, 0)),
		model: queue.Priority(func(x *modelTask) int { return -int(x.cost) }, 0),
	},
}

// draw draws a task with the given name.
func draw(t *rapid.T, name string) *modelTask {
	x := &modelTask{
		name: name, given: name,
		restarts:  rapid.Bool().Draw(t, "restarts"),
		key:       rapid.SampledFrom([]string{"", "k", "key"}).Draw(t, "key"),
		priority:  rapid.IntRange(-1, 2).Draw(t, "priority"),
		cost:      rapid.Int64Range(1, 4).Draw(t, "cost"),
		delay:     rapid.SampledFrom([]time.Duration{0, 0, 0, 0, restartDelay / 2, 3 * restartDelay}).Draw(t, "delay"),
		phase:     taskmanager.NotAssigned,
		queuedAt:  time.Now(),
		waited:    make(chan error, 1),
		orders:    make(chan order),
		submitted: make(chan struct{}),
	}
	x.ctx, x.endCtx = context.WithCancel(context.Background())
	if rapid.Bool().Draw(t, "urgent") {
		x.deadline = time.Now().Add(rapid.SampledFrom([]time.Duration{-1, 0, horizon, 3 * horizon}).Draw(t, "deadline"))
	}
	return x
}

// drawLimits draws limits, which only options can set. Each task has a different time
// limit, since several tasks may start at the same moment, and a different queue timeout, since those of
// all tasks that came to be queued during a pause count from its end.
func (x *modelTask) drawLimits(t *rapid.T, number int) {
	x.hard = !x.deadline.IsZero()
	if rapid.IntRange(0, 2).Draw(t, "timeout") == 2 {
		x.timeout = timeout + time.Duration(number)*14*time.Microsecond
	}
	if x.queueTimeout = rapid.SampledFrom([]time.Duration{0, 0, queueTimeout}).Draw(t, "queue timeout"); x.queueTimeout > 0 {
		x.queueTimeout += time.Duration(number) * 22 * time.Microsecond
	}
	x.linked = rapid.Bool().Draw(t, "linked")
	x.front = rapid.Bool().Draw(t, "front")
}

// attributed is a task with methods for its attributes.
type attributed struct {
	*task
	x *modelTask
}

func (a attributed) Key() string                 { return a.x.key }
func (a attributed) Priority() int               { return a.x.priority }
func (a attributed) Cost() int64                 { return a.x.cost }
func (a attributed) Deadline() (time.Time, bool) { return a.x.deadline, !a.x.deadline.IsZero() }

// onEnd counts the ends of the task.
func (x *modelTask) onEnd() taskmanager.TaskOption {
	return taskmanager.WithOnEnd(func(*taskmanager.Handle) { x.ends.Add(1) })
}

// options returns the attributes and limits of the task as options.
func (x *modelTask) options() []taskmanager.TaskOption {
	opts := append(x.commonOptions(), x.onEnd())
	opts = append(append(opts, x.takenOptions()...), x.nameOptions()...)
	if x.hard {
		opts = append(opts, taskmanager.WithDeadline(x.deadline))
	}
	return opts
}

// commonOptions returns the options that the runs of a schedule may have too.
func (x *modelTask) commonOptions() []taskmanager.TaskOption {
	opts := []taskmanager.TaskOption{taskmanager.WithCost(x.cost)}
	if x.parent != nil {
		opts = append(opts, taskmanager.WithInherit())
	} else {
		opts = append(opts, taskmanager.WithKey(x.key), taskmanager.WithPriority(x.priority))
	}
	if x.timeout > 0 {
		opts = append(opts, taskmanager.WithTimeout(x.timeout))
	}
	if x.queueTimeout > 0 {
		opts = append(opts, taskmanager.WithQueueTimeout(x.queueTimeout))
	}
	if x.linked {
		opts = append(opts, taskmanager.WithLinkedContext())
	}
	if x.front {
		opts = append(opts, taskmanager.WithRestartAtFront())
	}
	for name, amount := range x.needs {
		opts = append(opts, taskmanager.WithResource(name, amount))
	}
	return opts
}
