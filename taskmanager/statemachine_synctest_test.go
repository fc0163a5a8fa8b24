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

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestManagerEqualsItsModel drives a manager and a model of it through the same
// random life of tasks, in virtual time, and compares all that can be seen: under
// each discipline and each overflow policy.
func TestManagerEqualsItsModel(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(disciplines)) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rapid.SyncTest(t, func(t *rapid.T) {
					s := newSystem(t, disciplines[name])
					defer s.stop(t)
					t.Repeat(map[string]func(*rapid.T){
						"submit":  s.submit,
						"submit2": s.submit, // so that queues get long
						"resolve": s.resolve,
						"cancel":  s.cancel,
						"advance": s.advance,
						"":        s.check,
					})
				})
			})
		})
	}
}

// system is a manager and its model.
type system struct {
	model
	m *taskmanager.TaskManager
}

func newSystem(t *rapid.T, d discipline) *system {
	s := &system{model: model{tasks: map[string]*modelTask{}, queue: d.model(), limit: -1}}
	s.min = rapid.IntRange(0, 3).Draw(t, "min")
	s.max = rapid.IntRange(max(1, s.min), 4).Draw(t, "max")
	opts := []taskmanager.Option{
		taskmanager.WithWorkers(s.min, s.max),
		taskmanager.WithIdleTimeout(idleTimeout),
		taskmanager.WithRestart(modelPolicy{}),
		taskmanager.WithQueue(d.real),
	}
	if rapid.Bool().Draw(t, "bounded") {
		s.limit = rapid.IntRange(0, 3).Draw(t, "limit")
		s.overflow = rapid.SampledFrom([]taskmanager.Overflow{
			taskmanager.Block, taskmanager.Reject, taskmanager.DropNewest,
			taskmanager.DropOldest, taskmanager.DropWorst, taskmanager.CallerRuns,
		}).Draw(t, "overflow")
		opts = append(opts, taskmanager.WithLimit(s.limit, s.overflow))
	}
	m, err := taskmanager.Start(opts...)
	if err != nil && (s.overflow == taskmanager.DropOldest || s.overflow == taskmanager.CallerRuns) {
		t.Skip("LimitByKey cannot do that")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	return s
}

// attributed is a task that tells its attributes by methods. They may do so
// wrongly where options say otherwise.
type attributed struct {
	*task
	x *modelTask
}

func (a attributed) Key() string                 { return a.x.key }
func (a attributed) Priority() int               { return a.x.priority }
func (a attributed) Cost() int64                 { return a.x.cost }
func (a attributed) Deadline() (time.Time, bool) { return a.x.deadline, !a.x.deadline.IsZero() }

// options are the task's attributes as options.
func (x *modelTask) options() []taskmanager.TaskOption {
	opts := []taskmanager.TaskOption{
		taskmanager.WithKey(x.key), taskmanager.WithPriority(x.priority), taskmanager.WithCost(x.cost),
		taskmanager.WithNotBefore(time.Now().Add(x.delay)),
	}
	if !x.deadline.IsZero() {
		opts = append(opts, taskmanager.WithDeadline(x.deadline))
	}
	return opts
}

// tick makes the time differ from that of all before, so that no two tasks are due
// at the same moment: whether a worker takes the first before the second is there
// would be a matter of luck.
func (s *system) tick() { s.pass(time.Nanosecond) }

func (s *system) submit(t *rapid.T) {
	s.tick()
	x := draw(t)
	body := &task{
		name:    x.name,
		execute: x.execute,
		restart: func(context.Context, error) bool { return x.restarts },
	}
	call := func() (*taskmanager.Handle, error) {
		return s.m.Submit(t.Context(), attributed{body, x}, taskmanager.WithDelay(x.delay))
	}
	switch {
	case rapid.Bool().Draw(t, "attributes by options"):
		call = func() (*taskmanager.Handle, error) { return s.m.Submit(t.Context(), body, x.options()...) }
	case !x.restarts:
		call = func() (*taskmanager.Handle, error) {
			return s.m.SubmitFunc(t.Context(), x.name, x.execute, x.options()...)
		}
	}
	go func() {
		x.handle, x.err = call()
		close(x.submitted)
	}()
	synctest.Wait()
	if s.tasks[x.name] != nil {
		if !isClosed(x.submitted) || !errors.Is(x.err, taskmanager.ErrAlreadyExists) {
			t.Fatalf("a second task named %q: %v, want ErrAlreadyExists", x.name, x.err)
		}
		return
	}
	s.model.submit(x)
	s.checkSubmit(t, x)
}

// checkSubmit checks whether a submit has returned, and what.
func (s *system) checkSubmit(t *rapid.T, x *modelTask) {
	waits := x.inline || slices.Contains(s.blocked, x)
	switch returned := isClosed(x.submitted); {
	case returned == waits:
		t.Fatalf("the submit of %q: returned is %v, want %v", x.name, returned, !waits)
	case !returned:
	case errors.Is(x.end, taskmanager.ErrQueueFull):
		if !errors.Is(x.err, taskmanager.ErrQueueFull) {
			t.Fatalf("the submit of %q returned %v, want ErrQueueFull", x.name, x.err)
		}
	case x.err != nil:
		t.Fatalf("the submit of %q returned %v", x.name, x.err)
	}
}

// resolve tells a running task what to do.
func (s *system) resolve(t *rapid.T) {
	s.tick()
	x := s.pick(t, func(x *modelTask) bool { return x.phase == taskmanager.Running })
	o := rapid.SampledFrom([]outcome{succeed, succeed, fail, fail, crash, goexit}).Draw(t, "outcome")
	x.order <- o
	switch o {
	case succeed:
		s.finish(x, nil)
		if !x.inline {
			s.over(x)
		}
		x.inline = false
	case goexit:
		s.failed(x, taskmanager.ErrGoexit)
	default:
		s.failed(x, errFailed)
	}
	s.settle()
	synctest.Wait()
}

func (s *system) cancel(t *rapid.T) {
	x := s.pick(t, func(x *modelTask) bool { return isClosed(x.submitted) })
	x.handle.Cancel()
	s.model.cancel(x)
	synctest.Wait()
}

// advance lets time pass, often up to a moment at which something is due.
func (s *system) advance(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		1, restartDelay / 2, restartDelay, restartDelay + 1, idleTimeout, 10 * idleTimeout,
	}).Draw(t, "duration")
	s.pass(d)
}

