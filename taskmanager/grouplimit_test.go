package taskmanager_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestSetLimit changes the limit of a group while submits wait, and checks when each task begins.
func TestSetLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 20))
		g := m.Group(t.Context(), taskmanager.WithGroupLimit(1))
		began := time.Now()
		beginnings := make(chan string, 20)
		go func() {
			for i := range 10 {
				check.Is(t, "Go", g.Go(fmt.Sprint(i), func(context.Context) error {
					beginnings <- fmt.Sprint(i, " after ", time.Since(began))
					time.Sleep(time.Minute)
					return nil
				}), nil)
			}
		}()
		set := func(n int) { check.Is(t, "SetLimit", g.SetLimit(n), nil) }
		time.Sleep(10 * time.Second)
		set(3) // 1 and 2 begin
		time.Sleep(10 * time.Second)
		set(1)                       // 0 ends after 60 s, 1 and 2 after 70 s; 3 begins
		time.Sleep(80 * time.Second) // 100 s
		set(2)                       // 4 begins, which lasts until 160 s; 5 begins at 130 s, when 3 ends
		time.Sleep(35 * time.Second) // 135 s
		set(0)                       // the others
		synctest.Wait()
		close(beginnings)
		var got []string
		for b := range beginnings {
			got = append(got, b)
		}
		slices.Sort(got) // some begin at the same time
		check.Equal(t, "the beginnings", got, []string{
			"0 after 0s", "1 after 10s", "2 after 10s", "3 after 1m10s", "4 after 1m40s", "5 after 2m10s",
			"6 after 2m15s", "7 after 2m15s", "8 after 2m15s", "9 after 2m15s",
		})
		check.Is(t, "Wait", g.Wait(t.Context()), nil)
		check.Equal(t, "SetLimit(-1)", fmt.Sprint(g.SetLimit(-1)), "taskmanager: SetLimit: the limit is -1; it must be positive, or 0 for none")
	})
}

// TestLowerLimitIsADeadlock lowers the limit of a group before and while a task waits for room. The
// task keeps one of two members from ending. With a limit of 2 the end of the other one makes room,
// and with a limit of 1 nothing does.
func TestLowerLimitIsADeadlock(t *testing.T) {
	for _, test := range []struct {
		before, during int
		want           error
	}{
		{2, 2, nil},
		{1, 1, taskmanager.ErrWouldDeadlock},
		{2, 1, taskmanager.ErrWouldDeadlock},
		{3, 3, nil},
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			g := m.Group(t.Context(), taskmanager.WithCollect())
			other := m.Group(t.Context())
			end := make(chan struct{})
			check.Is(t, "Go", g.Go("free", func(context.Context) error { <-end; return nil }), nil)
			var got error
			next := make(chan struct{})
			root := submitFunc(t, m, "root", func(ctx context.Context) error {
				self, _ := taskmanager.FromContext(ctx)
				check.Is(t, "Go", g.Go("waits", self.Wait), nil)
				<-next
				check.Is(t, "SetLimit", g.SetLimit(test.before), nil)
				got = g.Go("new", fn0)
				return nil
			})
			synctest.Wait()
			close(next)
			synctest.Wait()
			bystander := submitFunc(t, m, "bystander", func(context.Context) error { return other.Go("another group", fn0) })
			check.Is(t, "the bystander", wait(t, bystander), nil)
			check.Is(t, "SetLimit", g.SetLimit(test.during), nil)
			synctest.Wait()
			if test.want != nil {
				check.Equal(t, "the task has gone on", isClosed(root.Done()), true)
			}
			close(end)
			await(t, root)
			check.Is(t, "the submit", got, test.want)
			_ = g.Wait(t.Context())
			check.Equal(t, "waits that are left", taskmanager.WaitsLeft(m), 0)
		})
	}
}

// TestLowerLimitRefusesOnlyWhatIsStuck lets two tasks wait for room. One of them keeps a member from
// ending, and is refused when the limit falls. The other one gets room later.
func TestLowerLimitRefusesOnlyWhatIsStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(6, 6))
		g := m.Group(t.Context(), taskmanager.WithCollect(), taskmanager.WithGroupLimit(2))
		end := make(chan struct{})
		check.Is(t, "Go", g.Go("free", func(context.Context) error { <-end; return nil }), nil)
		var mu sync.Mutex
		results := make(map[string]error)
		enter := func(name string) func(context.Context) error {
			return func(context.Context) error {
				err := g.Go("of "+name, fn0)
				mu.Lock()
				defer mu.Unlock()
				results[name] = err
				return nil
			}
		}
		next := make(chan struct{})
		stuck := submitFunc(t, m, "stuck", func(ctx context.Context) error {
			self, _ := taskmanager.FromContext(ctx)
			check.Is(t, "Go", g.Go("waits", self.Wait), nil)
			<-next
			return enter("stuck")(ctx)
		})
		synctest.Wait()
		close(next)
		synctest.Wait()
		innocent := submitFunc(t, m, "innocent", enter("innocent"))
		synctest.Wait()
		check.Is(t, "SetLimit", g.SetLimit(1), nil)
		await(t, stuck)
		synctest.Wait()
		check.Equal(t, "the other one waits", isClosed(innocent.Done()), false)
		close(end)
		await(t, innocent)
		check.Is(t, "the submit of the task that is stuck", results["stuck"], taskmanager.ErrWouldDeadlock)
		check.Is(t, "the submit of the other task", results["innocent"], nil)
	})
}

// TestGroupKeepsNoContextOfGoContext keeps a group and its manager.
func TestGroupKeepsNoContextOfGoContext(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
	s := scales{}
	groups := []*taskmanager.Group{m.Group(t.Context(), taskmanager.WithGroupLimit(1)), m.Group(t.Context())}
	for i, g := range groups {
		for round := range 3 {
			check.Is(t, "GoContext", g.GoContext(s.context(t.Context()), fmt.Sprint(i, round), s.function(fn0)), nil)
			ctx, cancel := context.WithTimeout(s.context(t.Context()), time.Microsecond)
			_ = g.GoContext(ctx, "other", fn0) // with or without room
			cancel()
		}
		check.Is(t, "Wait", g.Wait(t.Context()), nil)
	}
	s.check(t)
	for _, g := range groups {
		check.Is(t, "Wait", g.Wait(t.Context()), nil)
	}
}
