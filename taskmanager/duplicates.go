package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/internal/names"
)

// duplicate is what a submit does if its name is taken.
type duplicate uint8

const (
	refuseDuplicate   duplicate = iota // it returns ErrAlreadyExists
	rerunDuplicate                     // WithRerun
	replaceDuplicate                   // WithReplace
	debounceDuplicate                  // WithDebounce
)

var duplicateNames = [...]string{"", "WithRerun", "WithReplace", "WithDebounce"}

// WithRerun makes a submit whose name is taken ask for one more run, instead of returning
// [ErrAlreadyExists]. It is for tasks that bring something up to date, such as a cache or an
// index: after the call of the submit a run begins, and sees what the submitter has changed
// before.
//
//   - If the outstanding task has yet to run, or waits to run again, that run is the one. The
//     submit returns the handle of that task, and its own task is discarded, with its options.
//   - If the outstanding task is running, the new task waits behind it, and runs when the
//     other one has ended, with all its restarts. If a task waits there already, the submit
//     returns the handle of that one. So at most one request is kept, however many are made.
//   - If the name is free, the task is submitted as usual.
//
// A submit that returns the handle of another task shares its fate, including its options, time
// limits and cancellation. A task that has been cancelled or whose submit waits for room is not
// certain to run, so the new task waits behind that one.
//
// A task that waits behind another one is outstanding, with a handle of its own: it can be
// cancelled and waited for, and [WithQueueTimeout] and [WithDeadline] count from its submit,
// except that a queue timeout does not begin before a delayed task is queued. Its status is
// [NotAssigned]. [TaskManager.Tasks] and [TaskManager.Counts] include both tasks, and so does the
// error of a [TaskManager.Drain]; [TaskManager.Lookup], [TaskManager.TaskStatus] and
// [TaskManager.Page] show the one before it. When it
// takes the name, at the end of the other task, it is queued even beyond the limits of
// [WithLimit] and [WithKeyQueueLimit], in which it has not counted before. Its submit never
// waits for room. With [WithDelay] or [WithNotBefore] it waits for that time too. A task may
// submit its own name, so that it runs again.
//
// [Async], [TryAsync], groups, [TaskManager.SubmitAll] and schedules do not accept the option.
// Of WithRerun, [WithReplace] and [WithDebounce] a submit can have one.
func WithRerun() TaskOption { return duplicateOption(rerunDuplicate) }

// WithReplace makes a submit whose name is taken replace the task that has yet to run, instead
// of returning [ErrAlreadyExists]. It is for tasks of which only the last one counts.
//
//   - If the outstanding task has yet to run, or waits to run again, it ends with [ErrReplaced],
//     and the new task takes its name. No other submit can get the name in between. If the
//     other task is waiting for the time of its [WithDelay] or [WithNotBefore], and the new task
//     has neither option, the new one becomes due at that time.
//   - If the outstanding task is running, it continues. The new task waits behind it, as with
//     [WithRerun], and replaces the one that waits there. If the running task then fails and
//     would restart, or returns [NotYet], it ends with ErrReplaced instead.
//   - If the name is free, the task is submitted as usual.
//
// The error of a replaced task that waits to restart wraps its last failure. The submit of a
// replaced task that waits for room returns ErrReplaced; if it is a [TaskManager.SubmitAll],
// none of its tasks will run. The new task is queued behind the others, even beyond the limit.
//
// Groups, [TaskManager.SubmitAll] and schedules do not accept the option.
func WithReplace() TaskOption { return duplicateOption(replaceDuplicate) }

// WithDebounce is [WithReplace] with a delay that starts anew: of several submits of a name in
// a row, the last one runs, when the delay has passed since that submit. It needs [WithDelay]
// or [WithNotBefore]. If the outstanding task is running, the new one waits until that task has
// ended and the delay has passed, whichever is later.
func WithDebounce() TaskOption { return duplicateOption(debounceDuplicate) }

