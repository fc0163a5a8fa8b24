package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// ErrGroupFailed is how a task ends that was cancelled because its group failed, and
// what a submit to that group returns; a *GroupError with it tells why. It matches
// context.Canceled.
var ErrGroupFailed = newError("group_failed", "taskmanager: the group has failed: context canceled", context.Canceled)

// GroupError tells the tasks of a group why they are cancelled. It matches
// ErrGroupFailed, and not the reason: a task is not cancelled by its user because
// another one of its group was.
type GroupError struct {
	// Reason is how the first task failed, with its name, or why the context of the
	// group has ended.
	Reason error
}

// Error is the text, with the reason.
func (e *GroupError) Error() string {
	return fmt.Sprintf("taskmanager: the group has failed: %v", e.Reason)
}

// Unwrap returns ErrGroupFailed.
func (e *GroupError) Unwrap() error { return ErrGroupFailed }

// GroupOption configures a group. Group options come from the With functions of this
// package that return one.
type GroupOption func(g *groupConfig) error

type groupConfig struct {
	limit   int // 0: none
	collect bool
}

// WithGroupLimit lets at most n tasks of the group be outstanding at once: beyond that
// its submits wait, as those of a task that lends its slot meanwhile, if they are made
// by one. The default is no limit.
func WithGroupLimit(n int) GroupOption {
	return func(g *groupConfig) error {
		g.limit = n
		return fault(n < 1, "taskmanager: WithGroupLimit: the limit is %d; it must be positive", n)
	}
}

// WithCollect lets the other tasks of the group go on when one has failed, and Wait
// return the errors of all, joined in the order of their submits.
func WithCollect() GroupOption {
	return func(g *groupConfig) error {
		g.collect = true
		return nil
	}
}

// Group is a set of tasks of one manager that are waited for, and fail, together. It is
// safe for concurrent use. It holds on to no task that has ended, and, while none is
// outstanding, to nothing of its manager or its context; so it need not be closed.
//
// A group may be used again after Wait, unless it has failed: with the next submit it
// forgets the failures and results of before.
type Group struct {
	m     *TaskManager
	ctx   context.Context
	cfg   groupConfig
	fault error // of the options

	mu       sync.Mutex      // guards the rest
	members  map[*Handle]int // outstanding, or being submitted, with their places
	count    int             // submits so far
	failures []failure
	pending  int           // submits that have not returned
	waited   bool          // Wait has returned since the last submit
	failed   error         // why the others are cancelled; nil: they are not
	unlink   func() bool   // from the end of ctx; nil while there are no members
	quiet    chan struct{} // closed when there are no members; nil: nobody waits for that
	room     chan struct{} // closed when a member has ended; nil: likewise
}

// failure is how a task of a group, or its submit, failed.
type failure struct {
	place int
	err   error
}

// Group makes a group of tasks. Their contexts carry the values of ctx. When a task has
// failed, having restarted or not, the others are cancelled, unless WithCollect is
// given; context.Cause tells them that it was the group, and why. So are all when ctx
// ends.
//
// Faults of the arguments are returned by the methods of the group.
func (m *TaskManager) Group(ctx context.Context, opts ...GroupOption) *Group {
	g := &Group{m: m, ctx: ctx}
	g.init(opts)
	return g
}

func (g *Group) init(opts []GroupOption) {
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

// Go submits a function with a name. An error, those of TaskManager.Submit or
// ErrGroupFailed, counts as a failure of the group, so that it is enough to look at
// what Wait returns.
func (g *Group) Go(name string, fn func(ctx context.Context) error, opts ...TaskOption) error {
	if g.fault != nil {
		return g.fault
	}
	defer g.begin(nil)()
	if fn == nil {
		return g.submit(name, nil, ErrNilTask, opts)
	}
	return g.submit(name, closure(fn), nil, opts)
}

// Submit is Go for a task.
func (g *Group) Submit(task Task, opts ...TaskOption) error {
	if g.fault != nil {
		return g.fault
	}
	defer g.begin(nil)()
	name, err := nameOf(task)
	return g.submit(name, task, err, opts)
}

// begin notes a submit, with which a new round begins if the last one is over and waited
// for. If note is not nil, it is called with the group locked, and told of that. The
// caller calls done when the submit is over.
func (g *Group) begin(note func(renewed bool)) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	renewed := g.waited && len(g.members)+g.pending == 0 && g.failed == nil
	if renewed {
		g.count, g.failures = 0, nil
	}
	g.waited = false
	g.pending++
	if note != nil {
		note(renewed)
	}
	return func() {
		g.mu.Lock()
		g.pending--
		g.mu.Unlock()
	}
}

// submit submits a task, unless there is a fault, after begin.
func (g *Group) submit(name string, task Task, fault error, opts []TaskOption) error {
	h := new(Handle)
	err := fault
	if err == nil {
		err = g.m.prepare(g.ctx, h, name, task, opts, g)
	}
	if err == nil {
		err = g.enter(h)
	}
	if err != nil {
		g.lost(err)
		return err
	}
	if err = g.m.launch(g.ctx, h, mayWait); err != nil {
		g.leave(h, err) // unless the manager has told the group of it
	}
	return err
}

// lost notes that a task could not even become a member. That the group has failed is
// known already.
func (g *Group) lost(err error) {
	g.mu.Lock()
	if g.failed != nil && (!g.cfg.collect || exactly(err, g.failed)) {
		g.mu.Unlock()
		return
	}
	g.failures = append(g.failures, failure{g.count, err})
	g.count++
	g.mu.Unlock()
	if !g.cfg.collect {
		g.fail(err, causeOf(nil, err))
	}
}

