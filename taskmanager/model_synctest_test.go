package taskmanager_test

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// model is what a manager must do.
type model struct {
	min, max int
	paused   bool
	limit    int // -1: none
	overflow taskmanager.Overflow

	tasks     map[string]*modelTask // outstanding
	slots     int                   // in use
	queue     queue.Queue[*modelTask]
	withdrawn int            // tasks in the queue that were cancelled
	blocked   [][]*modelTask // those that wait for room, in order; those of a batch together
	delayed   []*modelTask   // that wait for their time, in the order in which they are due
	returning []*modelTask   // that have waited for others and want a slot, in order
	dropped   []*modelTask   // by the submit that is under way
	ended     []*modelTask

	// runs looks up whether a task runs in fact, where a worker that has become free
	// may as well have taken the next one of the queue, or first let one in that
	// waits for room.
	runs func(x *modelTask) bool
}

// queued is the number of tasks that wait for a worker.
func (m *model) queued() int { return m.queue.Len() - m.withdrawn }

// waiting is the number of tasks that wait for room.
func (m *model) waiting() (n int) {
	for _, b := range m.blocked {
		n += len(b)
	}
	return n
}

// limits reports whether the discipline limits what runs of a key.
func (m *model) limits() bool {
	_, ok := m.queue.(queue.Holder)
	return ok
}

// room reports whether n more may wait: beyond those that workers are free for,
// and that may run.
func (m *model) room(n int) bool {
	held, free := 0, max(m.max-m.slots, 0)
	if m.paused {
		free = 0
	}
	if h, ok := m.queue.(queue.Holder); ok {
		held = max(h.Held()-m.withdrawn, 0)
	}
	switch {
	case m.limit < 0:
		return true
	case m.limit == 0:
		return held == 0 && m.queued()+n <= free
	default:
		return held < m.limit && m.queued()-free+n <= m.limit
	}
}

// submit is a submit of names that are free, of one task or of a batch. Trying does
// not wait.
func (m *model) submit(tasks []*modelTask, trying bool) {
	overflow := m.overflow
	if overflow == taskmanager.CallerRuns && (m.paused || trying) || overflow == taskmanager.Block && trying {
		overflow = taskmanager.Reject
	}
	room := len(m.blocked) == 0 && m.room(len(tasks))
	switch {
	case tasks[0].hard && !tasks[0].deadline.After(time.Now()):
		tasks[0].end = taskmanager.ErrDeadlineExceeded
		return
	case tasks[0].delay > 0:
		m.take(tasks)
		m.postpone(tasks[0], tasks[0].delay)
	case room:
		m.admit(tasks)
	case overflow == taskmanager.Reject, overflow == taskmanager.Block && len(tasks) > max(m.limit, 0)+m.max:
		for _, x := range tasks {
			x.end = taskmanager.ErrQueueFull
		}
		return
	case overflow == taskmanager.Block:
		m.take(tasks)
		m.blocked = append(m.blocked, tasks)
	default:
		for _, x := range tasks {
			m.overrun(x, overflow)
		}
		for len(m.dropped) > 0 { // they learn of it when all are in
			x := m.dropped[0]
			m.dropped = m.dropped[1:]
			m.finish(x, taskmanager.ErrDropped)
		}
	}
	m.settle()
}

// overrun is a submit under a policy that takes tasks without waiting.
func (m *model) overrun(x *modelTask, overflow taskmanager.Overflow) {
	switch {
	case m.room(1) && len(m.blocked) == 0:
		m.admit([]*modelTask{x})
	case overflow == taskmanager.CallerRuns:
		m.tasks[x.name] = x
		x.phase, x.inline, x.started, x.startedAt = taskmanager.Running, true, true, time.Now()
	case overflow == taskmanager.DropNewest:
		m.tasks[x.name] = x
		m.drop(x)
	default:
		m.admit([]*modelTask{x})
		m.evict()
	}
}

// drop gives a task up that is not in the queue any more.
func (m *model) drop(x *modelTask) {
	x.phase = taskmanager.Finished
	m.dropped = append(m.dropped, x)
}

// take puts tasks on the books.
func (m *model) take(tasks []*modelTask) {
	for _, x := range tasks {
		m.tasks[x.name] = x
	}
}

