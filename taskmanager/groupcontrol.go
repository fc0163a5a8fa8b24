package taskmanager

import (
	"context"
	"fmt"
)

// errGroupCancelled is the failure of a group that was cancelled.
var errGroupCancelled = newError("cancelled", "taskmanager: the group was cancelled: context canceled", ErrCancelled)

// Context returns a context for work that belongs to the group and is not one of its tasks, such as
// a loop that submits them. It has the values of the group's context. It ends when the group fails,
// when [Group.Cancel] is called, and when the group's context ends; [context.Cause] then tells the
// same reason as in the contexts of the tasks. With [WithCollect] the failure of a task does not end
// it.
//
// The context does not end when Wait returns, since the group can be used again. The group's context
// refers to it until it ends. If that context lives long, call Cancel when the group is no longer
// needed. All calls return the same context.
func (g *taskGroup) Context() context.Context {
	if g.fault != nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(g.fault)
		return ctx
	}
	g.mu.Lock()
	own := g.own
	g.mu.Unlock()
	if own != nil {
		return own.ctx
	}
	made := new(ownContext)
	made.ctx, made.cancel = context.WithCancelCause(g.ctx) // without the lock, since ctx is the user's
	g.mu.Lock()
	if g.own == nil {
		g.own = made
	}
	own, failed := g.own, g.failed
	g.mu.Unlock()
	if own != made {
		made.cancel(nil)
	}
	if failed != nil {
		own.end(failed)
	}
	return own.ctx
}

// ownContext is the result of Context.
type ownContext struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// end ends the context, if there is one.
func (c *ownContext) end(why error) {
	if c != nil {
		c.cancel(why)
	}
}

// Cancel makes the group fail: it cancels all tasks of the group, and submits that wait for room or
// come later return [ErrGroupFailed], which is also the error of the tasks. Wait then returns an
// error that matches [ErrCancelled], unless the group has failed before; with [WithCollect] it is
// joined with the errors of the tasks. If a Wait has returned since the last submit, and nothing is
// outstanding, the other Waits that have begun return the same as that one, and later ones return
// the cancellation.
//
// Cancel does not wait, and may be called repeatedly. After a failure it has no effect. So a
// deferred call is a way to leave no task behind.
func (g *taskGroup) Cancel() {
	if g.fault != nil {
		return
	}
	g.mu.Lock()
	if g.failed == nil && g.waited && len(g.members)+g.pending == 0 {
		g.round = new(round)
	}
	carryOut := g.failLocked(errGroupCancelled, &GroupError{errGroupCancelled})
	g.mu.Unlock()
	carryOut()
}

// Done returns a channel that is closed when no task of the group is outstanding and no submit waits
// for room. It is for select statements; Wait then returns the result at once. If nothing is
// outstanding, the channel is closed already. If the group is used again afterwards, a new call
// returns a new channel.
//
// A task that receives from the channel does not lend its slot, and a deadlock is not detected; see
// [Blocking].
func (g *taskGroup) Done() <-chan struct{} {
	if g.fault != nil {
		return closed
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) == 0 {
		return closed
	}
	return g.quietLocked()
}

// SetLimit changes the limit of [WithGroupLimit]. It must not be negative; 0 means no limit. If the
// new limit is higher, as many submits that wait get room at once. If it is lower, outstanding tasks
// continue, and a submit gets room when there are fewer of them than the limit. If tasks that wait
// for room would then wait for each other, their submits return [ErrWouldDeadlock].
func (g *taskGroup) SetLimit(n int) error {
	if g.fault != nil {
		return g.fault
	}
	if n < 0 {
		return fmt.Errorf("taskmanager: SetLimit: the limit is %d; it must be positive, or 0 for none", n)
	}
	g.mu.Lock()
	g.cfg.limit = n
	g.admitLocked()
	wait := g.line.Len() > 0
	g.mu.Unlock()
	if wait {
		g.refuseStuck()
	}
	return nil
}