// enter makes a task a member, when there is room for it.
func (g *Group) enter(h *Handle) error {
	for {
		g.mu.Lock()
		switch {
		case g.failed != nil:
			defer g.mu.Unlock()
			return g.failed
		case g.cfg.limit == 0 || len(g.members) < g.cfg.limit:
			g.addAndUnlock(h)
			return nil
		}
		if g.room == nil {
			g.room = make(chan struct{})
		}
		room := g.room
		g.mu.Unlock()
		if err := g.await(g.ctx, groupRoom{g}, room, "wait for room in the group"); err != nil {
			return err
		}
	}
}

// addAndUnlock makes a task a member. The first member links the group to its context, so
// that an idle group leaves nothing there. It is called with g.mu held.
func (g *Group) addAndUnlock(h *Handle) {
	first := len(g.members) == 0
	if first {
		g.members = make(map[*Handle]int)
	}
	g.members[h] = g.count
	g.count++
	g.mu.Unlock()
	if !first {
		return
	}
	unlink := context.AfterFunc(g.ctx, func() {
		reason := cause.Of(g.ctx)
		g.fail(reason, causeOf(nil, reason))
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unlink = unlink // h is a member still
}

// ended is called by the manager when a task has ended.
func (g *Group) ended(h *Handle, err error) {
	if err != nil {
		err = fmt.Errorf("taskmanager: task %q: %w", h.name, err)
	}
	g.leave(h, err)
}

// causeOf is why the others are cancelled when a task has failed, or, if h is nil, for
// another reason. The manager stops all: nobody is to blame a group for that.
func causeOf(h *Handle, reason error) error {
	if h != nil && exactly(h.cancellation(), ErrStopped) {
		return ErrStopped
	}
	return &GroupError{reason}
}

// leave takes a member out, which has failed with err unless that is nil.
func (g *Group) leave(h *Handle, err error) {
	g.mu.Lock()
	place, member := g.members[h]
	if !member { // a submit that failed, of which the manager has told already
		g.mu.Unlock()
		return
	}
	delete(g.members, h)
	if err != nil && (g.cfg.collect || g.failed == nil) {
		g.failures = append(g.failures, failure{place, err})
	}
	var unlink func() bool
	if len(g.members) == 0 {
		unlink = g.unlink
		g.members, g.unlink = nil, nil
		if g.quiet != nil {
			close(g.quiet)
			g.quiet = nil
		}
	}
	if g.room != nil {
		close(g.room)
		g.room = nil
	}
	g.mu.Unlock()
	if unlink != nil {
		unlink()
	}
	if err != nil && !g.cfg.collect {
		g.fail(err, causeOf(h, err))
	}
}

// fail cancels the members, and has later submits refused. Only the first failure
// counts.
func (g *Group) fail(reason, why error) {
	g.mu.Lock()
	if g.failed != nil {
		g.mu.Unlock()
		return
	}
	g.failed = why
	if len(g.failures) == 0 || g.cfg.collect { // under which only the context does that
		g.failures = append(g.failures, failure{g.count, reason})
	}
	others, failed := slices.Collect(maps.Keys(g.members)), g.failed
	g.mu.Unlock()
	// What waits goes first, so that no worker takes a task only to have it cancelled.
	slices.SortFunc(others, func(a, b *Handle) int { return cmp.Compare(a.progress(), b.progress()) })
	for _, h := range others {
		g.m.cancel(h, failed)
	}
}

// Wait waits until no task of the group is outstanding, and returns the first failure,
// with the name of its task; under WithCollect all of them. If the group's context has
// ended meanwhile, that is a failure. If ctx ends first, the error says why, and the
// tasks go on. More tasks may be submitted afterwards, unless the group has failed.
//
// A task that waits for a group lends its slot, as with Handle.Wait.
func (g *Group) Wait(ctx context.Context) error {
	if g.fault != nil {
		return g.fault
	}
	if ctx == nil {
		return ErrNilContext
	}
	for {
		g.mu.Lock()
		if len(g.members) == 0 {
			defer g.mu.Unlock()
			g.waited = true
			return g.resultLocked()
		}
		if g.quiet == nil {
			g.quiet = make(chan struct{})
		}
		quiet := g.quiet
		g.mu.Unlock()
		if err := g.await(ctx, g, quiet, "wait for the group"); err != nil {
			return err
		}
	}
}

// await waits for a change among the members.
func (g *Group) await(ctx context.Context, on dependency, change <-chan struct{}, what string) error {
	back, err := g.m.stepAside(ctx, on)
	if err != nil {
		return fmt.Errorf("taskmanager: %s: %w", what, err)
	}
	defer back()
	select {
	case <-change:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("taskmanager: %s: %w", what, cause.Of(ctx))
	}
}

// resultLocked is what Wait returns. g.mu is held.
func (g *Group) resultLocked() error {
	if len(g.failures) == 0 {
		return nil
	}
	if !g.cfg.collect {
		return g.failures[0].err
	}
	slices.SortStableFunc(g.failures, func(a, b failure) int { return cmp.Compare(a.place, b.place) })
	var all []error
	for _, f := range g.failures {
		all = append(all, f.err)
	}
	return errors.Join(all...)
}

// outstanding makes a group a dependency.
func (g *Group) outstanding() []*Handle {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.members))
}

// one: Wait needs the end of all.
func (g *Group) one() bool { return false }

// groupRoom is what a submit to a full group waits for.
type groupRoom struct{ *Group }

// one: the end of one task makes room.
func (groupRoom) one() bool { return true }
