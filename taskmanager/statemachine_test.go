package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestManagerEqualsItsModel drives a manager and its model through the same random actions,
// in virtual time, and compares everything that can be observed. It covers each discipline
// and each overflow policy.
func TestManagerEqualsItsModel(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(disciplines)) {
		t.Run(name, func(t *testing.T) { rapid.Check(t, equalsItsModel(disciplines[name])) })
	}
}

// TestStaleFailFilesDoNotFailTheManager replays random data that runs out, as a fail file of another
// version does.
func TestStaleFailFilesDoNotFailTheManager(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(disciplines)) {
		t.Run(name, func(t *testing.T) { check.Truncated(t, equalsItsModel(disciplines[name])) })
	}
}

func equalsItsModel(d discipline) func(t *rapid.T) {
	return func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newSystem(t, d)
			defer s.abandon(t)
			t.Repeat(map[string]func(*rapid.T){
				"submit":   s.submit,
				"submit2":  s.submit, // more often, so that queues get long
				"batch":    s.submitAll,
				"resolve":  s.resolve,
				"resolve2": s.resolve,
				"postpone": s.postponeRun,
				"wait":     s.wait,
				"block":    s.block,
				"unblock":  s.unblock,
				"cancel":   s.cancel,
				"limit":    s.setLimit,
				"giveUp":   s.giveUp,
				"schedule": s.schedule,
				"room":     s.waitRoom,
				"endCtx":   s.endContext,
				"pause":    s.pause,
				"resize":   s.resize,
				"idle":     s.waitIdle,
				"quiet":    s.pauseWait,
				"advance":  s.advance,
				"":         s.check,
			})
			s.stop(t)
		})
	}
}

// system is a manager and its model.
type system struct {
	model
	m         *taskmanager.TaskManager
	idlers    []*idler
	pausers   []*pauser
	rooms     []*roomCall
	roomFault string   // found at an event since the last check
	drawn     int      // number of tasks with limits
	needs     bool     // tasks need resources
	backend   *backend // nil: the manager has no observer
}

// idler is a call of WaitIdle.
type idler struct {
	returned chan error
	over     bool // there was a moment without outstanding tasks
}

