package taskmanager_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestLookupFindsOutstandingTasks looks up tasks in each of their states, and names without
// an outstanding task.
func TestLookupFindsOutstandingTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		running := submitFunc(t, m, "running", untilCancelled)
		synctest.Wait()
		queued := submitFunc(t, m, "queued", fn0)
		delayed := submit(t, m, &task{name: "delayed"}, taskmanager.WithDelay(time.Hour))
		for _, h := range []*taskmanager.Handle{delayed, queued, running} {
			name := h.Name()
			if got, ok := m.Lookup(name); got != h || !ok {
				t.Errorf("Lookup(%q) returned %v, %v; want the handle of the submit", name, got, ok)
			}
			if !m.Cancel(name) {
				t.Errorf("Cancel(%q) found nothing", name)
			}
			await(t, h)
			if got, ok := m.Lookup(name); got != nil || ok {
				t.Errorf("Lookup(%q) after the end returned %v, %v; want nil, false", name, got, ok)
			}
			if m.Cancel(name) {
				t.Errorf("Cancel(%q) after the end found one", name)
			}
		}
	})
}

// TestBreakOutOfTasks breaks out of a loop over Tasks, and starts it again.
func TestBreakOutOfTasks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		want := []string{}
		for i := range 300 { // more than the number of shards
			name := fmt.Sprintf("%03d", i)
			want = append(want, name)
			submitFunc(t, m, name, untilCancelled)
		}
		for n := range 300 {
			seen := 0
			for range m.Tasks() {
				if seen++; seen > n {
					break
				}
			}
			check.Equal(t, "tasks before the break", seen, n+1)
		}
		got := []string{}
		for h := range m.Tasks() {
			got = append(got, h.Name())
		}
		slices.Sort(got)
		check.Equal(t, "tasks", got, want)
	})
}

// TestLoopOverTasksMayCallTheManager calls many methods in the loop, where no lock is held.
func TestLoopOverTasksMayCallTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		const n = 300
		for i := range n {
			submitFunc(t, m, fmt.Sprint(i), untilCancelled)
		}
		seen := map[string]int{}
		for h := range m.Tasks() {
			seen[h.Name()]++
			if strings.HasPrefix(h.Name(), "new/") {
				continue
			}
			h.Cancel()
			if err := wait(t, h); err == nil {
				t.Errorf("task %q, which was cancelled, ended well", h.Name())
			}
			submitFunc(t, m, h.Name(), untilCancelled)        // the name is free again
			submitFunc(t, m, "new/"+h.Name(), untilCancelled) // the loop may or may not include it
			_, _ = m.Lookup(h.Name())
			_ = h.Status()
			for range m.Tasks() {
				break
			}
		}
		for i := range n {
			if got := seen[fmt.Sprint(i)]; got != 1 {
				t.Errorf("task %d was seen %d times, want once", i, got)
			}
		}
		for range m.Tasks() {
			stop(t, m)
			break
		}
		for h := range m.Tasks() {
			t.Errorf("after Stop there is %v", h.Status())
		}
	})
}

// TestTasksThatWaitForANameAreListed checks that a loop over Tasks finds all tasks, so that one that
// cancels them leaves none, and finds a task once that gets its name during the loop.
func TestTasksThatWaitForANameAreListed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		held := submitFunc(t, m, "a", untilCancelled)
		synctest.Wait()
		behind := submitFunc(t, m, "a", untilCancelled, taskmanager.WithRerun())
		seen := map[*taskmanager.Handle]int{}
		for h := range m.Tasks() {
			if seen[h]++; len(seen) == 1 {
				held.Cancel()
				synctest.Wait() // the other one takes the name
			}
		}
		check.Equal(t, "times that the one with the name was seen", seen[held] <= 1, true)
		check.Equal(t, "times that the one behind it was seen", seen[behind], 1)
		submitFunc(t, m, "a", untilCancelled, taskmanager.WithReplace())
		for h := range m.Tasks() {
			h.Cancel()
		}
		synctest.Wait()
		check.Equal(t, "outstanding", m.Counts().Outstanding(), uint64(0))
	})
}

// TestWorkersAreListedInOrder checks the order of Workers and compares it with Status. The
// worker of a task that waits is Blocked.
func TestWorkersAreListedInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 20
		m := start(t, taskmanager.WithWorkers(0, n), taskmanager.WithIdleTimeout(time.Second))
		for i := range n {
			submitFunc(t, m, fmt.Sprint(i), func(ctx context.Context) error {
				if i%3 == 0 {
					taskmanager.Blocking(ctx, func() { <-ctx.Done() })
					return nil
				}
				return untilCancelled(ctx)
			})
		}
		synctest.Wait()
		look := func(when string, want int) {
			t.Helper()
			status, last, busy, seen := m.Status(), int32(0), 0, map[int32]taskmanager.WorkerInfo{}
			for number, info := range m.Workers() {
				if number <= last {
					t.Errorf("%s worker %d comes after %d", when, number, last)
				}
				last = number
				seen[number] = info
				if info.Status != taskmanager.Waiting { // there may be a spare worker after a slot was lent
					busy++
				}
			}
			check.Equal(t, when+" the workers", seen, status)
			check.Equal(t, when+" the number of busy workers", busy, want)
		}
		look("while all run", n)
		blocked := 0
		for _, info := range m.Workers() {
			if info.Status == taskmanager.Blocked {
				blocked++
			}
		}
		check.Equal(t, "workers of tasks that wait", blocked, (n+2)/3)
		for i := range n / 2 { // their workers exit, and new workers get their numbers
			m.Cancel(fmt.Sprint(2 * i))
		}
		time.Sleep(2 * time.Second)
		look("while half of them run", n/2)
		for i := range n / 4 {
			submitFunc(t, m, fmt.Sprint("more/", i), untilCancelled)
		}
		synctest.Wait()
		look("with more", n/2+n/4)
		seen := 0
		for range m.Workers() {
			seen++
			m.Snapshot() // would deadlock if a lock were held
			break
		}
		check.Equal(t, "workers before the break", seen, 1)
		stop(t, m)
		look("after Stop", 0)
	})
}
