package taskmanager

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// ErrGroupFailed is the error of a task that was cancelled because its group failed, and of
// a submit to a group that has failed. Both return it in a [*GroupError], which has the
// reason. ErrGroupFailed matches [context.Canceled].
var ErrGroupFailed = newError("group_failed", "taskmanager: the group has failed: context canceled", context.Canceled)

// GroupError tells why the tasks of a group were cancelled. It matches [ErrGroupFailed]. It
// does not match Reason, so that a task whose group failed is not mistaken for one that
// failed itself or that the user cancelled.
type GroupError struct {
	// Reason is the first failure, a [*TaskError], or the cause of the end of the group's
	// context.
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
// slot; see [Blocking]. The default is no limit.
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
// outstanding, nothing in the manager or in the group's context refers to it.
//
// A group can be used again after [Group.Wait] has returned, unless it has failed: the next
// submit begins a new round, without the earlier errors and results. A Wait that began
// before returns those of its own round.
type Group struct {
	m     *TaskManager
	ctx   context.Context
	cfg   groupConfig
	fault error // invalid arguments; every method returns it

	mu      sync.Mutex      // guards the rest
	members map[*Handle]int // outstanding or being submitted, with their positions
	round   *round          // never nil
	pending int             // submits that have not returned
	waited  bool            // Wait has returned since the last submit
	failed  error           // cause of the cancellation of members; nil: none
	quiet   chan struct{}   // closed when the last member ends; nil while no Wait needs it
	line    list.List       // of *entrant, by arrival; not empty only if the group is full and has not failed
}

// round is what Wait returns for the submits from one use of a group to the next. Nothing
// is added to it once the group has a new round, since no submit or member was left then.
// The group's mu guards it.
type round struct {
	count    int // submits so far; the position of the next one
	failures []failure
	results  any // of a ResultGroup, whose mu guards it
}

// failure is the error of a task or of its submit, and the position of the submit.
type failure struct {
	place int
	err   error
}

// Group returns a new group of tasks. The contexts of the tasks carry the values of ctx.
//
// When a task fails and does not restart, the other tasks of the group are cancelled,
// unless [WithCollect] is given; [context.Cause] of their contexts is a [*GroupError] with
// the reason. When ctx ends, all tasks are cancelled, and their contexts end at the same
// moment as ctx and with its cause, like contexts derived from ctx; see
// [WithLinkedContext]. In both cases the error of a cancelled task matches [ErrGroupFailed].
//
// If an argument is invalid, every method of the group returns the error.
func (m *TaskManager) Group(ctx context.Context, opts ...GroupOption) *Group {
	g := &Group{m: m, ctx: ctx}
	g.init(opts)
	return g
}

func (g *Group) init(opts []GroupOption) {
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
	if g.fault != nil {
		return g.fault
	}
	defer g.begin(nil)()
	if fn == nil {
		return g.submit(name, nil, ErrNilTask, opts)
	}
	return g.submit(name, closure(fn), nil, opts)
}

// Submit submits a task. It is otherwise like [Group.Go].
func (g *Group) Submit(task Task, opts ...TaskOption) error {
	if g.fault != nil {
		return g.fault
	}
	defer g.begin(nil)()
	name, err := nameOf(task)
	return g.submit(name, task, err, opts)
}

// begin counts a submit that starts. It begins a new round if Wait has returned and nothing
// is outstanding. If note is not nil, begin calls it with g.mu held and passes the round of
// the submit. The caller calls done when the submit has returned.
func (g *Group) begin(note func(*round)) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waited && len(g.members)+g.pending == 0 && g.failed == nil {
		g.round = new(round)
	}
	g.waited = false
	g.pending++
	if note != nil {
		note(g.round)
	}
	return func() {
		g.mu.Lock()
		g.pending--
		g.mu.Unlock()
	}
}

// submit submits a task, between begin and done. A fault is an error found before: submit
// records it and returns it.
func (g *Group) submit(name string, task Task, fault error, opts []TaskOption) error {
	h := g.m.newHandle(name, task)
	err := fault
	if err == nil {
		err = g.m.prepare(g.ctx, h, opts, g)
	}
	if err == nil {
		err = g.enter(h)
	}
	if err != nil {
		g.lost(h.name, err)
		return err
	}
	if err = g.m.launch(g.ctx, h, mayWait); err != nil {
		g.leave(h, taskError(name, err)) // does nothing if the manager has called ended before
	}
	return err
}

// lost records the error of a submit whose task did not become a member. A submit that was
// refused because the group has failed is not a failure of its own.
func (g *Group) lost(name string, err error) {
	failed := taskError(name, err)
	g.mu.Lock()
	if g.failed != nil && (!g.cfg.collect || exactly(err, g.failed)) {
		g.mu.Unlock()
		return
	}
	g.round.failures = append(g.round.failures, failure{g.round.count, failed})
	g.round.count++
	g.mu.Unlock()
	if !g.cfg.collect {
		g.fail(failed, causeOf(nil, failed))
	}
}