func newSystem(t *rapid.T, d discipline) *system {
	s := &system{model: model{tasks: map[string]*modelTask{}, queue: d.model(), limit: -1, allows: d.allows}, needs: d.needs}
	s.runs = func(x *modelTask) bool { return s.m.TaskStatus()[x.name].Status != taskmanager.Blocked }
	s.drawBounds(t)
	s.crowded = rapid.Bool().Draw(t, "crowded")
	opts := []taskmanager.Option{
		taskmanager.WithWorkers(s.min, s.max),
		taskmanager.WithIdleTimeout(idleTimeout),
		taskmanager.WithRestart(modelPolicy{}),
		taskmanager.WithQueue(d.real),
		taskmanager.WithHistory(1000),
	}
	if rapid.Bool().Draw(t, "bounded") {
		s.limit = rapid.IntRange(0, 3).Draw(t, "limit")
		s.overflow = rapid.SampledFrom([]taskmanager.Overflow{
			taskmanager.Block, taskmanager.Reject, taskmanager.DropNewest,
			taskmanager.DropOldest, taskmanager.DropWorst, taskmanager.CallerRuns,
		}).Draw(t, "overflow")
		opts = append(opts, taskmanager.WithLimit(s.limit, s.overflow))
	}
	if rapid.Bool().Draw(t, "times") { // which must not change anything
		opts = append(opts, taskmanager.WithPoolTimes())
	}
	if rapid.Bool().Draw(t, "middleware") {
		through := func(next taskmanager.Runner) taskmanager.Runner {
			return func(ctx context.Context, h *taskmanager.Handle) error { return next(ctx, h) }
		}
		opts = append(opts, taskmanager.WithMiddleware(through, through))
	}
	if rapid.Bool().Draw(t, "observed") {
		s.backend = newBackend(t)
		opts = append(opts, taskmanager.WithObserver(s.backend.otel))
	}
	m, err := taskmanager.Start(opts...)
	if err != nil && (s.overflow == taskmanager.DropOldest || s.overflow == taskmanager.CallerRuns) {
		t.Skip("LimitByKey cannot do that")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	s.crowded = s.crowded && !s.dropsRace()
	// A group that fails cancels several tasks at once. With a limit by key the order in
	// which their workers become free matters, and is random.
	s.newGroups(!s.limits())
	return s
}

func (s *system) drawBounds(t *rapid.T) {
	s.min = rapid.IntRange(0, 3).Draw(t, "min")
	s.max = rapid.IntRange(max(1, s.min), 4).Draw(t, "max")
}

// check compares the state of the manager with the model.
func (s *system) check(t *rapid.T) {
	synctest.Wait()
	s.learn()
	gotTasks, wantTasks := map[string]string{}, map[string]string{}
	workers := map[string]taskmanager.WorkerStatus{}
	for name, status := range s.m.TaskStatus() {
		gotTasks[name] = fmt.Sprintf("%v, %d restarts", status.Status, status.Restarts)
	}
	for name, x := range s.tasks {
		wantTasks[name] = fmt.Sprintf("%v, %d restarts", x.phase, x.restartsHere())
		if x.executing() && !x.inline {
			workers[name] = x.phase
		}
		s.checkSubmit(t, x)
		if x.ends.Load() != 0 {
			t.Fatalf("the end of task %q, which is outstanding, was told", name)
		}
		if x.handle != nil && (isClosed(x.handle.Done()) || isClosed(x.handle.Started()) != x.started) {
			t.Fatalf("task %q: done %v, started %v; want false, %v", name,
				isClosed(x.handle.Done()), isClosed(x.handle.Started()), x.started)
		}
	}
	if diff := cmp.Diff(wantTasks, gotTasks); diff != "" {
		t.Fatalf("TaskStatus (-want +got):\n%s", diff)
	}
	s.checkWorkers(t, workers)
	s.checkListings(t)
	s.checkConservation(t)
	s.checkEnds(t)
	s.checkSuccessors(t)
	s.checkEntries(t)
	s.checkGroups(t)
	s.checkIdlers(t)
	s.checkPausers(t)
	s.checkRooms(t)
	s.checkSchedule(t)
	for _, x := range s.ended {
		if x.handle != nil && (!isClosed(x.handle.Done()) || !isClosed(x.handle.Started())) {
			t.Fatalf("task %q has not ended", x.name)
		}
		if err := x.result(); !x.endedAs(err) {
			t.Fatalf("task %q ended with %v, want %v", x.name, err, x.end)
		}
	}
	want := 0
	for _, x := range s.ended {
		calls := int32(0)
		if x.err == nil {
			want++
			if x.run == nil { // checkSchedule counts those of runs
				calls = 1
			}
		}
		if got := x.ends.Load(); got != calls {
			t.Fatalf("the end of task %q was told %d times, want %d", x.name, got, calls)
		}
	}
	if got := len(s.m.History()); got != want {
		t.Fatalf("the history has %d tasks, and %d have ended", got, want)
	}
}

// learn copies the results of submits that have returned.
func (s *system) learn() {
	for _, x := range s.all() {
		x.learn()
	}
	s.learnHandles()
	for _, x := range s.ended {
		x.learn()
	}
}

// learnHandles looks up tasks whose submits return no handle: those of groups and schedules.
func (s *system) learnHandles() {
	for _, x := range s.tasks {
		if x.handle == nil && (x.group != nil || x.run != nil) {
			x.handle, _ = s.m.Lookup(x.name)
		}
	}
}

// checkSubmit checks whether a submit has returned, and its error.
func (s *system) checkSubmit(t *rapid.T, x *modelTask) {
	x.learn()
	waits := x.inline || s.isBlocked(x)
	for _, y := range x.batch {
		waits = waits || y.inline // SubmitAll returns when all have run
	}
	switch returned := isClosed(x.submitted); {
	case returned == waits:
		t.Fatalf("the submit of %q: returned is %v, want %v", x.name, returned, !waits)
	case !returned:
	case x.end != nil && x.err != nil:
		if !errors.Is(x.err, x.end) {
			t.Fatalf("the submit of %q returned %v, want %v", x.name, x.err, x.end)
		}
	case x.err != nil:
		t.Fatalf("the submit of %q returned %v", x.name, x.err)
	}
}

func (s *system) checkWorkers(t *rapid.T, executing map[string]taskmanager.WorkerStatus) {
	got := map[string]taskmanager.WorkerStatus{}
	free, slots := 0, 0
	for _, w := range s.m.Workers() {
		if w == (taskmanager.WorkerInfo{TaskName: "idle", Status: taskmanager.Waiting}) {
			free++
			continue
		}
		got[w.TaskName] = w.Status
		if w.Status == taskmanager.Running {
			slots++
		}
	}
	if n := free + slots; n < s.min || n > max(s.max, slots) || slots != s.slots {
		t.Fatalf("%d workers for %d running tasks, with bounds %d and %d; want %d running", n, slots, s.min, s.max, s.slots)
	}
	if diff := cmp.Diff(executing, got); diff != "" {
		t.Fatalf("tasks on workers (-want +got):\n%s", diff)
	}
}

// checkListings checks Tasks, Lookup and Cancel of an unknown name.
func (s *system) checkListings(t *rapid.T) {
	n := 0
	for h := range s.m.Tasks() {
		n++
		x := s.tasks[h.Name()]
		if x != nil && x.next != nil && x.next.handle == h { // it waits behind x
			continue
		}
		if found, ok := s.m.Lookup(h.Name()); x == nil || !ok || found != h || x.handle != nil && x.handle != h {
			t.Fatalf("task %q is listed, and looked up as %v, %v", h.Name(), found, ok)
		}
	}
	if want := len(s.all()); n != want {
		t.Fatalf("%d tasks are listed, want %d", n, want)
	}
	if h, ok := s.m.Lookup("nobody"); ok || h != nil || s.m.Cancel("nobody") {
		t.Fatal("a task of a name that nobody has was found")
	}
}

// noteIdle notes that there is a moment without outstanding tasks, if that is so.
func (s *system) noteIdle() {
	for _, w := range s.idlers {
		w.over = w.over || len(s.tasks) == 0
	}
}

// checkIdlers checks that WaitIdle returns as soon as no task is outstanding, and not
// before.
func (s *system) checkIdlers(t *rapid.T) {
	s.noteIdle()
	for _, w := range s.idlers {
		select {
		case err := <-w.returned:
			if !w.over && !s.gap || err != nil {
				t.Fatalf("WaitIdle returned %v with %d tasks outstanding", err, len(s.tasks))
			}
			w.returned = nil
		default:
			if w.over {
				t.Fatal("WaitIdle has not returned, though there were no tasks")
			}
		}
	}
	s.gap = false
	s.idlers = slices.DeleteFunc(s.idlers, func(w *idler) bool { return w.returned == nil })
}

// tally counts the admitted tasks by their state or their end.
type tally struct{ Done, Failed, Dropped, Shed, Cancelled, Stopped, HandedOver, Queued, Running, Restarting int }

func (c tally) sum() int {
	return c.Done + c.Failed + c.Dropped + c.Shed + c.Cancelled + c.Stopped + c.HandedOver + c.Queued + c.Running + c.Restarting
}

// ended counts a task that has ended with err.
func (c *tally) ended(err error) {
	switch {
	case err == nil:
		c.Done++
	case errors.Is(err, taskmanager.ErrDropped):
		c.Dropped++
	case errors.Is(err, taskmanager.ErrShed):
		c.Shed++
	case errors.Is(err, taskmanager.ErrCancelled), errors.Is(err, taskmanager.ErrReplaced):
		c.Cancelled++
	case errors.Is(err, taskmanager.ErrStopped):
		c.Stopped++
	case errors.Is(err, errHandedOver), isHandedOver(err):
		c.HandedOver++
	default:
		c.Failed++
	}
}

// outstanding counts a task that has not ended.
func (c *tally) outstanding(status taskmanager.WorkerStatus) {
	switch status {
	case taskmanager.Running, taskmanager.Blocked:
		c.Running++
	case taskmanager.Restarted:
		c.Restarting++
	default:
		c.Queued++
	}
}

// checkConservation checks that each admitted task is counted exactly once: by handles and
// statuses, and by the counters of the pool.
func (s *system) checkConservation(t *rapid.T) {
	var got, want tally
	admitted := 0
	for _, x := range s.ended {
		want.ended(x.end)
		admitted++
		got.ended(x.result())
	}
	for _, x := range s.tasks {
		want.outstanding(x.phase)
		admitted++
	}
	for _, status := range s.m.TaskStatus() {
		got.outstanding(status.Status)
	}
	if diff := cmp.Diff(want, got); diff != "" || got.sum() != admitted {
		t.Fatalf("%d tasks were admitted and %d are accounted for (-want +got):\n%s", admitted, got.sum(), diff)
	}
	pool, inline, lent := s.m.Snapshot(), 0, 0
	for _, x := range s.tasks {
		if x.inline {
			inline++
		}
		if x.phase == taskmanager.Blocked {
			lent++
		}
	}
	type counts struct{ Busy, Inline, Lent, Queued, Blocked int }
	wantPool := counts{s.slots, inline, lent, s.queued(), s.waiting()}
	if diff := cmp.Diff(wantPool, counts{pool.Busy, pool.Inline, pool.Lent, pool.Queued, pool.Blocked}); diff != "" {
		t.Fatalf("the pool's counts (-want +got):\n%s", diff)
	}
	out := pool.Completed + pool.Failed + pool.Withdrawn + pool.Shed + pool.Dropped + uint64(pool.Busy+pool.Inline+pool.Lent+pool.Queued)
	if pool.Submitted != out {
		t.Fatalf("the pool has taken %d executions and accounts for %d: %+v", pool.Submitted, out, pool)
	}
	if want.Stopped == 0 && (pool.Dropped != uint64(want.Dropped) || pool.Shed != uint64(want.Shed)) {
		t.Fatalf("the pool has dropped %d and shed %d, want %d and %d", pool.Dropped, pool.Shed, want.Dropped, want.Shed)
	}
}

// pass lets time pass. It handles the events that are due one by one.
func (s *system) pass(d time.Duration) {
	end := time.Now().Add(d)
	for {
		at, happen := s.next()
		if happen == nil || at.After(end) {
			break
		}
		time.Sleep(time.Until(at))
		synctest.Wait()
		happen()
		synctest.Wait()
		s.noteRooms()
		s.noteIdle()
		s.learnHandles()
	}
	time.Sleep(time.Until(end))
	synctest.Wait()
}

// next returns the next event that is due.
func (s *system) next() (at time.Time, happen func()) {
	event := func(when time.Time, do func()) {
		if happen == nil || when.Before(at) {
			at, happen = when, do
		}
	}
	if c := s.sched; c != nil && !c.next.IsZero() {
		event(c.next, func() { s.comesDue(c) })
	}
	for _, x := range s.all() {
		if !x.heeds.IsZero() {
			event(x.heeds, func() { s.heed(x); s.settle() })
		}
		limit := time.Time{}
		if x.hard && x.gone == nil {
			limit = x.deadline
			event(limit, func() { s.model.cancel(x, taskmanager.ErrDeadlineExceeded) })
		}
		switch {
		case slices.Contains(s.delayed, x):
			event(x.due, func() {
				x.queuedAt = time.Now()
				s.delayed = s.delayed[1:]
				if x.phase == taskmanager.Restarted {
					s.requeue(x)
				} else {
					s.queue.Push(x)
				}
				s.settle()
			})
		case x.before != nil && x.patientFrom.IsZero():
		case !x.executing() && x.queueTimeout > 0 && !s.paused:
			event(x.waitsSince().Add(x.queueTimeout+s.pausedSince(x.waitsSince())), func() { s.model.cancel(x, taskmanager.ErrQueueTimeout) })
		case x.executing() && x.timeout > 0 && x.gone == nil && !x.late:
			if end := x.startedAt.Add(x.timeout); limit.IsZero() || end.Before(limit) {
				event(end, func() { s.timeOut(x) })
			}
		}
	}
	return at, happen
}
