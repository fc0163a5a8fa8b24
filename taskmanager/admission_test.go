package taskmanager_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// byPriority is a discipline of a user with only the methods of queue.Queue.
type byPriority struct{ items []*taskmanager.Handle }

func newByPriority() queue.Queue[*taskmanager.Handle] { return new(byPriority) }

func (q *byPriority) Push(h *taskmanager.Handle) { q.items = append(q.items, h) }
func (q *byPriority) Len() int                   { return len(q.items) }

func (q *byPriority) Pop() (*taskmanager.Handle, bool) {
	if len(q.items) == 0 {
		return nil, false
	}
	first := slices.MaxFunc(q.items, func(a, b *taskmanager.Handle) int { return cmp.Compare(a.Priority(), b.Priority()) })
	q.items = slices.DeleteFunc(q.items, func(h *taskmanager.Handle) bool { return h == first })
	return first, true
}

// submitters makes submits, each on a goroutine of its own. Their tasks take 10 ms each
// and record the order in which they run.
type submitters struct {
	m       *taskmanager.TaskManager
	mu      sync.Mutex
	order   []string
	submits sync.WaitGroup
	errs    map[string]error
}

func newSubmitters(t *testing.T, opts ...taskmanager.Option) *submitters {
	t.Helper()
	return &submitters{m: start(t, append([]taskmanager.Option{taskmanager.WithWorkers(1, 1)}, opts...)...), errs: map[string]error{}}
}

func (c *submitters) execute(ctx context.Context) error {
	h, _ := taskmanager.FromContext(ctx)
	c.mu.Lock()
	c.order = append(c.order, h.Name())
	c.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	return nil
}

// submit starts a submit and waits until it has returned or waits for room.
func (c *submitters) submit(ctx context.Context, name string, opts ...taskmanager.TaskOption) {
	c.submits.Go(func() {
		_, err := c.m.SubmitFunc(ctx, name, c.execute, opts...)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.errs[name] = err
	})
	synctest.Wait()
}

// failed returns the number of submits that have returned the error.
func (c *submitters) failed(err error) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, got := range c.errs {
		if errors.Is(got, err) {
			n++
		}
	}
	return n
}

// TestBlockedSubmitsRunInTheOrderOfTheDiscipline checks that the tasks of submits that wait
// for room run in the same order as in a manager without a limit.
func TestBlockedSubmitsRunInTheOrderOfTheDiscipline(t *testing.T) {
	for name, discipline := range map[string]taskmanager.Discipline{
		"FIFO":       taskmanager.FIFO(),
		"LIFO":       taskmanager.LIFO(),
		"Priority":   taskmanager.Priority(0),
		"Deadline":   taskmanager.Deadline(time.Hour),
		"Fair":       taskmanager.Fair(nil),
		"LimitByKey": taskmanager.LimitByKey(1, taskmanager.Priority(0)),
		"Custom":     taskmanager.Custom(newByPriority),
	} {
		t.Run(name, func(t *testing.T) {
			var orders [][]string
			for _, opts := range [][]taskmanager.Option{nil, {taskmanager.WithLimit(0, taskmanager.Block)}, {taskmanager.WithLimit(5, taskmanager.Block)}} {
				bubble(t, func(t *testing.T) {
					c := newSubmitters(t, append(opts, taskmanager.WithQueue(discipline))...)
					for i := range 60 {
						c.submit(t.Context(), fmt.Sprint(i),
							taskmanager.WithPriority(i*7%5),
							taskmanager.WithKey([]string{"flood", "flood", "flood", "other", "third"}[i%5]),
							taskmanager.WithDeadline(time.Now().Add(time.Hour+time.Duration(i*11%60)*time.Minute)))
					}
					c.submits.Wait()
					check.Is(t, "WaitIdle", c.m.WaitIdle(t.Context()), nil)
					check.Equal(t, "submits without an error", c.failed(nil), 60)
					orders = append(orders, c.order)
				})
			}
			check.Equal(t, "order with a limit of 0", orders[1], orders[0])
			check.Equal(t, "order with a limit of 5", orders[2], orders[0])
		})
	}
}

// TestAHighPriorityDoesNotWaitBehindBlockedSubmits has 200 submits that wait for room. A task
// of a higher priority starts next.
func TestAHighPriorityDoesNotWaitBehindBlockedSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newSubmitters(t, taskmanager.WithQueue(taskmanager.Priority(0)), taskmanager.WithLimit(10, taskmanager.Block))
		for i := range 200 {
			c.submit(t.Context(), fmt.Sprint(i))
		}
		begin := time.Now()
		h := submitFunc(t, c.m, "urgent", c.execute, taskmanager.WithPriority(100))
		check.Is(t, "its end", wait(t, h), nil)
		check.Equal(t, "time from its submit to its end", time.Since(begin), 20*time.Millisecond)
	})
}

// TestAFloodOfBlockedSubmitsDoesNotDelayOtherKeys floods a manager under Fair with the tasks
// of one key. The task of another key starts next but one at the latest.
func TestAFloodOfBlockedSubmitsDoesNotDelayOtherKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newSubmitters(t, taskmanager.WithQueue(taskmanager.Fair(nil)), taskmanager.WithLimit(10, taskmanager.Block))
		for i := range 200 {
			c.submit(t.Context(), fmt.Sprint(i), taskmanager.WithKey("flood"))
		}
		begin := time.Now()
		h := submitFunc(t, c.m, "other", c.execute, taskmanager.WithKey("other"))
		check.Is(t, "its end", wait(t, h), nil)
		if d := time.Since(begin); d > 30*time.Millisecond {
			t.Errorf("the task of another key ended after %v; want at most 30 ms", d)
		}
	})
}

