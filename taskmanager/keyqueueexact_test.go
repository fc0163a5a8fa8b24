package taskmanager_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestKeyQueueLimitIsExactForSeveralSubmitters has several submitters of two keys, and cancels some
// of the tasks meanwhile. At each moment at which nothing moves, no key has more tasks that wait
// for a worker than the limit, and none has fewer if no task was cancelled.
func TestKeyQueueLimitIsExactForSeveralSubmitters(t *testing.T) {
	const limit, blocked = 3, "with blocked submitters"
	keys := []string{"a", "b"}
	for _, overflow := range []taskmanager.Overflow{taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest} {
		for name, opts := range map[string][]taskmanager.Option{
			"alone": nil,
			"Fair":  {taskmanager.WithQueue(taskmanager.Fair(nil))},
			blocked: {taskmanager.WithLimit(2, taskmanager.Block)},
		} {
			t.Run(fmt.Sprint(overflow, " ", name), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := start(t, append(opts, taskmanager.WithWorkers(1, 1), taskmanager.WithKeyQueueLimit(limit, overflow))...)
					end := make(chan struct{})
					submitFunc(t, m, "busy", func(context.Context) error { <-end; return nil })
					synctest.Wait()
					waiting := func() (n map[string]int) {
						synctest.Wait()
						n = map[string]int{}
						for _, s := range m.TaskStatus() {
							if s.Status == taskmanager.NotAssigned {
								n[s.Key]++
							}
						}
						return n
					}
					var cancels atomic.Bool // not a parameter, since a submitter may wait until the next flood
					flood := func(round string) {
						for s := range 8 {
							go func() {
								for i := range 10 {
									h, err := m.SubmitFunc(context.Background(), fmt.Sprint(round, "-", s, "-", i),
										func(ctx context.Context) error {
											select {
											case <-end:
											case <-ctx.Done():
											}
											return nil
										}, taskmanager.WithKey(keys[(s+i)%2]))
									if err == nil && i%4 == 0 && cancels.Load() {
										h.Cancel()
									}
								}
							}()
						}
					}
					for round := range 5 {
						cancels.Store(true)
						flood(fmt.Sprint("cancels", round))
						for key, n := range waiting() {
							if n > limit {
								t.Errorf("round %d: %d tasks of key %q wait, with a limit of %d", round, n, key, limit)
							}
						}
						cancels.Store(false)
						flood(fmt.Sprint("fills", round))
						check.Equal(t, "waiting tasks after a flood", waiting(), map[string]int{"a": limit, "b": limit})
						end <- struct{}{}
						// A submitter that has waited may have submitted another task.
						if after := waiting(); name != blocked {
							check.Equal(t, "waiting tasks after a worker took one", after["a"]+after["b"], 2*limit-1)
						}
					}
				})
			})
		}
	}
}

// TestKeyWithoutQueuedTasksCostsNoMemory has tasks of many keys end in all ways: they run, are
// cancelled, are dropped because of the limit of their key or because the queue is full, are shed, or
// wait for too long.
func TestKeyWithoutQueuedTasksCostsNoMemory(t *testing.T) {
	for name, opts := range map[string][]taskmanager.Option{
		"DropOldest": {taskmanager.WithLimit(20_000, taskmanager.DropOldest)},
		"DropWorst":  {taskmanager.WithLimit(20_000, taskmanager.DropWorst), taskmanager.WithQueue(taskmanager.Fair(nil))},
		"CoDel":      {taskmanager.WithQueue(taskmanager.CoDel(taskmanager.CoDelConfig{}))},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, append(opts, taskmanager.WithWorkers(1, 1), taskmanager.WithKeyQueueLimit(2, taskmanager.DropOldest))...)
				work := func(context.Context) error { time.Sleep(time.Millisecond); return nil }
				round := func(key func(i int) string) {
					release := make(chan struct{})
					submitFunc(t, m, "busy", func(context.Context) error { <-release; return nil })
					for i := range 10_000 {
						for j := range 3 {
							h := submitFunc(t, m, fmt.Sprint(i, "-", j), work, taskmanager.WithKey(key(i)), taskmanager.WithQueueTimeout(10*time.Second))
							if i%3 == 0 && j == 2 {
								h.Cancel()
							}
						}
					}
					time.Sleep(time.Second)
					close(release)
					check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
					for range 1000 { // each time that it becomes empty, the queue frees some of the memory that it has kept
						await(t, submitFunc(t, m, "one", fn0))
					}
					time.Sleep(time.Second) // the names of ended tasks are removed a moment after their end
				}
				round(func(int) string { return "" }) // so that the tables have their sizes
				before, counts := heap(), m.Counts()
				long := strings.Repeat("k", 200)
				round(func(i int) string { return fmt.Sprint(long, i) })
				if grown := int64(heap()) - int64(before); grown > 1<<19 {
					t.Errorf("10,000 keys without queued tasks have left %d bytes behind", grown)
				}
				after := m.Counts()
				for what, n := range map[string]uint64{
					"succeeded": after.Succeeded - counts.Succeeded, "were cancelled": after.Cancelled - counts.Cancelled,
					"were dropped": after.Dropped - counts.Dropped, "timed out or were shed": after.TimedOut + after.Shed - counts.TimedOut - counts.Shed,
				} {
					if n < 100 {
						t.Errorf("only %d tasks %s, so the test checks too little", n, what)
					}
				}
			})
		})
	}
}