// admit queues tasks.
func (m *model) admit(tasks []*modelTask) {
	m.take(tasks)
	for _, x := range tasks {
		m.queue.Push(x)
	}
}

// evict drops a task that was not cancelled.
func (m *model) evict() {
	which := queue.Worst
	if m.overflow == taskmanager.DropOldest {
		which = queue.Oldest
	}
	for {
		victim, _ := m.queue.(queue.Evictor[*modelTask]).Evict(which)
		if !victim.cancelled() {
			m.drop(victim)
			return
		}
		m.withdrawn--
		if m.withdrawn > 0 {
			m.sweep()
		}
	}
}

// sweep takes cancelled tasks out of the queue.
func (m *model) sweep() {
	m.withdrawn -= m.queue.(queue.Remover[*modelTask]).Remove((*modelTask).cancelled)
}

// settle gives workers to those that have waited for others or are queued, and room to
// those that wait for it.
func (m *model) settle() {
	for {
		free := m.slots < m.max
		back := free && len(m.returning) > 0 && (!m.returning[0].coming || m.paused || m.runs(m.returning[0]))
		if back && (!m.returning[0].coming || !m.mayEnter() || !isClosed(m.blocked[0][0].submitted)) {
			m.comeNext()
			continue
		}
		for m.mayEnter() {
			m.admit(m.blocked[0])
			m.blocked = m.blocked[1:]
			if back {
				break
			}
		}
		switch {
		case back:
		case free && !m.paused && m.start():
		case free && len(m.returning) > 0:
			m.comeNext()
		default:
			for _, x := range m.returning {
				x.coming = false
			}
			return
		}
	}
}

// mayEnter reports whether there is room for the first that wait for it.
func (m *model) mayEnter() bool {
	return len(m.blocked) > 0 && (m.room(len(m.blocked[0])) || m.deserted(m.blocked[0][0]))
}

// deserted reports whether there will never be more room for a batch.
func (m *model) deserted(x *modelTask) bool {
	return x.batch != nil && m.queued() == 0 && m.slots == 0 && !m.paused
}

// comeNext gives a slot to the task that has waited for one longest.
func (m *model) comeNext() {
	x := m.returning[0]
	m.returning = m.returning[1:]
	m.comeBack(x)
}

// comeBack has a task go on that has waited, with a slot or, in a hurry, beyond them.
func (m *model) comeBack(x *modelTask) {
	m.slots++
	x.slot, x.coming, x.phase = true, false, taskmanager.Running
	m.heed(x)
}

// start starts the next task of the queue, if there is one.
func (m *model) start() bool {
	x, ok := m.queue.Pop()
	switch {
	case !ok:
		return false
	case x.cancelled():
		m.withdrawn--
		m.over(x, false)
	default:
		m.slots++
		x.phase, x.started, x.slot, x.startedAt = taskmanager.Running, true, true, time.Now()
		if m.withdrawn == m.queue.Len() {
			m.sweep()
		}
	}
	return true
}

// over tells the queue that a task which it has handed out has ended.
func (m *model) over(x *modelTask, ran bool) {
	if f, ok := m.queue.(queue.Finisher[*modelTask]); ok {
		f.Finish(x, ran)
	}
}

// release is the end of an execution: its worker is free for others.
func (m *model) release(x *modelTask) {
	if x.slot {
		x.slot = false
		m.slots--
		m.over(x, true)
	}
	x.inline = false
}

// stopped is the end of an execution that ends the task.
func (m *model) stopped(x *modelTask, err error) {
	m.finish(x, err)
	m.release(x)
}

// failed decides whether a task runs again.
func (m *model) failed(x *modelTask, failure error) {
	x.failures++
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
	m.release(x)
}

// cancel gives a task up. One of a batch that waits for room is spared.
func (m *model) cancel(x *modelTask, reason error) {
	switch {
	case x.executing():
		m.interrupt(x, reason)
	case slices.Contains(m.delayed, x):
		m.finish(x, reason)
	case m.isBlocked(x):
		m.blocked = slices.DeleteFunc(m.blocked, func(b []*modelTask) bool { return b[0] == x })
		m.finish(x, reason)
	default: // it leaves the queue, and only then whoever waits for it learns of that
		x.phase = taskmanager.Finished
		m.withdrawn++
		n := m.queue.Len()
		if m.limits() && 8*m.withdrawn >= n || !m.limits() && (m.withdrawn == n || m.withdrawn > 16 && m.withdrawn > n/2) { // as the pool does
			m.sweep()
		}
		m.settle()
		m.finish(x, reason)
	}
	m.settle()
}

