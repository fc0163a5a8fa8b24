package taskmanager_test

import (
	"context"
	"runtime"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	restartDelay = 10 * time.Millisecond // from the second failure in a row on
	giveUpAfter  = 4                     // failures in a row
	idleTimeout  = 25 * time.Millisecond
	horizon      = 20 * time.Millisecond // of tasks without a deadline
)

// modelPolicy restarts at once, then after a fixed delay, then gives up.
type modelPolicy struct{}

func (modelPolicy) Next(f scheduler.Failure) (time.Duration, bool) {
	switch {
	case f.Attempt == 1:
		return 0, true
	case f.Attempt < giveUpAfter:
		return restartDelay, true
	default:
		return 0, false
	}
}

// outcome is what the test tells an execution to do.
type outcome string

const (
	succeed outcome = "succeed"
	fail    outcome = "fail"
	crash   outcome = "panic"
	goexit  outcome = "goexit"
)

// modelTask is a task as the model sees it, together with the real one.
type modelTask struct {
	name      string
	restarts  bool // implements RestartableTask and always wants to
	key       string
	priority  int
	cost      int64
	deadline  time.Time     // zero: none
	delay     time.Duration // before the first run
	phase     taskmanager.WorkerStatus
	inline    bool // its submitter runs it
	queuedAt  time.Time
	failures  int
	due       time.Time
	started   bool
	order     chan outcome  // received by the execution
	submitted chan struct{} // closed when the submit has returned
	handle    *taskmanager.Handle
	err       error // of the submit
	end       error // how the task must end
}

// execute is the body of every task.
func (x *modelTask) execute(ctx context.Context) error {
	select {
	case o := <-x.order:
		switch o {
		case succeed:
			return nil
		case fail:
			return errFailed
		case crash:
			panic(errFailed)
		default:
			runtime.Goexit()
		}
	case <-ctx.Done():
	}
	return ctx.Err()
}

// cancelled reports whether the task has ended while it was in the queue.
func (x *modelTask) cancelled() bool { return x.phase == taskmanager.Finished }

// modelWeight is what a key is worth.
func modelWeight(key string) int { return 1 + len(key) }

// discipline is one of the manager's, and the same for the model's tasks: what
// is tested here is not the order as such, but that the manager tells its queue
// what it has to know.
type discipline struct {
	real  taskmanager.Discipline
	model queue.Factory[*modelTask]
}

func (x *modelTask) keyOf() string                 { return x.key }
func (x *modelTask) priorityOf() int               { return x.priority }
func (x *modelTask) costOf() int64                 { return x.cost }
func (x *modelTask) weightOf() int                 { return modelWeight(x.key) }
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
		real:  taskmanager.LimitByKey(1, taskmanager.Fair(modelWeight)),
		model: queue.LimitByKey(1, (*modelTask).keyOf, modelFair),
	},
	"Custom": {
		real:  taskmanager.Custom(queue.Priority(func(h *taskmanager.Handle) int { return -int(h.Cost()) }, 0)),
		model: queue.Priority(func(x *modelTask) int { return -int(x.cost) }, 0),
	},
}

// model is what a manager must do.
type model struct {
	min, max int
	limit    int // -1: none
	overflow taskmanager.Overflow

	tasks     map[string]*modelTask // outstanding
	queue     queue.Queue[*modelTask]
	withdrawn int          // tasks in the queue that were cancelled
	blocked   []*modelTask // that wait for room, in order
	delayed   []*modelTask // that wait for their time, in the order in which they are due
	ended     []*modelTask
	rejected  int
}

// queued is the number of tasks that wait for a worker.
func (m *model) queued() int { return m.queue.Len() - m.withdrawn }

// running is the number of tasks that run on workers.
func (m *model) running() (busy int) {
	for _, x := range m.tasks {
		if x.phase == taskmanager.Running && !x.inline {
			busy++
		}
	}
	return busy
}

// room reports whether one more may wait: beyond those that workers are free for,
// and that may run.
func (m *model) room() bool {
	held, free := 0, m.max-m.running()
	if h, ok := m.queue.(queue.Holder); ok {
		held = max(h.Held()-m.withdrawn, 0)
	}
	switch {
	case m.limit < 0:
		return true
	case m.limit == 0:
		return held == 0 && m.queued() < free
	default:
		return max(held, m.queued()-free) < m.limit
	}
}

// submit is a submit of a name that is free.
func (m *model) submit(x *modelTask) {
	switch {
	case x.delay > 0:
		m.tasks[x.name] = x
		m.postpone(x, x.delay)
	case len(m.blocked) == 0 && m.room():
		m.admit(x)
	case m.overflow == taskmanager.Block:
		m.tasks[x.name] = x
		m.blocked = append(m.blocked, x)
	case m.overflow == taskmanager.Reject:
		x.end = taskmanager.ErrQueueFull
		m.rejected++
	case m.overflow == taskmanager.CallerRuns:
		m.tasks[x.name] = x
		x.phase, x.inline, x.started = taskmanager.Running, true, true
	case m.overflow == taskmanager.DropNewest:
		m.tasks[x.name] = x
		m.finish(x, taskmanager.ErrDropped)
	default:
		m.admit(x)
		m.evict()
	}
	m.settle()
}

