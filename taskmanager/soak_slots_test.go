package taskmanager_test

import (
	"time"
)

// takeSlot counts an execution that has a slot for sure. The caller is a task that has
// got its slot back, or one that begins.
func (e *execution) takeSlot() {
	if e.ctx.Err() != nil { // so it did not wait for one
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

// hurry notes that an execution goes on without a slot. One in the place of its submitter
// has lent the slot of that, on whose goroutine it runs.
func (e *execution) hurry() {
	for e.inline {
		if e.by == nil { // no task has submitted it
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

// endHurry is the end of an execution that had no slot: from here on the worker is one too
// many no more, unless a middleware has it do more.
func (e *execution) endHurry() {
	if e.hurried && !e.x.skips {
		e.x.mu.Lock()
		e.x.hurried--
		e.x.mu.Unlock()
	}
}

// stepAside does something for which the slot of the task may be lent. Under CallerRuns
// a submit is that too: what it runs may wait.
func (e *execution) stepAside(what string, do func()) {
	e.giveSlot()
	begin := time.Now()
	do()
	e.waited(what, time.Since(begin))
	e.takeSlot()
}

// waited reports waits that take longer than any good reason.
func (e *execution) waited(what string, d time.Duration) {
	e.x.s.mu.Lock()
	e.x.s.slow = max(e.x.s.slow, d)
	e.x.s.mu.Unlock()
	if d > soakHang/3 {
		e.x.fail("the task %q: %s took %v\n%s", e.name, what, d, e.x.stacks())
	}
}
