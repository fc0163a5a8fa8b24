package taskmanager_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// askedContext counts how often its Done method is called: once for each wait, and for each task.
type askedContext struct {
	context.Context
	asked *atomic.Int64
}

func (c askedContext) Done() <-chan struct{} {
	c.asked.Add(1)
	return c.Context.Done()
}

// TestEachEndWakesAllSubmitsThatWaitForRoom: n submits wait for room in a group, on goroutines or
// in tasks. Each waits once, however many there are.
func TestEachEndWakesAllSubmitsThatWaitForRoom(t *testing.T) {
	for _, inTasks := range []bool{false, true} {
		t.Run(fmt.Sprintf("tasks=%t", inTasks), func(t *testing.T) {
			cost := func(n int) (asked int64) {
				bubble(t, func(t *testing.T) {
					m := start(t, taskmanager.WithWorkers(1, n+1))
					ctx := askedContext{t.Context(), new(atomic.Int64)}
					g := m.Group(ctx, taskmanager.WithGroupLimit(1))
					release := make(chan struct{})
					member := func(context.Context) error { synctest.Wait(); return nil } // what was woken waits again
					var submits sync.WaitGroup
					check.Is(t, "Go", g.Go("first", func(context.Context) error { <-release; return nil }), nil)
					for i := range n {
						enter := func(context.Context) error { return g.Go(fmt.Sprint("member ", i), member) }
						if inTasks {
							submitFunc(t, m, fmt.Sprint("submitter ", i), enter)
						} else {
							submits.Go(func() { check.Is(t, "Go", enter(ctx), nil) })
						}
					}
					synctest.Wait()
					close(release)
					submits.Wait()
					check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
					asked = ctx.asked.Load()
					want := uint64(1 + n)
					if inTasks {
						want += uint64(n)
					}
					check.Equal(t, "tasks that succeeded", m.Counts().Succeeded, want)
				})
				return asked
			}
			small, large := cost(100), cost(800)
			t.Logf("%d waits for 100 submits, %d for 800", small, large)
			if large > 10*small {
				t.Errorf("100 submits take %d waits and 800 take %d, want about eight times as many", small, large)
			}
		})
	}
}

// waitInLine starts a submit to a full group and returns when it waits. The error comes later.
func waitInLine(g *taskmanager.Group, name string, do func(context.Context) error) (result chan error) {
	result = make(chan error, 1)
	go func() { result <- g.Go(name, do) }()
	synctest.Wait()
	return result
}

// TestFailureLetsASubmitThatWaitsForRoomIn: when a member fails, its place goes to nobody, and all
// submits that wait for it are refused.
func TestFailureLetsASubmitThatWaitsForRoomIn(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			g := m.Group(t.Context(), taskmanager.WithGroupLimit(1))
			fails := make(chan struct{})
			check.Is(t, "Go", g.Go("fails", func(context.Context) error { <-fails; return errFailed }), nil)
			var results []chan error
			for i := range 3 {
				results = append(results, waitInLine(g, fmt.Sprint(i), fn0))
			}
			close(fails)
			for _, result := range results {
				check.Is(t, "a submit that waited for room", <-result, taskmanager.ErrGroupFailed)
			}
			check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
			synctest.Wait()
			check.Equal(t, "accepted tasks", m.Counts().Accepted, 1)
		})
	}
}

// hookedContext is a context whose Done method calls a function first.
type hookedContext struct {
	context.Context
	hook *func()
}

func (c hookedContext) Done() <-chan struct{} {
	(*c.hook)()
	return c.Context.Done()
}