// admit queues a task.
func (m *model) admit(x *modelTask) {
	m.tasks[x.name] = x
	m.queue.Push(x)
}

// evict drops a task that was not cancelled.
func (m *model) evict() {
	take := m.queue.(queue.Evictor[*modelTask]).Evict
	if m.overflow == taskmanager.DropOldest {
		take = m.queue.(queue.OldestEvictor[*modelTask]).EvictOldest
	}
	for {
		victim, _ := take()
		if !victim.cancelled() {
			m.finish(victim, taskmanager.ErrDropped)
			return
		}
		m.withdrawn--
		if m.withdrawn > 0 {
			m.withdrawn -= m.queue.(queue.Remover[*modelTask]).Remove((*modelTask).cancelled)
		}
	}
}

// settle gives room to those that wait for it, and workers to those that are
// queued.
func (m *model) settle() {
	for {
		for len(m.blocked) > 0 && m.room() {
			m.admit(m.blocked[0])
			m.blocked = m.blocked[1:]
		}
		if m.running() == m.max {
			return
		}
		x, ok := m.queue.Pop()
		switch {
		case !ok:
			return
		case x.cancelled():
			m.withdrawn--
			if s, ok := m.queue.(queue.Skipper[*modelTask]); ok {
				s.Skip(x)
			}
			m.over(x)
		default:
			x.phase, x.started = taskmanager.Running, true
		}
	}
}

// over tells the queue that a task which it has handed out has ended.
func (m *model) over(x *modelTask) {
	if f, ok := m.queue.(queue.Finisher[*modelTask]); ok {
		f.Finish(x)
	}
}

// failed decides whether a task runs again. Its worker is free after that.
func (m *model) failed(x *modelTask, failure error) {
	x.failures++
	inline := x.inline
	x.inline = false
	x.queuedAt = time.Now()
	switch {
	case !x.restarts:
		m.finish(x, failure)
	case x.failures == giveUpAfter:
		m.finish(x, taskmanager.ErrRestartsExhausted)
	case x.failures == 1:
		x.phase = taskmanager.Restarted
		m.queue.Push(x)
	default:
		x.phase = taskmanager.Restarted
		m.postpone(x, restartDelay)
	}
	if !inline {
		m.over(x)
	}
}

// cancel cancels a task; those that wait for room are spared.
func (m *model) cancel(x *modelTask) {
	running, queued := x.phase == taskmanager.Running, x.due.IsZero()
	queued = queued || !slices.Contains(m.delayed, x)
	m.finish(x, taskmanager.ErrCancelled)
	switch {
	case running && !x.inline:
		m.over(x)
	case running || !queued:
	default:
		m.withdrawn++
		_, limits := m.queue.(queue.Finisher[*modelTask])
		if n := m.queue.Len(); limits && 8*m.withdrawn >= n || !limits && m.withdrawn > 16 && m.withdrawn > n/2 { // as the pool does
			m.withdrawn -= m.queue.(queue.Remover[*modelTask]).Remove((*modelTask).cancelled)
		}
	}
	m.settle()
}

// postpone has a task wait for its time.
func (m *model) postpone(x *modelTask, d time.Duration) {
	x.due = time.Now().Add(d)
	later := slices.IndexFunc(m.delayed, func(y *modelTask) bool { return y.due.After(x.due) })
	if later < 0 {
		later = len(m.delayed)
	}
	m.delayed = slices.Insert(m.delayed, later, x)
}

// due queues the tasks whose time has come.
func (m *model) due() {
	for len(m.delayed) > 0 && !m.delayed[0].due.After(time.Now()) {
		m.delayed[0].queuedAt = time.Now()
		m.queue.Push(m.delayed[0])
		m.delayed = m.delayed[1:]
	}
	m.settle()
}

// finish ends a task.
func (m *model) finish(x *modelTask, err error) {
	x.phase, x.end = taskmanager.Finished, err
	delete(m.tasks, x.name)
	m.delayed = slices.DeleteFunc(m.delayed, func(y *modelTask) bool { return x == y })
	m.ended = append(m.ended, x)
}

// draw draws a task.
func draw(t *rapid.T) *modelTask {
	x := &modelTask{
		name:      rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "idle"}).Draw(t, "name"),
		restarts:  rapid.Bool().Draw(t, "restarts"),
		key:       rapid.SampledFrom([]string{"", "k", "key"}).Draw(t, "key"),
		priority:  rapid.IntRange(-1, 2).Draw(t, "priority"),
		cost:      rapid.Int64Range(1, 4).Draw(t, "cost"),
		delay:     rapid.SampledFrom([]time.Duration{0, 0, 0, 0, restartDelay / 2, 3 * restartDelay}).Draw(t, "delay"),
		phase:     taskmanager.NotAssigned,
		queuedAt:  time.Now(),
		order:     make(chan outcome),
		submitted: make(chan struct{}),
	}
	if rapid.Bool().Draw(t, "urgent") {
		x.deadline = time.Now().Add(rapid.SampledFrom([]time.Duration{-1, 0, horizon, 3 * horizon}).Draw(t, "deadline"))
	}
	return x
}
