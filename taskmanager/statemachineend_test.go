package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// stop ends the manager, by Stop or by a Drain whose context has ended. Every outstanding
// task must end with ErrStopped.
func (s *system) stop(t *rapid.T) {
	if rapid.Bool().Draw(t, "drain") {
		s.drain(t)
	}
	stop(t, s.m)
	synctest.Wait()
	s.checkPausersEnd(t)
	s.checkRoomsEnd(t)
	s.learn()
	for _, x := range s.all() {
		// A blocked submit may have got room from a task that Stop cancelled.
		if s.isBlocked(x) && x.err != nil && !errors.Is(x.err, taskmanager.ErrStopped) {
			t.Fatalf("the submit of %q returned %v after Stop, want ErrStopped", x.name, x.err)
		}
		x.end = taskmanager.ErrStopped
		if x.gone != nil {
			x.end = x.gone
		}
		s.ended = append(s.ended, x)
		if x.group != nil && !x.group.failed {
			x.group.failures = append(x.group.failures, x.end)
			x.group.failed = !x.group.collect
		}
	}
	for _, x := range s.ended {
		x.endCtx()
	}
	for _, g := range s.allGroups() {
		for _, x := range g.line {
			s.refuse(x, taskmanager.ErrStopped)
		}
	}
	s.tasks, s.blocked, s.returning, s.min, s.slots = nil, nil, nil, 0, 0
	s.newGroups(false)
	s.scheduleStops()
	s.queue, s.withdrawn = disciplines["FIFO"].model(), 0
	s.check(t)
	s.checkScheduleEnd(t)
	if _, err := s.m.GoFunc("late", untilCancelled); !errors.Is(err, taskmanager.ErrStopped) {
		t.Fatalf("GoFunc after Stop returned %v, want ErrStopped", err)
	}
	if s.backend == nil {
		return
	}
	if started, ended := len(s.backend.spans.Started()), len(s.backend.spans.Ended()); started != ended {
		t.Fatalf("%d spans were started, and %d ended", started, ended)
	}
}

// abandon ends everything, without a draw and without a check. A property that ends half-way, with a
// failure or because its data has run out, would otherwise leave goroutines in its bubble, which
// would hide the reason.
func (s *system) abandon(t *rapid.T) {
	stop(t, s.m)
	synctest.Wait()
}

// drain calls Drain with a context that has ended: it must cancel and name all outstanding
// tasks, also those that wait for their name.
func (s *system) drain(t *rapid.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errFailed)
	err := s.m.Drain(ctx)
	var names []string
	for _, x := range s.all() {
		names = append(names, x.name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return // Drain may or may not have noticed that ctx has ended
	}
	drained, ok := errors.AsType[*taskmanager.DrainError](err)
	if !ok || !errors.Is(err, errFailed) {
		t.Fatalf("Drain returned %v, want a DrainError with the reason", err)
	}
	for _, name := range drained.Running {
		if x := s.tasks[name]; x == nil || !x.executing() {
			t.Fatalf("Drain says that %q is running", name)
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(drained.Cancelled, drained.Running)))
	if diff := cmp.Diff(names, all); diff != "" {
		t.Fatalf("tasks that Drain has cancelled (-want +got):\n%s", diff)
	}
}