// isBlocked reports whether the task waits for room.
func (m *model) isBlocked(x *modelTask) bool {
	return slices.ContainsFunc(m.blocked, func(b []*modelTask) bool { return slices.Contains(b, x) })
}

// interrupt ends the context of an execution.
func (m *model) interrupt(x *modelTask, reason error) {
	if x.gone == nil {
		x.gone = reason
		m.hurry(x)
	}
}

// timeOut is the time limit of an execution, which is a failure.
func (m *model) timeOut(x *modelTask) {
	x.late = true
	m.hurry(x)
	m.settle()
}

// hurry is the end of the context of an execution. It heeds that, unless it waits
// without looking at it; and one that has lent its slot goes on without.
func (m *model) hurry(x *modelTask) {
	back := slices.Contains(m.returning, x)
	switch {
	case x.deaf && (x.target != nil || back):
	case x.phase == taskmanager.Blocked:
		m.returning = slices.DeleteFunc(m.returning, func(y *modelTask) bool { return x == y })
		x.target = nil
		m.comeBack(x)
	default:
		x.target = nil
		m.heed(x)
	}
}

// heed ends an execution whose context has ended.
func (m *model) heed(x *modelTask) {
	switch {
	case x.gone != nil:
		m.stopped(x, x.gone)
	case x.late:
		x.late = false
		m.failed(x, taskmanager.ErrTimeout)
	}
}

// wait is a task that waits for another one, and reports whether it may.
func (m *model) wait(x, target *modelTask, deaf bool) bool {
	x.target, x.deaf = target, deaf
	if !m.canEnd(x) {
		x.target = nil
		return false
	}
	if x.slot {
		x.slot, x.phase = false, taskmanager.Blocked
		m.slots--
		m.settle()
	}
	return true
}

// canEnd reports whether a task that waits can ever go on: whether it is among those
// that end, one after another, if each does as soon as nothing keeps it.
func (m *model) canEnd(x *modelTask) bool {
	done := map[*modelTask]bool{nothing: true}
	for more := true; more && !done[x]; {
		more = false
		for _, y := range m.tasks {
			if !done[y] && (y.target == nil || done[y.target]) && (y.executing() || m.mayRun(y, done)) {
				done[y], more = true, true
			}
		}
	}
	return done[x]
}

// mayRun reports whether the limit of its key lets a task run once others are done.
func (m *model) mayRun(x *modelTask, done map[*modelTask]bool) bool {
	if !m.limits() {
		return true
	}
	for _, y := range m.tasks {
		if y.key == x.key && y.executing() && !done[y] {
			return false
		}
	}
	return true
}

// resume is the end of a wait: the task wants its slot back, if it had one.
func (m *model) resume(x *modelTask) {
	x.target = nil
	if x.phase == taskmanager.Blocked {
		m.returning = append(m.returning, x)
		return
	}
	m.heed(x) // it runs in the place of its submitter, and has none
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

// finish ends a task.
func (m *model) finish(x *modelTask, err error) {
	x.phase, x.end = taskmanager.Finished, err
	delete(m.tasks, x.name)
	m.delayed = slices.DeleteFunc(m.delayed, func(y *modelTask) bool { return x == y })
	m.ended = append(m.ended, x)
	if x.group != nil && err != nil {
		m.groupFailed(x.group, err)
	}
	for _, y := range m.tasks {
		if y.target == x {
			y.coming = x.slot
			m.resume(y)
		}
	}
}

// groupFailed notes a failure in a group, and cancels the others: those that wait
// first.
func (m *model) groupFailed(g *modelGroup, err error) {
	if g.failed {
		return
	}
	g.failures = append(g.failures, err)
	if g.collect {
		return
	}
	g.failed = true
	for _, executing := range []bool{false, true} {
		for _, x := range m.tasks {
			if x.group == g && x.executing() == executing && x.phase != taskmanager.Finished {
				m.cancel(x, taskmanager.ErrGroupFailed)
			}
		}
	}
}
