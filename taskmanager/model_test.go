package taskmanager_test

import (
	"errors"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// model predicts the behaviour of a manager.
type model struct {
	min, max int
	paused   bool
	switches []time.Time                                  // begins and ends of pauses, in turn
	limit    int                                          // -1: none
	allows   func(x *modelTask, beside []*modelTask) bool // nil: the discipline holds nothing back
	overflow taskmanager.Overflow

	tasks     map[string]*modelTask // outstanding
	slots     int                   // slots in use
	queue     queue.Queue[*modelTask]
	withdrawn int             // tasks in the queue that were cancelled
	serial    int             // the number of the last unique name
	stored    []restart.State // of tasks that were handed over
	sched     *modelSchedule  // nil: none yet
	groups    [2]*modelGroup
	results   *modelGroup
	crowded   bool           // groups have limits
	refused   []*modelTask   // submits to groups, since the last check
	slack     int            // for how many tasks the present event may have made room and given it away again
	gap       bool           // since the last check there was a moment without outstanding tasks, between two of a group
	blocked   [][]*modelTask // submits that wait for room, in order; a batch is one submit
	delayed   []*modelTask   // tasks that wait for their time, in order of due time
	returning []*modelTask   // tasks that have waited for others and need a slot, in order
	dropped   []*modelTask   // tasks that the present submit has dropped
	ended     []*modelTask

	// runs reports whether the manager in fact runs a task. The model asks where a worker
	// that has become free may either have given its slot to the task, or have taken the
	// next task of the queue.
	runs func(x *modelTask) bool
}

// queued returns the number of tasks that wait for a worker, without those that also wait for
// room, although these are in the queue too.
func (m *model) queued() int { return m.queue.Len() - m.withdrawn - m.waiting() }

// waiting returns the number of tasks that wait for room.
func (m *model) waiting() (n int) {
	for _, b := range m.blocked {
		n += len(b)
	}
	return n
}

// switchPause begins a pause or ends it.
func (m *model) switchPause() {
	m.paused = !m.paused
	m.switches = append(m.switches, time.Now())
}

// pausedSince returns for how long the manager has been paused since a time. No pause may be
// under way.
func (m *model) pausedSince(t time.Time) (sum time.Duration) {
	for i := 0; i < len(m.switches); i += 2 {
		begin, end := m.switches[i], m.switches[i+1]
		if begin.Before(t) {
			begin = t
		}
		sum += max(end.Sub(begin), 0)
	}
	return sum
}

// limits reports whether the discipline limits the running tasks of a key.
func (m *model) limits() bool {
	_, ok := m.queue.(queue.Holder)
	return ok
}

// room reports whether n more tasks may be queued. Tasks for which a worker is free do not
// count towards the limit.
func (m *model) room(n int) bool {
	free := max(m.max-m.slots, 0)
	if m.paused {
		free = 0
	}
	return m.limit < 0 || !m.heldFill() && m.queued()-free+n <= m.limit
}

// heldFill reports whether the tasks that the discipline holds back fill the limit.
func (m *model) heldFill() bool {
	h, ok := m.queue.(queue.Holder)
	return ok && m.limit >= 0 && h.Held()-m.withdrawn >= max(m.limit, 1)
}

// submit models the submit of one task or of a batch, whose names are free. trying means
// that the submit must not wait.
func (m *model) submit(tasks []*modelTask, trying bool) {
	overflow := m.overflow
	if overflow == taskmanager.CallerRuns && (m.paused || trying) || overflow == taskmanager.Block && trying {
		overflow = taskmanager.Reject
	}
	room := len(m.blocked) == 0 && m.room(len(tasks))
	switch {
	case tasks[0].isPast():
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
		m.admit(tasks)
		m.blocked = append(m.blocked, tasks)
	default:
		for _, x := range tasks {
			m.overrun(x, overflow)
		}
		for len(m.dropped) > 0 { // they end when the whole batch is in
			x := m.dropped[0]
			m.dropped = m.dropped[1:]
			m.finish(x, taskmanager.ErrDropped)
		}
	}
	m.settle()
}

// overrun models the submit of a task under an overflow policy that accepts it without
// waiting.
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

// drop marks a task that is no longer in the queue as dropped.
func (m *model) drop(x *modelTask) {
	x.phase = taskmanager.Finished
	m.dropped = append(m.dropped, x)
}

// take makes tasks outstanding.
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

// evict drops one task from the queue. Cancelled tasks do not count.
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

// sweep removes cancelled tasks from the queue.
func (m *model) sweep() {
	m.withdrawn -= m.queue.(queue.Remover[*modelTask]).Remove((*modelTask).cancelled)
}

// settle gives free slots to returning and queued tasks, and free room to submits.
func (m *model) settle() {
	m.settleSlots()
	m.enterGroups()
}

// settleSlots gives free slots to returning and queued tasks, and free room to blocked submits.
func (m *model) settleSlots() {
	for {
		for m.mayEnter() {
			m.blocked = m.blocked[1:]
		}
		free := m.slots < m.max
		switch {
		case free && len(m.returning) > 0 && (!m.returning[0].coming || m.paused || m.runs(m.returning[0])):
			m.comeNext()
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

// mayEnter reports whether there is room for the first blocked submit.
func (m *model) mayEnter() bool {
	return len(m.blocked) > 0 && m.queued()+len(m.blocked[0]) <= m.limit
}

// unblock ends the wait for room of the submit of a task, if it waits. It returns the tasks of
// that submit, and otherwise only x.
func (m *model) unblock(x *modelTask) []*modelTask {
	for i, b := range m.blocked {
		if slices.Contains(b, x) {
			m.blocked = slices.Delete(m.blocked, i, i+1)
			return b
		}
	}
	return []*modelTask{x}
}

// comeNext gives a slot to the first returning task.
func (m *model) comeNext() {
	x := m.returning[0]
	m.returning = m.returning[1:]
	m.comeBack(x)
}

// comeBack continues a task that has waited. It uses a slot, even if the maximum is
// exceeded.
func (m *model) comeBack(x *modelTask) {
	m.lent(x, false)
	m.slots++
	x.slot, x.coming, x.phase = true, false, taskmanager.Running
	m.heedAfterWait(x)
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
		m.unblock(x) // a worker takes the task of a submit that waits for room, or one of its batch
		m.slots++
		x.phase, x.started, x.slot, x.startedAt = taskmanager.Running, true, true, time.Now()
		if m.withdrawn == m.queue.Len() {
			m.sweep()
		}
	}
	return true
}

// lent tells the queue that a task has lent its slot, or has one again.
func (m *model) lent(x *modelTask, lends bool) {
	if l, ok := m.queue.(queue.Lender[*modelTask]); ok {
		l.Lent(x, lends)
	}
}

// requeue queues a task that restarts.
func (m *model) requeue(x *modelTask) {
	if x.front {
		m.queue.(queue.Fronter[*modelTask]).PushFront(x)
	} else {
		m.queue.Push(x)
	}
}

// over tells the queue that a task that it handed out has ended, or was skipped (!ran).
func (m *model) over(x *modelTask, ran bool) {
	if f, ok := m.queue.(queue.Finisher[*modelTask]); ok {
		f.Finish(x, ran)
	}
}

// release ends an execution and frees its slot.
func (m *model) release(x *modelTask) {
	if x.slot {
		x.slot = false
		m.slots--
		m.over(x, true)
	}
	x.inline = false
}

// stopped ends an execution, and with it the task.
func (m *model) stopped(x *modelTask, err error) {
	m.finish(x, err)
	m.release(x)
}

// failed ends an execution that failed, and restarts the task or ends it.
func (m *model) failed(x *modelTask, failure error) {
	x.failures++
	x.last = failure
	x.queuedAt, x.patientFrom = time.Now(), time.Time{}
	switch {
	case !x.restarts:
		m.finish(x, failure)
	case x.failures >= giveUpAfter:
		m.finish(x, taskmanager.ErrRestartsExhausted)
	case x.next != nil && x.next.taken != reruns:
		m.finish(x, taskmanager.ErrReplaced)
	case x.origin != nil && x.failures == 1:
		m.handOver(x, 0, failure)
	case x.origin != nil:
		m.handOver(x, restartDelay, failure)
	case x.failures == 1:
		x.phase = taskmanager.Restarted
		m.requeue(x)
	default:
		x.phase = taskmanager.Restarted
		m.postpone(x, restartDelay)
	}
	m.release(x)
}

// cancel cancels a task, and with it the batch that waits for room with it.
func (m *model) cancel(x *modelTask, reason error) {
	switch {
	case x.before != nil:
		m.leave(x, reason)
	case x.executing():
		m.interrupt(x, reason)
	case slices.Contains(m.delayed, x):
		m.finish(x, reason)
	default: // the task leaves the queue before its end is visible to waiting tasks
		tasks := m.unblock(x)
		for _, y := range tasks {
			y.phase = taskmanager.Finished
		}
		m.withdrawn += len(tasks)
		n := m.queue.Len()
		if m.limits() && 8*m.withdrawn >= n || !m.limits() && (m.withdrawn == n || m.withdrawn > 16 && m.withdrawn > n/2) { // the pool's rule
			m.sweep()
		}
		m.settle()
		for _, y := range tasks {
			m.finish(y, reason)
		}
	}
	m.settle()
}

// isBlocked reports whether the task waits for room.
func (m *model) isBlocked(x *modelTask) bool {
	return slices.ContainsFunc(m.blocked, func(b []*modelTask) bool { return slices.Contains(b, x) })
}

// wait models a task that waits for another one. It returns false if that would be a
// deadlock.
func (m *model) wait(x, target *modelTask, deaf bool) bool {
	x.target, x.deaf = target, deaf
	if !m.canEnd(x) {
		x.target = nil
		return false
	}
	if x.slot {
		x.slot, x.phase = false, taskmanager.Blocked
		m.slots--
		m.lent(x, true)
		m.settle()
	}
	return true
}

// canEnd reports whether a waiting task can ever continue. It lets the tasks end one after
// another, each as soon as nothing blocks it, and looks whether x is among them.
func (m *model) canEnd(x *modelTask) bool {
	done := map[*modelTask]bool{nothing: true}
	for more := true; more && !done[x]; {
		more = false
		for _, y := range m.all() {
			if !done[y] && (y.target == nil || done[y.target]) && (y.before == nil || done[y.before]) && (y.executing() || m.mayRun(y, done)) {
				done[y], more = true, true
			}
		}
	}
	return done[x]
}

// resume ends the wait of a task. The task needs a slot again if it has lent one.
func (m *model) resume(x *modelTask) {
	x.target = nil
	if x.phase == taskmanager.Blocked {
		m.returning = append(m.returning, x)
		m.slack++
		return
	}
	m.heedAfterWait(x) // it runs in its submit and has no slot
}

// postpone makes a task wait for its time.
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
	// In these cases a worker that is free may start a task before y asks for its slot.
	passesOn := x.next != nil || x.follows() || errors.Is(err, taskmanager.ErrDropped)
	m.promote(x)
	if x.group != nil && err != nil && !x.givenUp {
		m.groupFailed(x.group, err)
	}
	m.runEnded(x)
	for _, y := range m.tasks {
		if y.target == x {
			y.coming = x.slot || passesOn
			m.resume(y)
		}
	}
}