// contextEnded fails the group because its context has ended, and returns the error with
// which its members are cancelled.
func (g *Group) contextEnded() error {
	reason := cause.Of(g.ctx)
	g.fail(reason, causeOf(nil, reason))
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// ended implements watcher: the manager calls it when a task of the group has ended. If the
// context ended before, that is a failure of the group, even if the task has succeeded.
func (g *Group) ended(h *Handle, err error) {
	if g.ctx.Err() != nil {
		_ = g.contextEnded() // the members that wait learn of it
	}
	if err != nil {
		err = taskError(h.name, err)
	}
	g.leave(h, err)
}

// causeOf returns the error with which the other members are cancelled after h failed. h is
// nil if the reason is not the failure of a member. If the manager's Stop ended h, the
// cause is ErrStopped, since Stop ends the other members too and the group is not the
// reason.
func causeOf(h *Handle, reason error) error {
	if h != nil && exactly(h.cancellation(), ErrStopped) {
		return ErrStopped
	}
	return &GroupError{reason}
}

// leave removes a member. A non-nil err is its failure.
func (g *Group) leave(h *Handle, err error) {
	fails := err != nil && !g.cfg.collect
	var why error
	if fails {
		why = causeOf(h, err)
	}
	g.mu.Lock()
	place, member := g.members[h]
	if !member { // a failed submit, for which the manager has called ended before
		g.mu.Unlock()
		return
	}
	delete(g.members, h)
	if err != nil && (g.cfg.collect || g.failed == nil) {
		g.round.failures = append(g.round.failures, failure{place, err})
	}
	var others []*Handle
	if fails {
		others = g.failLocked(err, why) // before the place is handed on
	}
	g.placeIsFreeLocked()
	g.mu.Unlock()
	g.cancel(others, why)
}

// fail cancels the members with the cause why and makes later submits, and those that wait for
// room, fail with it. Only the first call has an effect.
func (g *Group) fail(reason, why error) {
	g.mu.Lock()
	others := g.failLocked(reason, why)
	g.mu.Unlock()
	g.cancel(others, why)
}

// failLocked is fail for callers that hold g.mu. It returns the members, which the caller cancels
// once it has released g.mu.
func (g *Group) failLocked(reason, why error) []*Handle {
	if g.failed != nil {
		return nil
	}
	g.failed = why
	if r := g.round; len(r.failures) == 0 || g.cfg.collect { // with collect only the end of ctx gets here
		r.failures = append(r.failures, failure{r.count, reason})
	}
	for g.nextEntrantLocked() != nil {
	}
	return slices.Collect(maps.Keys(g.members))
}

// cancel cancels tasks. Waiting ones come first: otherwise a worker that becomes free starts one
// of them for nothing.
func (g *Group) cancel(tasks []*Handle, why error) {
	slices.SortFunc(tasks, func(a, b *Handle) int { return cmp.Compare(a.stage(), b.stage()) })
	for _, h := range tasks {
		g.m.cancel(h, why)
	}
}

// Wait waits until no task of the group is outstanding and no submit waits for room. It
// returns the first failure, or with [WithCollect] all failures, joined. Each failure of a task or
// of its submit is a [*TaskError]. The end of the group's context while tasks were outstanding is a
// failure too. If ctx ends
// first, Wait returns an error that wraps its cause, and the tasks continue. After Wait, more
// tasks may be submitted unless the group has failed. Several goroutines may wait: each Wait
// that begins before the group is used again returns the same.
//
// A task that waits for a group lends its slot, as with [Handle.Wait]. If the tasks of the
// group cannot end before the calling task does, Wait returns [ErrWouldDeadlock].
func (g *Group) Wait(ctx context.Context) error {
	_, err := g.wait(ctx)
	return err
}

// wait is Wait. It also returns the round that the group had when wait began, or nil if an
// argument is invalid. If the group has a new round meanwhile, the wait is over.
func (g *Group) wait(ctx context.Context) (*round, error) {
	if g.fault != nil {
		return nil, g.fault
	}
	if ctx == nil {
		return nil, ErrNilContext
	}
	g.mu.Lock()
	r := g.round
	for {
		if over := g.round != r; over || len(g.members) == 0 {
			defer g.mu.Unlock()
			g.waited = g.waited || !over
			return r, g.resultLocked(r)
		}
		if g.quiet == nil {
			g.quiet = make(chan struct{})
		}
		quiet := g.quiet
		g.mu.Unlock()
		if err := g.await(ctx, g, quiet, "wait for the group"); err != nil {
			return r, err
		}
		g.mu.Lock()
	}
}

// await waits until change is closed or ctx ends. Meanwhile the calling task lends its
// slot. on is the dependency for the detection of deadlocks, and what describes the wait in
// errors.
func (g *Group) await(ctx context.Context, on dependency, change <-chan struct{}, what string) error {
	back, err := g.m.stepAside(ctx, on)
	if err != nil {
		return fmt.Errorf("taskmanager: %s: %w", what, bare(err))
	}
	defer back()
	select {
	case <-change:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("taskmanager: %s: %w", what, bare(cause.Of(ctx)))
	}
}

// resultLocked returns the result of Wait for a round. g.mu must be held.
func (g *Group) resultLocked(r *round) error {
	if len(r.failures) == 0 {
		return nil
	}
	if !g.cfg.collect {
		return r.failures[0].err
	}
	slices.SortStableFunc(r.failures, func(a, b failure) int { return cmp.Compare(a.place, b.place) })
	var all []error
	for _, f := range r.failures {
		all = append(all, f.err)
	}
	return errors.Join(all...)
}

// A group is the dependency of a wait for all members.

func (g *Group) manager() *TaskManager { return g.m }
func (g *Group) one() bool             { return false }

// tasks returns the members that need something.
func (g *Group) tasks(w *waitGraph) iter.Seq[*Handle] {
	return func(yield func(*Handle) bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for h := range g.members {
			if !w.free(h) && !yield(h) {
				return
			}
		}
	}
}
