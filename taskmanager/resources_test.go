package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func memory(n int64) taskmanager.TaskOption { return taskmanager.WithResource("memory", n) }

// withMemory is a discipline with an amount of memory, and one licence.
func withMemory(n int64, inner taskmanager.Discipline) taskmanager.Option {
	return taskmanager.WithQueue(taskmanager.Resources(map[string]int64{"memory": n, "licence": 1}, inner))
}

// starts notes when tasks start.
type starts struct {
	begin time.Time
	at    map[string]time.Duration
}

func newStarts() *starts { return &starts{time.Now(), map[string]time.Duration{}} }

// lasting returns a function that notes when it starts and takes a time. It must run in a bubble
// whose goroutines do not start at the same moment.
func (s *starts) lasting(name string, d time.Duration, mu chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		mu <- struct{}{}
		s.at[name] = time.Since(s.begin)
		<-mu
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TestLargeTaskStartsWithinItsBound floods a manager with small tasks. A task that needs most of the
// memory starts when those have ended that were before it.
func TestLargeTaskStartsWithinItsBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 20), withMemory(8, taskmanager.FIFO()))
		s, mu := newStarts(), make(chan struct{}, 1)
		for i := range 8 {
			submitFunc(t, m, fmt.Sprint("before/", i), s.lasting("before", time.Duration(i+1)*10*time.Millisecond, mu), memory(1))
		}
		time.Sleep(5 * time.Millisecond)
		large := submitFunc(t, m, "large", s.lasting("large", 100*time.Millisecond, mu), memory(6))
		for i := range 100 {
			submitFunc(t, m, fmt.Sprint("after/", i), s.lasting("after", 10*time.Millisecond, mu), memory(1))
		}
		submitFunc(t, m, "none", s.lasting("none", time.Millisecond, mu))
		submitFunc(t, m, "licence", s.lasting("licence", time.Millisecond, mu), taskmanager.WithResource("licence", 1))
		await(t, large)
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "starts", [3]time.Duration{s.at["large"], s.at["none"], s.at["licence"]},
			[3]time.Duration{60 * time.Millisecond, 5 * time.Millisecond, 5 * time.Millisecond})
	})
}

// TestResourceFaults checks the errors for bad arguments.
func TestResourceFaults(t *testing.T) {
	plain := start(t)
	m := start(t, withMemory(8, taskmanager.FIFO()))
	for name, test := range map[string]struct {
		m    *taskmanager.TaskManager
		opt  taskmanager.TaskOption
		want string
	}{
		"no resources": {plain, memory(1), `the manager has no resources; use the discipline Resources`},
		"unknown":      {m, taskmanager.WithResource("disk", 1), `there is no resource "disk"; the discipline has ["licence" "memory"]`},
		"too much":     {m, memory(9), `needs 9 of "memory"; the capacity is 8`},
		"negative":     {m, memory(-1), `the amount of "memory" is -1`},
	} {
		_, err := test.m.SubmitFunc(t.Context(), "a", fn0, test.opt)
		if err == nil || !strings.HasPrefix(err.Error(), "taskmanager: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the submit returned %v; want an error that contains %q", name, err, test.want)
		}
	}
	check.Is(t, "the last amount", wait(t, submitFunc(t, m, "a", fn0, memory(9), memory(8))), nil)
	check.Is(t, "none", wait(t, submitFunc(t, m, "a", fn0, taskmanager.WithResource("disk", 0))), nil)
	for want, d := range map[string]taskmanager.Discipline{
		"the capacity of \"memory\" is 0": taskmanager.Resources(map[string]int64{"memory": 0}, taskmanager.FIFO()),
		"there are 0 resources":           taskmanager.Resources(nil, taskmanager.FIFO()),
		"use one Resources for all":       taskmanager.Resources(map[string]int64{"a": 1}, taskmanager.Resources(map[string]int64{"b": 1}, taskmanager.FIFO())),
		"the discipline has no queue":     taskmanager.Resources(map[string]int64{"a": 1}, taskmanager.Discipline{}),
		"LimitBy: the limit is 0":         taskmanager.LimitBy(0, (*taskmanager.Handle).Kind, taskmanager.FIFO()),
		"LimitBy: the function is nil":    taskmanager.LimitBy(1, nil, taskmanager.FIFO()),
		"there are more than 3":           limitByDeep(4),
	} {
		if _, err := taskmanager.Start(taskmanager.WithQueue(d)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start returned %v; want an error that contains %q", err, want)
		}
	}
	check.Is(t, "three LimitBy and a LimitByKey", func() error {
		m, err := taskmanager.Start(taskmanager.WithQueue(taskmanager.LimitByKey(1, limitByDeep(3))))
		if err != nil {
			return err
		}
		return m.Stop(t.Context())
	}(), nil)
}

