package taskmanager

import (
	"context"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// shutdown is the end of a manager. Close, Drain and Stop begin it and, but for Close, wait
// until it is done or their context ends. All that takes long, or calls code that may block,
// runs on goroutines of the manager:
//
//	Close, Drain        → finishDrain    waits until no task is outstanding, and begins to stop
//	finishDrain, Stop   → finishStop     cancels the outstanding tasks and waits for everything
type shutdown struct {
	mu       sync.Mutex // guards the next three; held for a moment only
	closing  bool       // finishDrain has begun
	stopping bool       // finishStop has begun
	cut      cut        // constant once stopping is set

	open  context.Context    // ends when Close, Drain or Stop is called
	close context.CancelFunc // of open

	background sync.WaitGroup // finishDrain, and the goroutines that call a Timetable of the user
	onEnd      sync.WaitGroup // tasks whose functions of WithOnEnd have not returned
	done       chan struct{}  // closed by finishStop
}

// cut is what a Stop found outstanding.
type cut struct {
	names []string // of the tasks, sorted; at most mostNames of them
	total int      // number of tasks
}

// mostNames is the largest number of names of a cut. To collect them takes a few
// milliseconds, for which Stop and Drain do not observe their context.
const mostNames = 10_000

// Stop ends the manager. It refuses new tasks, ends the tasks that are queued or wait for
// their time with [ErrStopped], and cancels the contexts of the running tasks with
// ErrStopped as the cause. Then it waits until those tasks have returned and all workers
// have exited. No task starts or restarts any more.
//
// If ctx ends first, Stop returns a [*StopError], which wraps the cause of ctx and names
// the tasks that are still running, and the calls of observers, the logger, timetables, functions
// of [WithOnEnd] and the scaler that have not returned. The manager continues to stop; call Stop
// again to wait for it.
//
// Stop is idempotent and safe for concurrent use. A task may stop its own manager, but Stop
// also waits for that task, so its ctx must end. For a nil ctx Stop returns [ErrNilContext]
// and does nothing else.
func (m *TaskManager) Stop(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	m.beginStop()
	if isDone(m.shutdown.done) {
		return nil
	}
	select {
	case <-m.shutdown.done:
		return nil
	case <-ctx.Done():
		return m.notStopped(ctx)
	}
}

// Done returns a channel that is closed when the manager has ended, after
// [TaskManager.Close], [TaskManager.Drain] or [TaskManager.Stop]: no task is outstanding, and
// all workers have exited.
func (m *TaskManager) Done() <-chan struct{} { return m.shutdown.done }

// overCtx is a context that has ended, for calls that must not wait.
var overCtx = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// beginStop makes the manager start no more tasks and accept none, notes which ones are
// outstanding, and leaves the rest to finishStop. It does not wait. Only the first call has
// an effect.
func (m *TaskManager) beginStop() {
	s := &m.shutdown
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping = true
	s.close()
	m.pool.Pause() // a task that starts now would only be cancelled
	m.names.Close()
	s.cut = m.outstanding()
	_ = m.pool.Stop(overCtx) // from now on no task starts, even after a Resume, and the queued ones are dropped
	go m.finishStop()
}

// outstanding returns the names of the outstanding tasks.
func (m *TaskManager) outstanding() (c cut) {
	for h := range m.Tasks() {
		if len(c.names) == mostNames {
			c.total = max(int(m.Counts().Outstanding()), mostNames) //nolint:gosec // as many as fit into memory
			break
		}
		c.names = append(c.names, h.name)
	}
	c.total = max(c.total, len(c.names))
	slices.Sort(c.names)
	return c
}

// finishStop cancels the outstanding tasks and ends the manager. The names are closed, so
// there are no other tasks. A task that the timer or a submit is passing to the pool at this
// moment is refused there.
func (m *TaskManager) finishStop() {
	m.endSchedules()
	for h := range m.Tasks() {
		m.cancel(h, ErrStopped)
	}
	_ = m.pool.Stop(context.Background())
	for _, alarms := range []*alarms{m.delayed, m.patience} {
		_, quiet := alarms.Stop()
		<-quiet
	}
	m.shutdown.background.Wait()
	_ = m.awaitIdle(context.Background())
	m.shutdown.onEnd.Wait() // each task was added before its end, so nothing is added any more
	m.names.Flush()
	m.unobservePool()
	m.summarizeAll()
	close(m.shutdown.done)
}

// endSchedules ends the schedules. A schedule that Range misses was stored after the names
// were closed; its Repeat checks that.
func (m *TaskManager) endSchedules() {
	m.schedules.Range(func(s, _ any) bool {
		s.(*Schedule).Stop()
		return true
	})
}

// notStopped returns the error of a Stop whose context has ended.
func (m *TaskManager) notStopped(ctx context.Context) error {
	err := &StopError{Running: m.running(), Err: cause.Of(ctx)}
	for _, c := range m.calls.inProgress() {
		err.Calls = append(err.Calls, c.String())
		if c.holdsUp() {
			err.Running = append(err.Running, c.task)
		}
	}
	if m.pool.AsksScaler() {
		err.Calls = append(err.Calls, "the scaler")
	}
	slices.Sort(err.Calls)
	slices.Sort(err.Running)
	err.Running = slices.Compact(err.Running)
	return err
}

// running returns the sorted names of the tasks that are running, on workers or, with
// CallerRuns, in their submits. A task that a worker has taken counts as running, since it may
// begin before finishStop comes to cancel it. running takes time linear in the number of
// workers, not in that of all tasks.
func (m *TaskManager) running() []string {
	names := []string{}
	for _, w := range m.pool.Workers() {
		if w.Busy && (w.Item.taken() || w.Item.runsOn(w.ID)) {
			names = append(names, w.Item.name)
		}
	}
	m.inline.Range(func(h, _ any) bool {
		if h := h.(*Handle); h.runsOn(0) {
			names = append(names, h.name)
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names) // a task that moves may be listed twice
}

// isDone reports whether a channel is closed.
func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
