package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// The groups of the state machine. If it is crowded, they have limits. When a member of a full group
// ends, the goroutine of a submit that waits for room submits its task, while the worker of the member
// takes the next task of the queue. The state machine does not end members for which the order of the
// two matters (see outOfTurn), and gives members no limits of their run times, which could do that.

// newGroups makes all groups. If fails is set, the first one fails as a whole.
func (s *system) newGroups(fails bool) {
	s.groups[0], s.groups[1] = s.newGroup(!fails), s.newGroup(true)
	s.results = &modelGroup{
		collect: true,
		results: taskmanager.NewResultGroup[string](context.Background(), s.m, taskmanager.WithCollect()),
	}
	if s.crowded {
		s.results.limit = 2
		_ = s.results.results.SetLimit(2)
	}
}

// newGroup makes a group.
func (s *system) newGroup(collect bool) *modelGroup {
	g := &modelGroup{collect: collect}
	var opts []taskmanager.GroupOption
	if collect {
		opts = append(opts, taskmanager.WithCollect())
	}
	if s.crowded {
		g.limit = 1
		opts = append(opts, taskmanager.WithGroupLimit(g.limit))
	}
	g.real = s.m.Group(context.Background(), opts...)
	return g
}

// modelGroup is a real group and its model.
type modelGroup struct {
	real     *taskmanager.Group
	results  *taskmanager.ResultGroup[string] // if not nil, used instead of real
	collect  bool
	limit    int          // of outstanding members; 0: none
	line     []*modelTask // whose submits wait for room in the group, in order
	order    []*modelTask // submits since the group last started over
	failures []error
	waited   bool // Wait has returned since the last submit
	failed   bool
}

// submit models a submit, which discards earlier failures after a Wait.
func (g *modelGroup) submit(x *modelTask) {
	if g.waited && !g.failed {
		g.failures, g.order = nil, nil
	}
	g.waited = false
	g.order = append(g.order, x)
}

// drop forgets a submit that was refused without a failure of the group.
func (g *modelGroup) drop(x *modelTask) {
	g.order = slices.DeleteFunc(g.order, func(y *modelTask) bool { return x == y })
}

// wait waits for the group. It returns the results and the expected results.
func (g *modelGroup) wait() (got, want []string, err error) {
	g.waited = true
	if g.results == nil {
		return nil, nil, g.real.Wait(context.Background())
	}
	got, err = g.results.Wait(context.Background())
	want = []string{}
	for _, x := range g.order {
		result := ""
		if x.err == nil && x.end == nil {
			result = x.name
		}
		want = append(want, result)
	}
	return got, want, err
}

func (m *model) allGroups() []*modelGroup { return []*modelGroup{m.groups[0], m.groups[1], m.results} }

// isMember reports whether a way to submit a task makes it a member of a group.
func isMember(way string) bool { return way == "group" || way == "group function" || way == "result" }

// drawMember makes a task a member of a random group.
func (s *system) drawMember(t *rapid.T, x *modelTask, way string) {
	x.group = s.results
	if way != "result" {
		x.group = s.groups[rapid.IntRange(0, 1).Draw(t, "group")]
	}
	x.linked = false // a group passes its own context to the submit
	if s.crowded {
		x.timeout, x.deadline, x.hard = 0, time.Time{}, false
	}
	if way != "group" {
		x.entry = rapid.SampledFrom([]string{"", "", "", "try", "within"}).Draw(t, "entry")
	}
}

// submitMember returns the submit of a member.
func (s *system) submitMember(x *modelTask, body *task, opts []taskmanager.TaskOption) error {
	result := func(ctx context.Context) (string, error) { return x.name, x.execute(ctx) }
	switch g := x.group; {
	case g == s.results && x.entry == "try":
		return g.results.TryGo(x.given, result, opts...)
	case g == s.results && x.entry == "within":
		return g.results.GoContext(x.ctx, x.given, result, opts...)
	case g == s.results:
		return g.results.Go(x.given, result, opts...)
	case x.entry == "try":
		return g.real.TryGo(x.given, x.execute, opts...)
	case x.entry == "within":
		return g.real.GoContext(x.ctx, x.given, x.execute, opts...)
	case x.restarts:
		return g.real.Submit(body, opts...) // a function does not restart
	default:
		return g.real.Go(x.given, x.execute, opts...)
	}
}

// full reports whether a group has no room.
func (m *model) full(g *modelGroup) bool {
	return g.limit > 0 && m.members(g) >= g.limit
}

// members returns the number of outstanding members.
func (m *model) members(g *modelGroup) (n int) {
	for _, x := range m.tasks {
		if x.group == g {
			n++
		}
	}
	return n
}

// hasLine reports whether a submit waits for room in a group.
func (m *model) hasLine() bool {
	return slices.ContainsFunc(m.allGroups(), func(g *modelGroup) bool { return len(g.line) > 0 })
}

// comeToFull models the submit of a task to a full group: it waits, or is refused at once.
func (m *model) comeToFull(x *modelTask) {
	if x.entry != "try" {
		x.group.line = append(x.group.line, x)
		return
	}
	m.refuse(x, taskmanager.ErrQueueFull)
	x.group.drop(x)
}

// failMember notes that the submit of a task is a failure of its group, if it is.
func (m *model) failMember(x *modelTask, trying bool) {
	switch {
	case x.group == nil || !x.refusedByPool():
	case trying && errors.Is(x.end, taskmanager.ErrQueueFull):
		x.group.drop(x)
	default:
		m.groupFailed(x.group, x.end)
	}
}

// refuse notes that a submit returns an error without having made its task outstanding.
func (m *model) refuse(x *modelTask, err error) {
	x.end = err
	m.refused = append(m.refused, x)
}

