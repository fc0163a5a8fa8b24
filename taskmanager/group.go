package taskmanager

import (
	"context"
	"errors"
	"fmt"
)

// ErrGroupFailed is the error of a task that was cancelled because its group failed or was
// cancelled, and of a submit to a group that has failed. Both return it in a [*GroupError], which has the
// reason. ErrGroupFailed matches [context.Canceled].
var ErrGroupFailed = newError("group_failed", "taskmanager: the group has failed: context canceled", context.Canceled)

// GroupError tells why the tasks of a group were cancelled. It matches [ErrGroupFailed]. It
// does not match Reason, so that a task whose group failed is not mistaken for one that
// failed itself or that the user cancelled.
type GroupError struct {
	// Reason is the first failure, a [*TaskError], or the cause of the end of the group's
	// context, or an error that matches [ErrCancelled] after [Group.Cancel].
	Reason error
}

// Error returns the text of the error, which includes the reason.
func (e *GroupError) Error() string {
	return fmt.Sprintf("taskmanager: the group has failed: %v", bare(e.Reason))
}

// Unwrap returns ErrGroupFailed.
func (e *GroupError) Unwrap() error { return ErrGroupFailed }

// GroupOption configures a group. Group options come from the With functions of this
// package that return one. If an option is given twice, the last one wins.
type GroupOption func(g *groupConfig) error

type groupConfig struct {
	limit   int // 0: none
	collect bool
}

// WithGroupLimit limits the number of outstanding tasks of the group to n. A submit to a
// full group waits until a task of the group ends. Submits that wait get the places that
// become free in the order of their arrival. A task that waits in such a submit lends its
// slot; see [Blocking]. The default is no limit. [Group.SetLimit] changes it.
func WithGroupLimit(n int) GroupOption {
	return func(g *groupConfig) error {
		g.limit = n
		return fault(n < 1, "taskmanager: WithGroupLimit: the limit is %d; it must be positive", n)
	}
}

// WithCollect makes the group continue when one of its tasks fails: the other tasks are not
// cancelled, and [Group.Wait] returns the errors of all failed tasks, joined in the order
// of their submits.
func WithCollect() GroupOption {
	return func(g *groupConfig) error {
		g.collect = true
		return nil
	}
}

// Group is a set of tasks of one manager that are waited for together and, unless
// [WithCollect] is given, fail together. [TaskManager.Group] makes one. It is safe for
// concurrent use.
//
// A group need not be closed. It does not keep ended tasks in memory. While no task is
// outstanding, nothing in the manager or in the group's context refers to it, unless
// [Group.Context] was called.
//
// A group can be used again after [Group.Wait] has returned, unless it has failed: the next
// submit begins a new round, without the earlier errors and results. A Wait that began
// before returns those of its own round.
type Group struct{ taskGroup }

// Group returns a new group of tasks. The contexts of the tasks carry the values of ctx.
//
// When a task fails and does not restart, the other tasks of the group are cancelled,
// unless [WithCollect] is given; [context.Cause] of their contexts is a [*GroupError] with
// the reason. When ctx ends, all tasks are cancelled, and their contexts end at the same
// moment as ctx and with its cause, like contexts derived from ctx; see
// [WithLinkedContext]. In both cases the error of a cancelled task matches [ErrGroupFailed].
//
// If an argument is invalid, every method of the group that returns an error returns that one.
func (m *TaskManager) Group(ctx context.Context, opts ...GroupOption) *Group {
	g := &Group{taskGroup{m: m, ctx: ctx}}
	g.init(opts)
	return g
}

func (g *taskGroup) init(opts []GroupOption) {
	g.round = new(round)
	var faults []error
	if g.ctx == nil {
		faults = append(faults, ErrNilContext)
	}
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("taskmanager: group option %d is nil", i+1))
			continue
		}
		faults = append(faults, o(&g.cfg))
	}
	g.fault = errors.Join(faults...)
}

// Go submits fn as a task with the given name. It returns the errors of
// [TaskManager.Submit], or [ErrGroupFailed]. A failed submit counts as a failure of the
// group, so a caller may ignore the error and check only the result of [Group.Wait].
func (g *Group) Go(name string, fn func(ctx context.Context) error, opts ...TaskOption) error {
	return g.add(groupSubmit{name: name, opts: opts}.of(fn))
}

// TryGo is [Group.Go] without waiting, as [TaskManager.TrySubmit] is for [TaskManager.Submit]. It
// returns [ErrQueueFull] if the group is full, or if the manager has no room. That is not a failure
// of the group; other errors are.
func (g *Group) TryGo(name string, fn func(ctx context.Context) error, opts ...TaskOption) error {
	return g.add(groupSubmit{name: name, opts: opts, how: noWait}.of(fn))
}

// GoContext is [Group.Go] with a context that ends only the wait for room, in the group and in the
// manager. If ctx ends before there is room, or has ended already, GoContext returns an error that
// wraps its cause. That is not a failure of the group; other errors are. The context of the task is
// that of the group: neither the end of ctx nor its values reach the task.
func (g *Group) GoContext(ctx context.Context, name string, fn func(ctx context.Context) error, opts ...TaskOption) error {
	return g.add(groupSubmit{name: name, opts: opts}.within(ctx).of(fn))
}

// Submit submits a task. It is otherwise like [Group.Go].
func (g *Group) Submit(task Task, opts ...TaskOption) error {
	if g.fault != nil {
		return g.fault
	}
	name, err := nameOf(task)
	return g.add(groupSubmit{name: name, task: task, fault: err, opts: opts})
}

// Wait waits until no task of the group is outstanding and no submit waits for room. It returns the
// first failure, or with [WithCollect] all failures, joined. Each failure of a task or of its submit
// is a [*TaskError]. The end of the group's context while tasks were outstanding is a failure too,
// and so is [Group.Cancel]. If ctx ends first, Wait returns an error that wraps its cause, and the
// tasks continue. After Wait, more tasks may be submitted unless the group has failed. Several
// goroutines may wait: each Wait that begins before the group is used again returns the same.
//
// A task that waits for a group lends its slot, as with [Handle.Wait]. If the tasks of the
// group cannot end before the calling task does, Wait returns [ErrWouldDeadlock].
func (g *Group) Wait(ctx context.Context) error {
	_, err := g.wait(ctx)
	return err
}