func duplicateOption(d duplicate) TaskOption {
	return taskOption(func(c *taskConfig) error {
		before := c.taken
		c.taken = d
		return fault(before != refuseDuplicate && before != d, "taskmanager: %s and %s exclude each other; give one of them",
			duplicateNames[before], duplicateNames[d])
	})
}

// duplicateFault returns the error for an option about duplicates that does not fit the other
// options or the submit.
func (c *taskConfig) duplicateFault(task Task, w watcher) error {
	if c == nil || c.taken == refuseDuplicate {
		return nil
	}
	name := duplicateNames[c.taken]
	if w != nil {
		return fmt.Errorf("taskmanager: %s is not allowed in a group, a batch or a schedule; submit the task on its own", name)
	}
	if _, future := task.(forgetful); future && c.taken == rerunDuplicate {
		return errors.New("taskmanager: WithRerun is not allowed for Async, as the task of another submit may serve the request; use WithReplace, or SubmitFunc")
	}
	if c.unique {
		return fmt.Errorf("taskmanager: %s and WithUniqueName exclude each other: a unique name is never taken", name)
	}
	return fault(c.taken == debounceDuplicate && c.delayed == nil,
		"taskmanager: WithDebounce needs WithDelay or WithNotBefore, which say how long to wait after the last submit")
}

// batchDuplicateFault returns the error for an option about duplicates in a batch.
func (c *taskConfig) batchDuplicateFault() error {
	if c == nil || c.taken == refuseDuplicate {
		return nil
	}
	return fmt.Errorf("%s is not allowed, as a batch takes all its names or none; submit the tasks one by one", duplicateNames[c.taken])
}

// servedError is how a submit that the outstanding task of its name serves passes that task to its
// caller, which returns its handle.
type servedError struct{ by *Handle }

// Error returns a text for observers that have kept the handle of the submit.
func (e *servedError) Error() string {
	return fmt.Sprintf("taskmanager: the task %q serves the submit", e.by.name)
}

// served converts the error of submit to the results of the calls that return a handle.
func served(err error) (*Handle, error) {
	if s, ok := err.(*servedError); ok { //nolint:errorlint // never wrapped
		return s.by, nil
	}
	return nil, err
}

// contend is called for a task whose name could not be added to the table, for the reason err.
// It reports whether it has added the name after all. Otherwise the submit returns the error,
// which is nil if the task waits behind the outstanding one.
func (m *TaskManager) contend(ctx context.Context, h *Handle, err error) (added bool, _ error) {
	for h.cfg != nil && h.cfg.taken != refuseDuplicate && errors.Is(err, names.ErrTaken) {
		if t := m.names.Lookup(h.name); t != nil {
			next := t.next()
			for _, x := range []*Handle{t, next} {
				if x != nil {
					x.heed() // the end of its linked context may have been before the submit
				}
			}
			c := contest{m: m, h: h, holder: t, next: next}
			if err := m.names.Join(h.name, c.join); err != nil {
				return false, nameError(h.name, err)
			}
			switch {
			case c.servant != nil:
				return false, &servedError{c.servant}
			case c.accepted:
				c.finish(ctx)
				return false, nil
			}
		}
		if err = m.names.Add(h.name, h, &h.place); err == nil {
			return true, nil
		}
	}
	err = m.addRenamed(h, err)
	return err == nil, err
}

// contest is one attempt of a submit to come to terms with the outstanding task of its name.
type contest struct {
	m      *TaskManager
	h      *Handle // that is being submitted
	holder *Handle // the outstanding task
	next   *Handle // that waits behind it; nil: none

	// The result of join. If no field is set, the tasks have changed.
	accepted bool
	servant  *Handle // whose run serves the submit
	left     rest    // of the cancellation of holder
	loser    *Handle // next, if it was replaced and the caller must end it
}