func (s *system) pass(d time.Duration) {
	end := time.Now().Add(d)
	for len(s.delayed) > 0 && !s.delayed[0].due.After(end) {
		time.Sleep(time.Until(s.delayed[0].due))
		s.due()
		synctest.Wait()
	}
	time.Sleep(time.Until(end))
}

// pick draws an outstanding task, and skips the action if there is none.
func (s *system) pick(t *rapid.T, fits func(*modelTask) bool) *modelTask {
	var names []string
	for name, x := range s.tasks {
		if fits(x) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Skip("no task to pick")
	}
	slices.Sort(names)
	return s.tasks[rapid.SampledFrom(names).Draw(t, "task")]
}

// check compares what the manager says with the model.
func (s *system) check(t *rapid.T) {
	synctest.Wait()
	got, want := map[string]string{}, map[string]string{}
	running := map[string]bool{}
	for name, status := range s.m.TaskStatus() {
		got[name] = fmt.Sprintf("%v, %d restarts", status.Status, status.Restarts)
	}
	for name, x := range s.tasks {
		want[name] = fmt.Sprintf("%v, %d restarts", x.phase, x.failures)
		if x.phase == taskmanager.Running && !x.inline {
			running[name] = true
		}
		s.checkSubmit(t, x)
		if x.handle != nil && (isClosed(x.handle.Done()) || isClosed(x.handle.Started()) != x.started) {
			t.Fatalf("task %q: done %v, started %v; want false, %v", name,
				isClosed(x.handle.Done()), isClosed(x.handle.Started()), x.started)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("TaskStatus (-want +got):\n%s", diff)
	}
	s.checkWorkers(t, running)
	s.checkConservation(t)
	for _, x := range s.ended {
		if x.handle == nil {
			continue // a submit that Stop refused
		}
		if err := x.handle.Err(); !isClosed(x.handle.Done()) || !isClosed(x.handle.Started()) || !errors.Is(err, x.end) {
			t.Fatalf("task %q ended with %v, want %v", x.name, err, x.end)
		}
	}
}

func (s *system) checkWorkers(t *rapid.T, running map[string]bool) {
	workers := s.m.Status()
	if n := len(workers); n < s.min || n < len(running) || n > s.max {
		t.Fatalf("%d workers for %d running tasks, with bounds %d and %d", n, len(running), s.min, s.max)
	}
	got := map[string]bool{}
	for _, w := range workers {
		if w.Status == taskmanager.Running {
			got[w.TaskName] = true
		} else if diff := cmp.Diff(taskmanager.WorkerInfo{TaskName: "idle", Status: taskmanager.Waiting}, w); diff != "" {
			t.Fatalf("a worker without a task (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(running, got); diff != "" {
		t.Fatalf("tasks that workers run (-want +got):\n%s", diff)
	}
}

// tally is what has become of the tasks that were admitted.
type tally struct{ Done, Failed, Dropped, Shed, Cancelled, Stopped, Queued, Running, Restarting int }

func (c tally) sum() int {
	return c.Done + c.Failed + c.Dropped + c.Shed + c.Cancelled + c.Stopped + c.Queued + c.Running + c.Restarting
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
	case errors.Is(err, taskmanager.ErrCancelled):
		c.Cancelled++
	case errors.Is(err, taskmanager.ErrStopped):
		c.Stopped++
	default:
		c.Failed++
	}
}

// outstanding counts a task that has not ended.
func (c *tally) outstanding(status taskmanager.WorkerStatus) {
	switch status {
	case taskmanager.Running:
		c.Running++
	case taskmanager.Restarted:
		c.Restarting++
	default:
		c.Queued++
	}
}

// checkConservation: each task that was admitted is in exactly one place, both by
// the handles and the status, and by the counts of the pool.
func (s *system) checkConservation(t *rapid.T) {
	var got, want tally
	admitted := 0
	for _, x := range s.ended {
		want.ended(x.end)
		admitted++
		if x.handle != nil {
			got.ended(x.handle.Err())
		} else {
			got.ended(x.err)
		}
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
	pool, inline := s.m.Snapshot(), 0
	for _, x := range s.tasks {
		if x.inline {
			inline++
		}
	}
	if pool.Busy != s.running() || pool.Inline != inline || pool.Queued != s.queued() || pool.Blocked != len(s.blocked) {
		t.Fatalf("the pool has %d busy, %d inline, %d queued and %d blocked; want %d, %d, %d and %d",
			pool.Busy, pool.Inline, pool.Queued, pool.Blocked, s.running(), inline, s.queued(), len(s.blocked))
	}
	out := pool.Completed + pool.Failed + pool.Withdrawn + pool.Shed + pool.Dropped + uint64(pool.Busy+pool.Inline+pool.Queued)
	if pool.Submitted != out {
		t.Fatalf("the pool has taken %d executions and accounts for %d: %+v", pool.Submitted, out, pool)
	}
	if want.Stopped == 0 && (pool.Dropped != uint64(want.Dropped) || pool.Shed != uint64(want.Shed)) {
		t.Fatalf("the pool has dropped %d and shed %d, want %d and %d", pool.Dropped, pool.Shed, want.Dropped, want.Shed)
	}
}

// stop ends the manager; every task that is outstanding must say so.
func (s *system) stop(t *rapid.T) {
	stop(t, s.m)
	synctest.Wait()
	for _, x := range s.tasks {
		// One that waited for room may have got it from a task that Stop cancelled.
		if slices.Contains(s.blocked, x) && x.err != nil && !errors.Is(x.err, taskmanager.ErrStopped) {
			t.Fatalf("the submit of %q returned %v after Stop, want ErrStopped", x.name, x.err)
		}
		x.end = taskmanager.ErrStopped
		s.ended = append(s.ended, x)
	}
	s.tasks, s.blocked, s.min = nil, nil, 0
	s.queue, s.withdrawn = disciplines["FIFO"].model(), 0
	s.check(t)
	if _, err := s.m.GoFunc("late", untilCancelled); !errors.Is(err, taskmanager.ErrStopped) {
		t.Fatalf("GoFunc after Stop returned %v, want ErrStopped", err)
	}
}
