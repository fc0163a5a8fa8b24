package taskmanager_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// tick advances the time, so that no two tasks are due at the same moment. Otherwise it
// would be random whether a worker takes the first before the second is due. Executions that are about to
// heed the ends of their contexts do so.
func (s *system) tick() {
	s.pass(time.Nanosecond)
	for slices.ContainsFunc(s.all(), func(x *modelTask) bool { return !x.heeds.IsZero() }) {
		s.pass(afterWait)
	}
}

// submit submits a task in a random way.
func (s *system) submit(t *rapid.T) {
	s.tick()
	s.skipDrops(t)
	x := draw(t, s.drawName(t))
	s.drawUnique(t, x)
	trying := false
	call := s.drawSubmit(t, x, &trying)
	s.number(x)
	if x.group != nil {
		x.group.submit(x)
	}
	x.notBefore = time.Now().Add(x.delay)
	go func() {
		x.returned.handle, x.returned.err = call()
		close(x.submitted)
	}()
	synctest.Wait()
	x.learn()
	if x.group != nil && s.full(x.group) && !x.isPast() {
		s.comeToFull(x)
		return
	}
	if holder := s.tasks[x.name]; holder != nil && !x.isPast() {
		if x.taken != refuses {
			s.contend(t, x, holder)
			synctest.Wait()
			return
		}
		if !isClosed(x.submitted) || !errors.Is(x.err, taskmanager.ErrAlreadyExists) {
			t.Fatalf("a second task named %q: %v, want ErrAlreadyExists", x.name, x.err)
		}
		if x.group != nil {
			s.groupFailed(x.group, taskmanager.ErrAlreadyExists)
		}
		return
	}
	if x.group != nil { // a group returns no handle
		x.handle, _ = s.m.Lookup(x.name)
	}
	s.model.submit([]*modelTask{x}, trying)
	s.failMember(x, trying)
	synctest.Wait()
	s.checkSubmit(t, x)
}

// drawSubmit draws a way to submit a task.
func (s *system) drawSubmit(t *rapid.T, x *modelTask, trying *bool) func() (*taskmanager.Handle, error) {
	body := &task{
		name:    x.given,
		execute: x.execute,
		restart: func(context.Context, error) bool { return x.restarts },
	}
	ways := []string{"methods", "options", "try", "group"}
	if !x.restarts {
		ways = append(ways, "function", "future", "group function", "result")
	}
	if s.crowded && rapid.IntRange(0, 3).Draw(t, "member") > 0 {
		ways = slices.DeleteFunc(ways, func(way string) bool { return !isMember(way) })
	}
	way := rapid.SampledFrom(ways).Draw(t, "way")
	if !isMember(way) {
		s.drawTaken(t, x, way)
		s.drawOrigin(t, x)
	}
	if way == "methods" {
		opts := append(append(x.takenOptions(), x.onEnd()), x.nameOptions()...)
		return func() (*taskmanager.Handle, error) { return s.m.Submit(x.ctx, attributed{body, x}, opts...) }
	}
	s.drawn++
	x.drawLimits(t, s.drawn)
	if s.needs {
		x.drawNeeds(t)
	}
	if isMember(way) {
		s.drawMember(t, x, way)
		*trying = x.entry == "try"
	}
	s.drawParent(t, x, way)
	opts := x.options()
	return func() (*taskmanager.Handle, error) {
		switch {
		case x.group != nil:
			return nil, s.submitMember(x, body, opts)
		case way == "try":
			*trying = true
			return s.m.TrySubmit(x.submitCtx(), body, opts...)
		case way == "function":
			return s.m.SubmitFunc(x.submitCtx(), x.given, x.execute, opts...)
		case way == "future":
			f, err := taskmanager.Async(x.submitCtx(), s.m, x.given, func(ctx context.Context) (string, error) {
				return x.name, x.execute(ctx)
			}, opts...)
			if err != nil {
				return nil, err
			}
			return &f.Handle, nil
		default:
			return s.m.Submit(x.submitCtx(), body, opts...)
		}
	}
}