// enterGroups lets submits that wait for room in groups in, those of each group in order.
func (m *model) enterGroups() {
	for _, g := range m.allGroups() {
		for len(g.line) > 0 && !m.full(g) {
			x := g.line[0]
			g.line = g.line[1:]
			m.gap = m.gap || len(m.tasks) == 0
			m.slack++
			m.enter(x)
		}
	}
}

// enter submits a task that has got room in its group.
func (m *model) enter(x *modelTask) {
	m.renumber(x)
	if m.tasks[x.name] != nil {
		m.refuse(x, taskmanager.ErrAlreadyExists)
		m.groupFailed(x.group, taskmanager.ErrAlreadyExists)
		return
	}
	if x.delay > 0 {
		x.delay = time.Until(x.notBefore)
	}
	x.queuedAt = time.Now()
	m.submit([]*modelTask{x}, false)
	if x.refusedByPool() {
		m.refuse(x, x.end)
		m.failMember(x, false)
	}
}

// refusedByPool reports whether the submit of a task that was to be queued has failed.
func (x *modelTask) refusedByPool() bool { return x.end != nil && x.phase != taskmanager.Finished }

// outOfTurn reports whether it is random what happens if a task ends now: it runs, a submit waits for
// its place in a group, and both its slot and the room for the other task matter. See lenderWaits for the
// other case.
func (m *model) outOfTurn(x *modelTask) bool {
	switch {
	case m.lenderWaits(x):
		return true
	case x.group == nil || len(x.group.line) == 0 || !x.executing() || x.inline:
		return false
	case m.paused: // no worker takes the next task, but the end may let others in that are held back
		return m.limits()
	}
	return x.next != nil || m.queue.Len() > 0 || len(m.returning) > 0 || m.limit == 0 && m.slots >= m.max
}

// inTurn reports whether a task takes orders and may end.
func (s *system) inTurn(x *modelTask) bool { return takesOrders(x) && !s.outOfTurn(x) }

// setLimit changes the limit of a group, so that at most one submit that waits gets room: the order of
// several is random.
func (s *system) setLimit(t *rapid.T) {
	if !s.crowded {
		t.Skip("no limits")
	}
	s.tick()
	g := s.allGroups()[rapid.IntRange(0, 2).Draw(t, "group")]
	limit, members := rapid.IntRange(0, 3).Draw(t, "limit"), s.members(g)
	if len(g.line) > 1 && (limit == 0 || limit > members+1) {
		limit = members + 1
	}
	var err error
	if g.results != nil {
		err = g.results.SetLimit(limit)
	} else {
		err = g.real.SetLimit(limit)
	}
	if err != nil {
		t.Fatalf("SetLimit(%d): %v", limit, err)
	}
	synctest.Wait()
	g.limit = limit
	s.settle()
}

// giveUp ends the context of a submit that waits for room in a group.
func (s *system) giveUp(t *rapid.T) {
	s.tick()
	var all []*modelTask
	for _, g := range s.allGroups() {
		for _, x := range g.line {
			if x.entry == "within" {
				all = append(all, x)
			}
		}
	}
	if len(all) == 0 {
		t.Skip("no submit can give up")
	}
	x := all[rapid.IntRange(0, len(all)-1).Draw(t, "submit")]
	x.endCtx()
	synctest.Wait()
	g := x.group
	g.line = slices.DeleteFunc(g.line, func(y *modelTask) bool { return x == y })
	g.drop(x)
	s.refuse(x, context.Canceled)
}

// checkEntries checks the submits to groups that wait for room, and those that were refused.
func (s *system) checkEntries(t *rapid.T) {
	for _, g := range s.allGroups() {
		for _, x := range g.line {
			if isClosed(x.submitted) {
				x.learn()
				t.Fatalf("the submit of %q to a full group returned %v", x.name, x.err)
			}
		}
	}
	for _, x := range s.refused {
		if !isClosed(x.submitted) {
			t.Fatalf("the submit of %q to a group has not returned; want %v", x.name, x.end)
		}
		if x.learn(); !errors.Is(x.err, x.end) || x.ends.Load() != 0 {
			t.Fatalf("the submit of %q to a group: %v and %d ends, want %v and none", x.name, x.err, x.ends.Load(), x.end)
		}
	}
	s.refused = nil
}

// checkGroups checks the result of Wait for each group without outstanding tasks.
func (s *system) checkGroups(t *rapid.T) {
	for i, g := range s.allGroups() {
		busy := len(g.line) > 0
		for _, x := range s.tasks {
			busy = busy || x.group == g
		}
		if busy {
			continue
		}
		got, want, err := g.wait()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("group %d: results (-want +got):\n%s", i, diff)
		}
		if (err == nil) != (len(g.failures) == 0) {
			t.Fatalf("group %d: Wait returned %v, want %v", i, err, g.failures)
		}
		for _, failure := range g.failures {
			if !errors.Is(err, failure) {
				t.Fatalf("group %d: Wait returned %v, want %v", i, err, failure)
			}
		}
		if g.failed {
			s.groups[i] = s.newGroup(g.collect)
		}
	}
}

// groupFailed records a failure in a group and cancels the other members, those that do not
// run first.
func (m *model) groupFailed(g *modelGroup, err error) {
	if g.failed {
		return
	}
	g.failures = append(g.failures, err)
	if g.collect {
		return
	}
	g.failed = true
	for _, x := range g.line {
		m.refuse(x, taskmanager.ErrGroupFailed)
	}
	g.line = nil
	for _, executing := range []bool{false, true} {
		for _, x := range m.tasks {
			if x.group == g && x.executing() == executing && x.phase != taskmanager.Finished {
				m.cancel(x, taskmanager.ErrGroupFailed)
			}
		}
	}
}
