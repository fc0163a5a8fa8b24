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

// taskGroup is what groups with and without results have in common.
type taskGroup struct {
	m     *TaskManager
	ctx   context.Context
	cfg   groupConfig // its limit is guarded by mu
	fault error       // invalid arguments; every method returns it

	mu      sync.Mutex      // guards the rest
	members map[*Handle]int // outstanding or being submitted, with their positions
	round   *round          // never nil
	pending int             // submits that have not returned
	waited  bool            // Wait has returned since the last submit
	failed  error           // cause of the cancellation of members; nil: none
	quiet   chan struct{}   // closed when the last member ends; nil while nothing needs it
	line    list.List       // of *entrant, by arrival; not empty only if the group is full and has not failed
	own     *ownContext     // the result of Context; nil: nobody has asked

	// until has the contexts of GoContext for members that wait for room in the manager.
	until map[*Handle]context.Context
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

// groupSubmit is a submit to a group.
type groupSubmit struct {
	name  string
	task  Task
	fault error // found before
	opts  []TaskOption
	how   admission
	until context.Context // ends the wait for room, besides the group's context; nil: none

	// note is called with the lock of the group held: when the submit begins, and with in unset if it
	// was refused and that is not a failure of the group. nil: there is nothing to note.
	note func(r *round, in bool)
}

// of sets the function of the task.
func (s groupSubmit) of(fn closure) groupSubmit {
	s.task = fn
	if fn == nil {
		s.fault = cmp.Or(s.fault, ErrNilTask)
	}
	return s
}

// within sets the context of the wait for room.
func (s groupSubmit) within(ctx context.Context) groupSubmit {
	s.until = ctx
	if ctx == nil {
		s.fault = ErrNilContext
	}
	return s
}

// fails reports whether a submit that was refused with err is a failure of the group.
func (s groupSubmit) fails(err error) bool {
	if s.how == noWait && errors.Is(err, ErrQueueFull) {
		return false
	}
	_, givenUp := errors.AsType[*givenUpError](err)
	return !givenUp
}

// add submits a task to the group.
func (g *taskGroup) add(s groupSubmit) error {
	if g.fault != nil {
		return g.fault
	}
	g.begin(s.note)
	err := g.submit(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending--
	if err != nil && s.note != nil && !s.fails(err) {
		s.note(g.round, false) // still the round of begin
	}
	return err
}

// begin counts a submit that starts, until add subtracts it. It begins a new round if Wait has
// returned and nothing is outstanding.
func (g *taskGroup) begin(note func(*round, bool)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waited && len(g.members)+g.pending == 0 && g.failed == nil {
		g.round = new(round)
	}
	g.waited = false
	g.pending++
	if note != nil {
		note(g.round, true)
	}
}

// submit is add without the count of submits.
func (g *taskGroup) submit(s groupSubmit) error {
	h := g.m.newHandle(s.name, s.task)
	err := s.fault
	if err == nil {
		err = g.m.prepare(g.ctx, h, s.opts, g)
	}
	if err == nil {
		err = g.enter(h, s)
	}
	if err != nil {
		if s.fails(err) {
			g.lost(h.name, err)
		}
		return err
	}
	if s.until != nil {
		g.setUntil(s.until, h)
		defer g.forgetUntil(h)
	}
	if err = g.m.launch(g.ctx, h, s.how); err == nil {
		return nil
	}
	if s.fails(err) {
		g.leave(h, taskError(h.name, err))
	} else {
		g.leave(h, nil)
	}
	return err
}

// lost records the error of a submit whose task did not become a member. A submit that was
// refused because the group has failed is not a failure of its own.
func (g *taskGroup) lost(name string, err error) {
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
func (g *taskGroup) contextEnded() error {
	reason := cause.Of(g.ctx)
	g.fail(reason, causeOf(nil, reason))
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// ended implements watcher: the manager calls it when a task of the group has ended. If the
// context ended before, that is a failure of the group, even if the task has succeeded. A task that
// was refused leaves the group when its submit returns.
func (g *taskGroup) ended(h *Handle, err error, a acceptance) {
	if a == refused {
		return
	}
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
func (g *taskGroup) leave(h *Handle, err error) {
	fails := err != nil && !g.cfg.collect
	var why error
	if fails {
		why = causeOf(h, err)
	}
	g.mu.Lock()
	place, member := g.members[h]
	if !member { // the submit gave the place back
		g.mu.Unlock()
		return
	}
	delete(g.members, h)
	if err != nil && (g.cfg.collect || g.failed == nil) {
		g.round.failures = append(g.round.failures, failure{place, err})
	}
	carryOut := func() {}
	if fails {
		carryOut = g.failLocked(err, why) // before the place is handed on
	}
	g.admitLocked()
	g.mu.Unlock()
	carryOut()
}

// fail cancels the members with the cause why and makes later submits, and those that wait for
// room, fail with it. Only the first call has an effect.
func (g *taskGroup) fail(reason, why error) {
	g.mu.Lock()
	carryOut := g.failLocked(reason, why)
	g.mu.Unlock()
	carryOut()
}

// failLocked is fail for callers that hold g.mu. They call carryOut once they have released it: it
// cancels the members and ends the result of Context.
func (g *taskGroup) failLocked(reason, why error) (carryOut func()) {
	if g.failed != nil {
		return func() {}
	}
	g.failed = why
	if r := g.round; len(r.failures) == 0 || g.cfg.collect { // with collect only Cancel and the end of ctx get here
		r.failures = append(r.failures, failure{r.count, reason})
	}
	for g.nextEntrantLocked() != nil {
	}
	members, own := slices.Collect(maps.Keys(g.members)), g.own
	return func() {
		own.end(why)
		g.cancel(members, why)
	}
}

// cancel cancels tasks. Waiting ones come first: otherwise a worker that becomes free starts one
// of them for nothing.
func (g *taskGroup) cancel(tasks []*Handle, why error) {
	slices.SortFunc(tasks, func(a, b *Handle) int { return cmp.Compare(a.stage(), b.stage()) })
	for _, h := range tasks {
		g.m.cancel(h, why)
	}
}

// wait is Wait. It also returns the round that the group had when wait began, or nil if an
// argument is invalid. If the group has a new round meanwhile, the wait is over.
func (g *taskGroup) wait(ctx context.Context) (*round, error) {
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
		quiet := g.quietLocked()
		g.mu.Unlock()
		if err := g.await(ctx, g, quiet, "wait for the group"); err != nil {
			return r, err
		}
		g.mu.Lock()
	}
}

// quietLocked returns a channel that is closed when the last member ends. There is a member. g.mu
// must be held.
func (g *taskGroup) quietLocked() chan struct{} {
	if g.quiet == nil {
		g.quiet = make(chan struct{})
	}
	return g.quiet
}

// await waits until change is closed or ctx ends. Meanwhile the calling task lends its
// slot. on is the dependency for the detection of deadlocks, and what describes the wait in
// errors.
func (g *taskGroup) await(ctx context.Context, on dependency, change <-chan struct{}, what string) error {
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
func (g *taskGroup) resultLocked(r *round) error {
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

func (g *taskGroup) manager() *TaskManager { return g.m }
func (g *taskGroup) one() bool             { return false }

// tasks returns the members that need something.
func (g *taskGroup) tasks(w *waitGraph) iter.Seq[*Handle] {
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