// submitAll submits a batch. Under CallerRuns the batch has one task, since the model does
// not cover tasks that wait for the submitter to run them. While two tasks wait, it has one task
// too: several might drop both of those that are waited for, and the order of the returns is random. So it
// is if they drop members of groups for whose places submits wait.
func (s *system) submitAll(t *rapid.T) {
	s.tick()
	s.skipDrops(t)
	n := rapid.IntRange(1, 4).Draw(t, "size")
	if s.overflow == taskmanager.CallerRuns || s.returns() == 2 || s.hasLine() {
		n = 1
	}
	batch, tasks := s.drawBatch(t, n)
	var taken error
	names := map[string]bool{}
	for _, x := range batch {
		if s.tasks[x.name] != nil || names[x.name] {
			taken = taskmanager.ErrAlreadyExists
		}
		names[x.name] = true
	}
	returned := make(chan struct{})
	for _, x := range batch {
		x.batch, x.submitted = batch, returned
	}
	opts := append(batch[0].nameOptions(), taskmanager.WithOnEnd(func(h *taskmanager.Handle) {
		batch[slices.IndexFunc(batch, func(x *modelTask) bool { return x.name == h.Name() })].ends.Add(1)
	}))
	go func() {
		handles, err := s.m.SubmitAll(context.Background(), tasks, opts...)
		for i, x := range batch {
			if x.returned.err = err; err == nil {
				x.returned.handle = handles[i]
			}
		}
		close(returned)
	}()
	synctest.Wait()
	if taken != nil {
		if batch[0].learn(); !isClosed(returned) || !errors.Is(batch[0].err, taken) {
			t.Fatalf("a batch with a name that is taken: %v, want %v", batch[0].err, taken)
		}
		return
	}
	s.model.submit(batch, false)
	synctest.Wait()
	s.checkSubmit(t, batch[0])
}

// drawBatch draws n tasks that are submitted together, and the same tasks for the manager.
func (s *system) drawBatch(t *rapid.T, n int) (batch []*modelTask, tasks []taskmanager.Task) {
	for range n {
		x := draw(t, s.drawName(t))
		x.delay, x.deadline = 0, time.Time{}
		batch = append(batch, x)
	}
	s.drawUnique(t, batch...)
	s.number(batch...)
	for _, x := range batch {
		tasks = append(tasks, attributed{&task{
			name:    x.given,
			execute: x.execute,
			restart: func(context.Context, error) bool { return x.restarts },
		}, x})
	}
	return batch, tasks
}

// resolve ends an execution with a random outcome.
func (s *system) resolve(t *rapid.T) {
	s.tick()
	x := s.pick(t, s.inTurn)
	o := rapid.SampledFrom([]outcome{succeed, succeed, fail, fail, crash, goexit}).Draw(t, "outcome")
	x.orders <- order{outcome: o}
	synctest.Wait()
	switch o {
	case succeed:
		s.stopped(x, nil)
	case goexit:
		s.failed(x, taskmanager.ErrGoexit)
	default:
		s.failed(x, errFailed)
	}
	s.settle()
	synctest.Wait()
}

// takesOrders reports whether a task runs and does not wait.
func takesOrders(x *modelTask) bool {
	return x.phase == taskmanager.Running && x.target == nil
}

// wait makes a running task wait for another task or for itself. It avoids targets for
// which the order of events would be random: a task that another one already waits for, a member of
// a group, which may end together with others, and, for a task that uses resources, one that may end out
// of turn (see outOfTurn) by a time limit.
func (s *system) wait(t *rapid.T) {
	s.tick()
	s.skipWaits(t)
	x := s.pick(t, takesOrders)
	target := s.pick(t, func(y *modelTask) bool {
		for _, z := range s.tasks {
			if z.target == y {
				return false
			}
		}
		return y.handle != nil && y.group == nil && x.group == nil && (!x.uses() || y.timeout == 0 && !y.hard)
	})
	deaf := rapid.Bool().Draw(t, "deaf")
	x.waited = make(chan error, 1)
	x.orders <- order{target: target, deaf: deaf, waited: x.waited}
	synctest.Wait()
	if s.model.wait(x, target, deaf) {
		return
	}
	select {
	case err := <-x.waited:
		if !errors.Is(err, taskmanager.ErrWouldDeadlock) {
			t.Fatalf("%q waits for %q, which can never end: %v, want ErrWouldDeadlock", x.name, target.name, err)
		}
	default:
		t.Fatalf("%q waits for %q, which can never end, and gets no error", x.name, target.name)
	}
}

// skipWaits skips an action if two tasks wait already: the end of one of three might bring
// back two others, in random order.
func (s *system) skipWaits(t *rapid.T) {
	if s.returns() == 2 {
		t.Skip("enough tasks wait")
	}
}