// TestAFreeKeyDoesNotWaitForRoom fills a queue under LimitByKey with tasks of a key whose only
// running task waits for a task of another key. That task needs no room, and runs.
func TestAFreeKeyDoesNotWaitForRoom(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(0, 2), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())),
				taskmanager.WithLimit(limit, taskmanager.Block))
			full := make(chan struct{})
			root := submitFunc(t, m, "root", func(ctx context.Context) error {
				<-full
				late, _ := m.Lookup("late")
				return late.Wait(ctx)
			}, taskmanager.WithKey("key"))
			synctest.Wait()
			for i := range 4 {
				go func() { _, _ = m.SubmitFunc(context.Background(), fmt.Sprint(i), fn0, taskmanager.WithKey("key")) }()
				synctest.Wait()
			}
			go func() {
				_, _ = m.SubmitFunc(context.Background(), "late", untilCancelled, taskmanager.WithKey("other"))
			}()
			synctest.Wait()
			check.Equal(t, "the task with a free key", m.TaskStatus()["late"].Status, taskmanager.Running)
			close(full)
			synctest.Wait()
			m.Cancel("late")
			check.Is(t, "the task that waits for it", wait(t, root), taskmanager.ErrCancelled)
		})
	}
}

// TestCancelledSubmitsLeaveTheQueue ends 8,000 submits that wait for room, in each of the ways
// in which a wait may end. None of their tasks runs, and each reports its reason.
func TestCancelledSubmitsLeaveTheQueue(t *testing.T) {
	const n = 2000
	bubble(t, func(t *testing.T) {
		log := new(recorder)
		c := newSubmitters(t, taskmanager.WithQueue(taskmanager.Priority(0)), taskmanager.WithLimit(1, taskmanager.Block), taskmanager.WithLogger(log))
		end := make(chan struct{})
		submitFunc(t, c.m, "busy", func(context.Context) error { <-end; return nil })
		c.submit(t.Context(), "first")
		ctx, cancel := context.WithCancelCause(t.Context())
		for i := range n {
			c.submit(ctx, fmt.Sprint("context ", i), taskmanager.WithPriority(1))
			c.submit(t.Context(), fmt.Sprint("cancelled ", i), taskmanager.WithPriority(1))
			c.submit(t.Context(), fmt.Sprint("late ", i), taskmanager.WithPriority(1), taskmanager.WithQueueTimeout(time.Minute))
			c.submit(t.Context(), fmt.Sprint("deadline ", i), taskmanager.WithPriority(1), taskmanager.WithDeadline(time.Now().Add(time.Hour)))
		}
		check.Equal(t, "submits that wait for room", c.m.Snapshot().Blocked, 4*n)
		cancel(errFailed)
		for i := range n {
			c.m.Cancel(fmt.Sprint("cancelled ", i))
		}
		time.Sleep(2 * time.Hour)
		c.submits.Wait()
		for _, reason := range []error{errFailed, taskmanager.ErrCancelled, taskmanager.ErrQueueTimeout, taskmanager.ErrDeadlineExceeded} {
			check.Equal(t, fmt.Sprintf("submits that returned %v", reason), c.failed(reason), n)
		}
		s := c.m.Snapshot()
		check.Equal(t, "queued, blocked, submitted, dropped",
			[]uint64{uint64(s.Queued), uint64(s.Blocked), s.Submitted, s.Dropped}, []uint64{1, 0, 2, 0})
		close(end)
		check.Is(t, "WaitIdle", c.m.WaitIdle(t.Context()), nil)
		check.Equal(t, "tasks that ran", c.order, []string{"first"})
		check.Equal(t, "log", log.String(), "")
	})
}

// TestDrainRunsBlockedSubmitsInOrder checks that submits that wait for room when Drain is
// called still get it, and that their tasks run in the order of the discipline.
func TestDrainRunsBlockedSubmitsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newSubmitters(t, taskmanager.WithQueue(taskmanager.Priority(0)), taskmanager.WithLimit(1, taskmanager.Block))
		for i, level := range []int{0, 0, 1, 0, 3, 2} {
			c.submit(t.Context(), fmt.Sprint(i), taskmanager.WithPriority(level))
		}
		check.Is(t, "Drain", c.m.Drain(t.Context()), nil)
		c.submits.Wait()
		check.Equal(t, "submits without an error", c.failed(nil), 6)
		check.Equal(t, "order", c.order, []string{"0", "4", "5", "2", "1", "3"})
	})
}

// TestStopRefusesBlockedSubmits checks that Stop ends the submits that wait for room, and that
// their tasks end once, as tasks that were refused.
func TestStopRefusesBlockedSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newSubmitters(t, taskmanager.WithQueue(taskmanager.LIFO()), taskmanager.WithLimit(1, taskmanager.Block), taskmanager.WithHistory(100))
		for i := range 10 {
			c.submit(t.Context(), fmt.Sprint(i))
		}
		check.Is(t, "Stop", c.m.Stop(t.Context()), nil)
		c.submits.Wait()
		refused := c.failed(taskmanager.ErrStopped)
		if refused < 7 { // one may get the room of the queued task, which Stop cancels
			t.Errorf("%d of 8 submits that waited for room were refused", refused)
		}
		check.Equal(t, "tasks that ran", c.order, []string{"0"})
		s := c.m.Snapshot()
		check.Equal(t, "queued, blocked, submitted", []int{s.Queued, s.Blocked, int(s.Submitted)}, []int{0, 0, 10 - refused})
		check.Equal(t, "tasks in the history", len(c.m.History()), 10-refused)
	})
}
