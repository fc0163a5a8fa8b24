package taskmanager_test

import (
	"context"
	"errors"
	"strings"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// kinds are the ways in which a task may end. The most specific ones come first.
var kinds = []struct {
	name string
	err  error
}{
	{"stopped", taskmanager.ErrStopped},
	{"group failed", taskmanager.ErrGroupFailed},
	{"cancelled", taskmanager.ErrCancelled},
	{"replaced", taskmanager.ErrReplaced},
	{"dropped", taskmanager.ErrDropped},
	{"shed", taskmanager.ErrShed},
	{"waited too long", taskmanager.ErrQueueTimeout},
	{"deadline passed", taskmanager.ErrDeadlineExceeded},
	{"given up", taskmanager.ErrRestartsExhausted},
	{"ran too long", taskmanager.ErrTimeout},
	{"Goexit", taskmanager.ErrGoexit},
	{"failed", errFailed},
	{"skipped", errSkipped},
}

// kind returns the name of the way in which a task ended.
func kind(err error) string {
	if err == nil {
		return "done"
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	if _, ok := errors.AsType[*taskmanager.PanicError](err); ok {
		return "panicked"
	}
	if _, ok := errors.AsType[*taskmanager.HandedOver](err); ok {
		return "postponed elsewhere"
	}
	return "unknown"
}

// known reports whether the task may end with err, given its options and its manager.
func (t *soakTask) known(err error) bool {
	x := t.x
	// A linked or grouped task may end for any reason that ends its parent.
	if t.linked && errors.Is(err, taskmanager.ErrCancelled) || t.grouped && errors.Is(err, taskmanager.ErrGroupFailed) {
		return true
	}
	parent := t.linked || t.grouped // it may return the cause of the end of its parent
	for reason, may := range map[error]bool{
		taskmanager.ErrStopped:          parent || x.stopping.Load() && !x.drained,
		taskmanager.ErrGroupFailed:      parent,
		taskmanager.ErrDropped:          x.drops(),
		taskmanager.ErrShed:             x.sheds,
		taskmanager.ErrQueueTimeout:     t.queueTimeout,
		taskmanager.ErrDeadlineExceeded: parent || t.deadline,
		taskmanager.ErrTimeout:          parent || t.timeout,
		errSkipped:                      x.skips,
	} {
		if errors.Is(err, reason) && !may {
			return false
		}
	}
	if crash, ok := errors.AsType[*taskmanager.PanicError](err); ok && !same(crash.Value, errFailed) {
		return false
	}
	return kind(err) != "unknown"
}

// same reports whether the value of a panic is the expected error.
func same(value any, err error) bool {
	e, ok := value.(error)
	return ok && errors.Is(e, err)
}

// check checks the manager and its tasks after its end.
func (x *life) check() {
	ends := make(map[string]int)
	accepted := 0
	for _, t := range x.tasks {
		if t.taken {
			accepted++
		}
		if how := t.check(); how != "" {
			ends[how]++
			x.s.count("end: " + how)
		}
	}
	total := 0
	for _, n := range ends {
		total += n
	}
	if total != accepted {
		x.fail("%d tasks were taken, and %d have ended: %v", accepted, total, ends)
	}
	x.checkPool()
	x.checkCounts()
	x.checkDecisions()
	x.checkTold()
	x.checkHistory(accepted)
	if list := x.m.TaskStatus(); len(list) > 0 {
		x.fail("tasks are left on the books: %+v", list)
	}
	for h := range x.m.Tasks() {
		x.fail("Tasks still has %q", h.Name())
	}
	for id, w := range x.m.Workers() {
		x.fail("worker %d is left: %+v", id, w)
	}
	if x.underWay != 0 {
		x.fail("%d executions have not ended", x.underWay)
	}
}

// check checks a task after the end of its manager. It returns how the task ended, or "" if
// it was not accepted.
func (t *soakTask) check() string {
	x := t.x
	if !t.taken {
		if n := t.runs.Load(); n > 0 {
			x.fail("the task %q ran %d times although its submit failed: %v", t.name, n, t.refused)
		}
		return ""
	}
	if t.inside.Load() != 0 {
		x.fail("the task %q still runs", t.name)
	}
	if t.started != nil && !isClosed(t.started) {
		x.fail("the channel of Go for the task %q is open", t.name)
	}
	if t.h == nil {
		return "without a handle"
	}
	if !isClosed(t.h.Done()) || !isClosed(t.h.Started()) || t.h.Status().Status != taskmanager.Finished {
		x.fail("the task %q has not ended: %+v", t.name, t.h.Status())
		return "not at all"
	}
	err := t.h.Err()
	runs := t.runs.Load()
	how := kind(err)
	if again := t.h.Wait(context.Background()); kind(again) != how {
		x.fail("the task %q: Err is %v, and Wait returns %v", t.name, err, again)
	}
	if !t.known(err) {
		x.fail("the task %q ended with %v", t.name, err)
	}
	if err == nil && (runs == 0 || !t.succeed.Load()) {
		x.fail("the task %q ended without an error, after %d executions, the last of which succeeded: %v", t.name, runs, t.succeed.Load())
	}
	// A task runs at most once for its submit, once for each restart, and once for each NotYet.
	if most := t.h.Status().Attempt - t.elsewhere; !x.skips && int(runs) > most {
		x.fail("the task %q ran %d times, in %d executions", t.name, runs, most)
	}
	return how
}

// checkPool checks the counters of the pool.
func (x *life) checkPool() {
	p := x.m.Snapshot()
	if p.Workers+p.Busy+p.Idle+p.Inline+p.Lent+p.Queued+p.Blocked != 0 {
		x.fail("the pool is not at rest: %+v", p)
	}
	if p.Submitted != p.Completed+p.Failed+p.Withdrawn+p.Shed+p.Dropped || p.Started != p.Completed+p.Failed {
		x.fail("the counts of the pool do not balance: %+v", p)
	}
	runs := 0
	for _, t := range x.tasks {
		runs += int(t.runs.Load())
	}
	if !x.skips && runs > int(p.Started) {
		x.fail("there were %d executions, and the pool has started %d items", runs, p.Started)
	}
}

// checkHistory checks the history of the manager.
func (x *life) checkHistory(accepted int) {
	records := x.checkRings()
	if x.history < 1<<20 {
		return
	}
	shed, single := 0, 0
	for _, r := range records {
		if r.Status != taskmanager.Finished || r.EndedAt.IsZero() || r.EndedAt.Before(r.StartedAt) {
			x.fail("the history has %+v", r)
		}
		if errors.Is(r.LastError, taskmanager.ErrShed) {
			shed++
		}
		if !strings.HasPrefix(r.Name, "schedule/") {
			single++
		}
	}
	if most := accepted + int(x.refused.Load()); single < accepted || single > most {
		x.fail("the history has %d tasks, of %d that were taken and %d that were not", single, accepted, most-accepted)
	}
	if p := x.m.Snapshot(); uint64(shed) != p.Shed {
		x.fail("the history has %d tasks that were shed, and the pool %d", shed, p.Shed)
	}
}