func limitByDeep(n int) taskmanager.Discipline {
	d := taskmanager.FIFO()
	for range n {
		d = taskmanager.LimitBy(1, (*taskmanager.Handle).Kind, d)
	}
	return d
}

// TestResourcesAreGivenBackBetweenRuns: a task that waits to restart uses nothing.
func TestResourcesAreGivenBackBetweenRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2), withMemory(8, taskmanager.FIFO()),
			taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(time.Hour))))
		begin := time.Now()
		failing := submitFunc(t, m, "failing", func(context.Context) error { return errFailed }, memory(8),
			taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(time.Hour))))
		synctest.Wait()
		check.Is(t, "the other task", wait(t, submitFunc(t, m, "other", fn0, memory(8))), nil)
		check.Equal(t, "the other one has waited", time.Since(begin), 0)
		blocker := submitFunc(t, m, "blocker", func(context.Context) error { time.Sleep(2 * time.Hour); return nil }, memory(1))
		<-failing.Done()
		check.Equal(t, "the second run, with what it needs, ended after", time.Since(begin), 2*time.Hour)
		<-blocker.Done()
	})
}

// TestHeldTasksOfResources: held tasks do not make the pool grow, can be cancelled, count for the
// limit of the queue, and end with Stop.
func TestHeldTasksOfResources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 10), withMemory(8, taskmanager.FIFO()), taskmanager.WithLimit(3, taskmanager.Reject))
		busy := submitFunc(t, m, "busy", untilCancelled, memory(8))
		synctest.Wait()
		var held []*taskmanager.Handle
		for i := range 3 {
			held = append(held, submitFunc(t, m, fmt.Sprint(i), untilCancelled, memory(4)))
		}
		_, err := m.SubmitFunc(t.Context(), "more", fn0, memory(1))
		check.Is(t, "a submit beyond the limit", err, taskmanager.ErrQueueFull)
		synctest.Wait()
		check.Equal(t, "workers", m.Snapshot().Workers, 1)
		held[0].Cancel()
		check.Is(t, "the cancelled task", wait(t, held[0]), taskmanager.ErrCancelled)
		busy.Cancel()
		synctest.Wait()
		check.Equal(t, "the others have started", isClosed(held[1].Started()) && isClosed(held[2].Started()), true)
		stop(t, m)
		check.Is(t, "the last task", held[2].Err(), taskmanager.ErrStopped)
	})
}

// TestManyTasksStartWhenALargeOneEnds: the pool grows at once, although no submit asks for it.
func TestManyTasksStartWhenALargeOneEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 20), withMemory(8, taskmanager.FIFO()))
		large := submitFunc(t, m, "large", func(context.Context) error { time.Sleep(time.Second); return nil }, memory(8))
		for i := range 10 {
			submitFunc(t, m, fmt.Sprint(i), func(context.Context) error { time.Sleep(time.Second); return nil }, memory(1))
		}
		<-large.Done()
		synctest.Wait()
		check.Equal(t, "tasks that run", m.Snapshot().Busy, 8)
		begin := time.Now()
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "the rest took", time.Since(begin), 2*time.Second)
	})
}