// returns returns the number of tasks that wait for another one, or to continue after that.
func (s *system) returns() int {
	waiting := len(s.returning)
	for _, x := range s.tasks {
		if x.target != nil {
			waiting++
		}
	}
	return waiting
}

// block makes a running task call Blocking.
func (s *system) block(t *rapid.T) {
	s.tick()
	s.skipWaits(t)
	x := s.pick(t, takesOrders)
	x.block = make(chan struct{})
	x.orders <- order{block: x.block}
	synctest.Wait()
	s.model.wait(x, nothing, false)
}

// unblock ends such a call.
func (s *system) unblock(t *rapid.T) {
	s.tick()
	x := s.pick(t, func(x *modelTask) bool { return x.target == nothing })
	close(x.block)
	synctest.Wait()
	s.resume(x)
	s.settle()
}

// cancel cancels a task by its handle or by its name. The name cancels two tasks if one waits behind
// the other. If another task waits for the former, cancel does not use the name: whether that task
// continues before or after the other cancelled one has given its slot away is random.
func (s *system) cancel(t *rapid.T) {
	s.tick()
	x := s.pick(t, func(x *modelTask) bool { return !s.outOfTurn(x) && (x.before == nil || !s.outOfTurn(x.before)) })
	if x.handle != nil && (rapid.Bool().Draw(t, "by handle") || s.tasks[x.name].next != nil && s.returns() > 0) {
		x.handle.Cancel()
	} else {
		if !s.m.Cancel(x.name) {
			t.Fatalf("there is no task %q to cancel", x.name)
		}
		if x = s.tasks[x.name]; x.next != nil {
			s.model.cancel(x.next, taskmanager.ErrCancelled)
		}
	}
	synctest.Wait()
	s.model.cancel(x, taskmanager.ErrCancelled)
	synctest.Wait()
}

// endContext ends the context of a submit. If the submit waits for room, it returns the cause,
// unless the end of the context also cancels the task.
func (s *system) endContext(t *rapid.T) {
	s.tick()
	x := s.pick(t, func(x *modelTask) bool {
		return x.ctx.Err() == nil && x.run == nil && (!x.linked || !s.outOfTurn(x)) && (isClosed(x.submitted) ||
			s.isBlocked(x) && x.batch == nil && (x.group == nil || x.entry == "within") && !x.linked)
	})
	x.endCtx()
	synctest.Wait()
	switch {
	case x.linked:
		s.model.cancel(x, taskmanager.ErrCancelled)
	case s.isBlocked(x):
		if x.givenUp = x.group != nil; x.givenUp {
			x.group.drop(x)
		}
		s.model.cancel(x, context.Canceled)
	}
	synctest.Wait()
}

func (s *system) pause(t *rapid.T) {
	s.tick()
	s.checkPausers(t) // the last task that runs may just have ended
	s.switchPause()
	if s.paused {
		s.m.Pause()
	} else {
		s.m.Resume()
		s.endPause()
	}
	synctest.Wait()
	s.settle()
}

func (s *system) resize(t *rapid.T) {
	s.tick()
	s.drawBounds(t)
	s.setBounds(t)
}

func (s *system) setBounds(t *rapid.T) {
	if err := s.m.Resize(s.min, s.max); err != nil {
		t.Fatalf("Resize(%d, %d): %v", s.min, s.max, err)
	}
	synctest.Wait()
	s.settle()
}

// waitIdle starts a call of WaitIdle.
func (s *system) waitIdle(*rapid.T) {
	w := &idler{returned: make(chan error, 1)}
	s.idlers = append(s.idlers, w)
	go func() { w.returned <- s.m.WaitIdle(context.Background()) }()
}

// advance lets time pass, often until an event is due.
func (s *system) advance(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		1, restartDelay / 2, restartDelay, restartDelay + 1, timeout, queueTimeout, idleTimeout, 10 * idleTimeout,
	}).Draw(t, "duration")
	s.pass(d)
}

// pick draws an outstanding task that fits, and skips the action if there is none.
func (s *system) pick(t *rapid.T, fits func(*modelTask) bool) *modelTask {
	labels := map[string]*modelTask{}
	for _, x := range s.all() {
		if !fits(x) {
			continue
		}
		if labels[x.name] = x; x.before != nil {
			delete(labels, x.name)
			labels["behind "+x.name] = x
		}
	}
	if len(labels) == 0 {
		t.Skip("no task to pick")
	}
	return labels[rapid.SampledFrom(slices.Sorted(maps.Keys(labels))).Draw(t, "task")]
}