// TestPlaceOfASubmitThatGivesUpIsLost: the context of the group ends when a submit has just got the
// place for which it waited. The submit sees one of the two, at random. In both cases the group
// ends.
func TestPlaceOfASubmitThatGivesUpIsLost(t *testing.T) {
	seen := map[bool]bool{}
	for range 50 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			ctx, cancel := context.WithCancelCause(t.Context())
			hook := func() {}
			g := m.Group(hookedContext{ctx, &hook}, taskmanager.WithGroupLimit(1), taskmanager.WithCollect())
			end := make(chan struct{})
			check.Is(t, "Go", g.Go("first", func(context.Context) error { <-end; return nil }), nil)
			first, _ := m.Lookup("first")
			hook = func() { // before the submit waits
				hook = func() {}
				close(end)
				await(t, first)
				synctest.Wait()
				cancel(errFailed)
			}
			err := g.Go("second", untilCancelled)
			seen[err == nil] = true
			check.Is(t, "Wait", g.Wait(t.Context()), errFailed)
			if err != nil {
				check.Is(t, "the submit that gave up", err, errFailed)
			}
		})
	}
	check.Equal(t, "the submit has got the place and has given up", seen, map[bool]bool{true: true, false: true})
}

// TestRefusedSubmitStaysInTheLine: the wait for room of a task is refused. The place that becomes
// free then goes to the next submit.
func TestRefusedSubmitStaysInTheLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(4, 4))
		g := m.Group(t.Context(), taskmanager.WithGroupLimit(1), taskmanager.WithCollect())
		root := submitFunc(t, m, "root", func(ctx context.Context) error {
			self, _ := taskmanager.FromContext(ctx)
			check.Is(t, "Go", g.Go("member", self.Wait), nil)
			synctest.Wait()
			check.Is(t, "a submit to a group whose member waits for it", g.Go("refused", fn0), taskmanager.ErrWouldDeadlock)
			return nil
		})
		await(t, root)
		check.Is(t, "Go", g.Go("next", fn0), nil)
		check.Is(t, "Wait", g.Wait(t.Context()), taskmanager.ErrWouldDeadlock)
	})
}

// TestTaskThatIsNotSubmittedYetIsHeldBack: a submit of a task has got room in a group, and the task
// waits for its slot before it goes on. The limit of a key, which would hold the new task back, makes
// no other wait a deadlock meanwhile: the submit may still fail. When it goes on, it is the one
// that is refused.
func TestTaskThatIsNotSubmittedYetIsHeldBack(t *testing.T) {
	for _, name := range []string{"taken", "new"} {
		bubble(t, func(t *testing.T) {
			small := start(t, taskmanager.WithWorkers(1, 1))
			m := start(t, taskmanager.WithWorkers(5, 5), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO())))
			end, free, next := make(chan struct{}), make(chan struct{}), make(chan struct{})
			submitFunc(t, m, "taken", untilCancelled)
			var g *taskmanager.Group
			var got, waited error
			first := submitFunc(t, small, "first", func(ctx context.Context) error {
				g = m.Group(ctx, taskmanager.WithGroupLimit(1), taskmanager.WithCollect())
				check.Is(t, "Go", g.Go("member", func(context.Context) error { <-end; return nil }), nil)
				got = g.Go(name, fn0, taskmanager.WithKey("key"))
				return nil
			})
			synctest.Wait()
			second := submitFunc(t, m, "second", func(context.Context) error { return g.Go("last", fn0) })
			holder := submitFunc(t, m, "holder", func(ctx context.Context) error {
				<-next
				waited = second.Wait(ctx)
				return nil
			}, taskmanager.WithKey("key"))
			busy := submitFunc(t, small, "busy", func(context.Context) error { <-free; return nil })
			synctest.Wait() // busy has the slot
			close(end)
			synctest.Wait() // first has the place
			close(next)
			synctest.Wait()
			close(free)
			for _, h := range []*taskmanager.Handle{busy, first, second, holder} {
				check.Is(t, h.Name(), wait(t, h), nil)
			}
			check.Is(t, "the wait of the task that holds the key", waited, nil)
			want := map[string]error{"taken": taskmanager.ErrAlreadyExists, "new": taskmanager.ErrWouldDeadlock}[name]
			check.Is(t, "the submit that got room", got, want)
		})
	}
}
