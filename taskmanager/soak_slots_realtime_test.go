package taskmanager_test

import (
	"time"
)

// takeSlot counts an execution that begins or has got its slot back, and checks the
// maximum.
func (e *execution) takeSlot() {
	if e.ctx.Err() != nil { // it may have continued without a slot
		e.hurry()
	}
	if e.inline || e.unsure {
		return
	}
	x := e.x
	x.mu.Lock()
	x.underWay++
	n, bound := x.underWay, x.bound+x.hurried
	x.mu.Unlock()
	if n > bound {
		x.fail("%d tasks are under way, with a maximum of %d\n%+v", n, bound, x.m.Snapshot())
	}
}

func (e *execution) giveSlot() {
	if e.inline || e.unsure || e.gone {
		return
	}
	e.x.mu.Lock()
	e.x.underWay--
	e.x.mu.Unlock()
}

// hurry records that an execution continues without a slot. An inline execution has no slot
// of its own; it has lent that of the task in whose submit it runs.
func (e *execution) hurry() {
	for e.inline {
		if e.by == nil { // not submitted by a task
			return
		}
		e = e.by
	}
	if e.hurried {
		return
	}
	e.hurried = true
	e.x.mu.Lock()
	e.x.hurried++
	e.x.mu.Unlock()
}

// endHurry is called at the end of an execution. Its worker then no longer exceeds the
// maximum, unless a middleware repeats the execution.
func (e *execution) endHurry() {
	if e.hurried && !e.x.skips {
		e.x.mu.Lock()
		e.x.hurried--
		e.x.mu.Unlock()
	}
}

// stepAside calls do, which may lend the slot of the task. Under CallerRuns this includes
// submits: the task that runs inside the submit may wait.
func (e *execution) stepAside(what string, do func()) {
	e.giveSlot()
	begin := time.Now()
	do()
	e.waited(what, time.Since(begin))
	e.takeSlot()
}

// waited reports a wait that took suspiciously long.
func (e *execution) waited(what string, d time.Duration) {
	e.x.s.mu.Lock()
	e.x.s.slow = max(e.x.s.slow, d)
	e.x.s.mu.Unlock()
	if d > soakHang/3 {
		e.x.fail("the task %q: %s took %v\n%s", e.name, what, d, e.x.stacks())
	}
}