// join decides what happens, and makes h the task behind the holder of the name, or returns
// false. The shard of the name is locked, so the manager is open, and no task can take the name.
// The decision and its effects are one step under the locks of all tasks that are concerned.
func (c *contest) join(holder *Handle) (accepted bool) {
	if holder != c.holder {
		return false
	}
	holder.word.Lock()
	defer holder.word.Unlock()
	if holder.word.State() == ended || holder.nextLocked() != c.next {
		return false
	}
	if c.next != nil {
		c.next.word.Lock()
		defer c.next.word.Unlock()
	}
	if c.h.cfg.taken == rerunDuplicate {
		for _, x := range []*Handle{holder, c.next} {
			if x != nil && x.willRunLocked() {
				c.servant = x
				return false
			}
		}
	}
	due := c.replaceLocked()
	if c.next != nil { // it has been replaced, or is ending anyway
		c.next.trouble.line.behind = nil
	}
	c.h.word.Lock()
	defer c.h.word.Unlock()
	c.h.setDueLocked(due)
	*c.h.inLineLocked() = succession{behind: holder, outside: true, accepted: true}
	holder.inLineLocked().next = c.h
	c.m.successors.add(c.h)
	c.accepted = true
	return true
}

// replaceLocked cancels the tasks that have yet to run, unless the option is WithRerun. It returns
// the time at which the replaced task would have become due, or 0. The locks of both tasks are
// held.
func (c *contest) replaceLocked() (due time.Duration) {
	if c.h.cfg.taken == rerunDuplicate {
		return 0
	}
	if c.next != nil {
		due = c.next.firstDueLocked()
		if left, _ := c.m.cancelLocked(c.next, ErrReplaced); left == endTask {
			c.loser = c.next
		}
	}
	switch c.holder.word.State() {
	case queued, delayed, admitting, claimed:
		due = max(due, c.holder.firstDueLocked())
		c.left, _ = c.m.cancelLocked(c.holder, ErrReplaced)
	case running, asking, ending, ended:
	}
	return due
}

// finish does what remains when h waits behind the holder.
func (c *contest) finish(ctx context.Context) {
	c.h.word.Lock()
	postponed := c.h.dueLocked() > c.m.now()
	c.h.word.Unlock()
	c.m.arm(ctx, c.h, postponed)
	c.m.awaitTurn(c.h)
	if c.loser != nil {
		c.m.finishCancel(c.loser, endTask, ErrReplaced)
	}
	c.m.finishCancel(c.holder, c.left, ErrReplaced)
}

// willRunLocked reports whether the next execution of the task has yet to begin, and only a later
// cancellation or a limit can prevent it. The lock of h is held.
func (h *Handle) willRunLocked() bool {
	if h.cancelledLocked() != nil {
		return false
	}
	switch h.word.State() {
	case queued, delayed, claimed:
		return true
	case admitting: // its submit may still fail, unless it was accepted to wait behind another task
		l := h.lineLocked()
		return l != nil && l.accepted
	case running, asking, ending, ended:
	}
	return false
}

// firstDueLocked returns the time at which a task that waits for its first run will be queued, or
// 0 if it has no delay. The lock of h is held.
func (h *Handle) firstDueLocked() time.Duration {
	if h.retryLocked() != nil || h.cfg == nil || h.cfg.delayed == nil {
		return 0
	}
	switch s := h.word.State(); {
	case s == admitting && h.cfg.delayed.due == 0: // its submit is about to compute it
		return after(h.m.now(), h.cfg.delayed.wait())
	case s == admitting, s == delayed:
		return h.cfg.delayed.due
	}
	return 0
}

// setDueLocked sets the time at which a task that is being submitted will be queued: that of its
// options or, if it has none, the given one, unless that is 0. The lock of h is held.
func (h *Handle) setDueLocked(due time.Duration) {
	switch {
	case h.cfg.delayed != nil:
		h.cfg.delayed.due = after(h.m.now(), h.cfg.delayed.wait())
	case due != 0:
		h.cfg.delayed = &postponed{due: due}
	}
}