// TestResourcesAndOverflow: submits that wait for room, and policies that drop.
func TestResourcesAndOverflow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(4, 4), withMemory(8, taskmanager.FIFO()), taskmanager.WithLimit(1, taskmanager.Block))
		busy := submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(time.Second); return nil }, memory(8))
		synctest.Wait()
		submitFunc(t, m, "held", fn0, memory(8))
		begin, waited := time.Now(), make(chan error, 1)
		go func() {
			_, err := m.SubmitFunc(context.Background(), "waits for room", fn0, memory(8))
			waited <- err
		}()
		synctest.Wait()
		check.Equal(t, "submits that wait", m.Snapshot().Blocked, 1)
		check.Is(t, "the submit", <-waited, nil)
		check.Equal(t, "it took", time.Since(begin), time.Second)
		<-busy.Done()
		check.Is(t, "Drain", m.Drain(t.Context()), nil)
	})
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(4, 4), withMemory(8, taskmanager.Priority(0)), taskmanager.WithLimit(2, taskmanager.DropWorst))
		submitFunc(t, m, "busy", untilCancelled, memory(8))
		synctest.Wait()
		var held []*taskmanager.Handle
		for i := range 3 {
			held = append(held, submitFunc(t, m, fmt.Sprint(i), fn0, memory(8), taskmanager.WithPriority(5-i)))
		}
		check.Is(t, "the task that ranks last", wait(t, held[2]), taskmanager.ErrDropped)
	})
	for _, o := range []taskmanager.Overflow{taskmanager.DropOldest, taskmanager.CallerRuns} {
		if _, err := taskmanager.Start(withMemory(1, taskmanager.FIFO()), taskmanager.WithLimit(1, o)); err == nil || !strings.Contains(err.Error(), "Resources over FIFO") {
			t.Errorf("Start with %v returned %v, want an error", o, err)
		}
	}
}

// TestWaitsForTasksThatNeedResources: a wait is refused exactly if the task that is awaited cannot get
// what it needs while the waiting tasks keep what they have.
func TestWaitsForTasksThatNeedResources(t *testing.T) {
	for _, test := range []struct {
		parents []int64 // what they use; each waits for a child of its own
		child   int64   // what each child needs
		other   int64   // what a task needs that is queued before the children; 0: none
		refused int     // the number of waits that are refused
	}{
		{[]int64{6}, 2, 0, 0},
		{[]int64{6}, 2, 8, 0}, // the other task, which cannot fit, does not get in the way
		{[]int64{6}, 2, 2, 0},
		{[]int64{6}, 3, 0, 1},
		{[]int64{3, 3}, 2, 0, 0},
		{[]int64{3, 3}, 5, 0, 1}, // the end of one of the two is enough
		{[]int64{2, 2, 2}, 6, 0, 2},
		{[]int64{2, 2, 2}, 4, 7, 1},
		{[]int64{2, 2, 2}, 8, 0, 3},
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 10), withMemory(8, taskmanager.FIFO()))
			ready, goes := make(chan struct{}), make(chan struct{})
			var parents []*taskmanager.Handle
			for i, n := range test.parents {
				parents = append(parents, submitFunc(t, m, fmt.Sprint("parent/", i), func(ctx context.Context) error {
					child, err := m.SubmitFunc(ctx, fmt.Sprint("child/", i), fn0, memory(test.child), taskmanager.WithDelay(time.Second))
					if err != nil {
						return err
					}
					ready <- struct{}{}
					<-goes
					return child.Wait(ctx)
				}, memory(n)))
			}
			for range parents {
				<-ready
			}
			if test.other > 0 {
				submitFunc(t, m, "other", fn0, memory(test.other))
			}
			refused := 0
			for range parents {
				goes <- struct{}{}
				synctest.Wait()
			}
			for _, h := range parents {
				err := wait(t, h)
				if errors.Is(err, taskmanager.ErrWouldDeadlock) {
					refused++
				} else {
					check.Is(t, "a wait", err, nil)
				}
			}
			check.Equal(t, fmt.Sprintf("%+v: refused", test), refused, test.refused)
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			check.Equal(t, "waits left", taskmanager.WaitsLeft(m), 0)
		})
	}
}

// TestTaskThatLendsItsSlotKeepsItsResources also checks that a task continues that cannot fit
// meanwhile.
func TestTaskThatLendsItsSlotKeepsItsResources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(3, 3), withMemory(8, taskmanager.FIFO()))
		s, mu := newStarts(), make(chan struct{}, 1)
		submitFunc(t, m, "lends", func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { time.Sleep(time.Second) })
			return nil
		}, memory(4))
		synctest.Wait()
		submitFunc(t, m, "large", s.lasting("large", time.Millisecond, mu), memory(5))
		submitFunc(t, m, "small", s.lasting("small", time.Millisecond, mu), memory(4))
		check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
		check.Equal(t, "starts", s.at, map[string]time.Duration{"small": 0, "large": time.Second})
	})
}
