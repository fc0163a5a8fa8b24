package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestFloodingKeyDoesNotFillTheQueue floods a manager under Fair with Reject. The tasks of another
// key find room only if the queue of a key is limited.
func TestFloodingKeyDoesNotFillTheQueue(t *testing.T) {
	lost := func(opts ...taskmanager.Option) (n int) {
		bubble(t, func(t *testing.T) {
			m := start(t, append(opts, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Fair(nil)),
				taskmanager.WithLimit(10, taskmanager.Reject))...)
			work := func(context.Context) error { time.Sleep(9 * time.Millisecond); return nil }
			for i := range 50 {
				for j := range 5 {
					_, _ = m.SubmitFunc(t.Context(), fmt.Sprint("flood ", i, j), work, taskmanager.WithKey("flood"))
				}
				if _, err := m.SubmitFunc(t.Context(), fmt.Sprint("small ", i), work, taskmanager.WithKey("small")); err != nil {
					n++
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		return n
	}
	if lost() == 0 {
		t.Error("without a limit no task was lost, so the test checks nothing")
	}
	check.Equal(t, "lost tasks of the small key", lost(taskmanager.WithKeyQueueLimit(8, taskmanager.Reject)), 0)
}

// keyLimited starts a manager with one worker that is busy, and at most two queued tasks of a key.
func keyLimited(t *testing.T, overflow taskmanager.Overflow, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m := start(t, append(opts, taskmanager.WithWorkers(1, 1), taskmanager.WithKeyQueueLimit(2, overflow), taskmanager.WithHistory(100))...)
	submitFunc(t, m, "busy", untilCancelled, taskmanager.WithKey("k"))
	synctest.Wait()
	return m
}

// outcomes returns the errors of submits and of ended tasks, by name.
func outcomes(m *taskmanager.TaskManager, submits map[string]error) map[string]string {
	got := map[string]string{}
	for name, err := range submits {
		if err != nil {
			got[name] = "refused"
		}
	}
	for name := range m.TaskStatus() {
		got[name] = "outstanding"
	}
	for _, s := range m.History() {
		if errors.Is(s.LastError, taskmanager.ErrDropped) {
			got[s.Name] = "dropped"
		}
	}
	return got
}

// TestKeyQueueLimitPolicies checks each policy for single tasks and for batches, under
// disciplines with and without keys, with and without a limit on all tasks.
func TestKeyQueueLimitPolicies(t *testing.T) {
	for _, test := range []struct {
		overflow taskmanager.Overflow
		gone     map[string]string // of single tasks, by name
		batch    map[string]string // of a batch of 1 to 4
	}{
		{taskmanager.Reject, map[string]string{"3": "refused", "4": "refused"}, map[string]string{"1": "refused", "2": "refused", "3": "refused", "4": "refused", "other": "refused"}},
		{taskmanager.DropNewest, map[string]string{"3": "dropped", "4": "dropped"}, map[string]string{"3": "dropped", "4": "dropped"}},
		{taskmanager.DropOldest, map[string]string{"1": "dropped", "2": "dropped"}, map[string]string{"1": "dropped", "2": "dropped"}},
	} {
		for name, opts := range map[string][]taskmanager.Option{
			"FIFO":       nil,
			"Fair":       {taskmanager.WithQueue(taskmanager.Fair(nil))},
			"LimitByKey": {taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.LIFO())), taskmanager.WithLimit(9, taskmanager.Block)},
			"callers":    {taskmanager.WithLimit(9, taskmanager.CallerRuns)},
		} {
			t.Run(fmt.Sprint(test.overflow, " ", name), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					want := map[string]string{"busy": "outstanding", "1": "outstanding", "2": "outstanding", "3": "outstanding", "4": "outstanding", "other": "outstanding"}
					single, batch := map[string]string{}, map[string]string{}
					for task, outcome := range want {
						single[task], batch[task] = outcome, outcome
					}
					maps.Copy(single, test.gone)
					maps.Copy(batch, test.batch)

					m := keyLimited(t, test.overflow, opts...)
					submits := map[string]error{}
					for _, name := range []string{"1", "2", "3", "4"} {
						_, submits[name] = m.TrySubmit(t.Context(), &task{name: name}, taskmanager.WithKey("k"))
					}
					_, submits["other"] = m.Submit(t.Context(), &task{name: "other"}, taskmanager.WithKey("other"))
					check.Equal(t, "single tasks", outcomes(m, submits), single)

					m = keyLimited(t, test.overflow, opts...)
					tasks := []taskmanager.Task{}
					for _, name := range []string{"1", "2", "3", "4", "other"} {
						tasks = append(tasks, &keyedTask{task{name: name}, map[bool]string{true: "other", false: "k"}[name == "other"]})
					}
					_, err := m.SubmitAll(t.Context(), tasks)
					submits = map[string]error{}
					for _, task := range tasks {
						submits[task.Name()] = err
					}
					check.Equal(t, "a batch", outcomes(m, submits), batch)
				})
			})
		}
	}
}

// keyedTask is a task with a key.
type keyedTask struct {
	task
	key string
}

func (k *keyedTask) Key() string { return k.key }

// TestKeyQueueLimitError checks the error of Reject.
func TestKeyQueueLimitError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := keyLimited(t, taskmanager.Reject)
		for i := range 2 {
			submitFunc(t, m, fmt.Sprint(i), fn0, taskmanager.WithKey("k"))
		}
		_, err := m.SubmitFunc(t.Context(), "full", fn0, taskmanager.WithKey("k"))
		check.Is(t, "Submit", err, taskmanager.ErrQueueFull)
		check.Equal(t, "text", err.Error(), `taskmanager: the key "k" may have no more than 2 tasks in the queue; try again later, or raise the limit`)
		for i := range 20 {
			submitFunc(t, m, fmt.Sprint("no key ", i), fn0)
		}
	})
}

// TestKeyQueueLimitCountsWhatIsQueuedLater checks that a delayed task, a restart and a run of a
// schedule are queued beyond the limit, and count.
func TestKeyQueueLimitCountsWhatIsQueuedLater(t *testing.T) {
	key := taskmanager.WithKey("k")
	for name, later := range map[string]func(t *testing.T, m *taskmanager.TaskManager){
		"delayed": func(t *testing.T, m *taskmanager.TaskManager) {
			submitFunc(t, m, "later", untilCancelled, key, taskmanager.WithDelay(time.Second))
		},
		"restart": func(t *testing.T, m *taskmanager.TaskManager) {
			failed := false
			submitFunc(t, m, "later", func(ctx context.Context) error {
				if !failed {
					failed = true
					return errFailed
				}
				return untilCancelled(ctx)
			}, key, taskmanager.WithRestart(fixedDelay(time.Second)))
		},
		"schedule": func(t *testing.T, m *taskmanager.TaskManager) {
			every(t, m, time.Second, &task{name: "later", execute: untilCancelled}, key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithKeyQueueLimit(1, taskmanager.Reject))
				later(t, m)
				synctest.Wait()
				busy := submitFunc(t, m, "busy", untilCancelled)
				full := func() bool {
					h, err := m.SubmitFunc(t.Context(), "probe", fn0, key)
					if err == nil {
						h.Cancel()
					}
					return errors.Is(err, taskmanager.ErrQueueFull)
				}
				check.Equal(t, "full before", full(), false)
				kept := submitFunc(t, m, "kept", fn0, key)
				time.Sleep(time.Second)
				synctest.Wait()
				check.Equal(t, "status", m.TaskStatus()["later"].Status.String() != "running", true)
				kept.Cancel()
				check.Equal(t, "full while it is queued", full(), true)
				busy.Cancel()
				synctest.Wait()
				check.Equal(t, "full while it runs", full(), false)
			})
		})
	}
}

// TestKeyQueueLimitIsExact compares a manager with a list of queued tasks for each key.
func TestKeyQueueLimitIsExact(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			const limit = 3
			overflow := rapid.SampledFrom([]taskmanager.Overflow{taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest}).Draw(t, "policy")
			m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithKeyQueueLimit(limit, overflow))
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			var queue, running []*taskmanager.Handle
			next := func() {
				if len(running) == 0 && len(queue) > 0 {
					running, queue = queue[:1:1], queue[1:]
				}
			}
			names := 0
			pick := func(t *rapid.T, from []*taskmanager.Handle) int {
				if len(from) == 0 {
					t.Skip("none")
				}
				return rapid.IntRange(0, len(from)-1).Draw(t, "which")
			}
			t.Repeat(map[string]func(*rapid.T){
				"submit": func(t *rapid.T) {
					names++
					key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
					same := func(h *taskmanager.Handle) bool { return h.Key() == key }
					n := 0
					for _, h := range queue {
						if same(h) {
							n++
						}
					}
					h, err := m.SubmitFunc(context.Background(), fmt.Sprint(names), untilCancelled, taskmanager.WithKey(key))
					synctest.Wait()
					switch {
					case n < limit:
						check.Is(t, "Submit", err, nil)
						queue = append(queue, h)
					case overflow == taskmanager.Reject:
						check.Is(t, "Submit", err, taskmanager.ErrQueueFull)
					case overflow == taskmanager.DropNewest:
						check.Is(t, "the error of the task", h.Err(), taskmanager.ErrDropped)
					default:
						oldest := slices.IndexFunc(queue, same)
						check.Is(t, "the error of the oldest task", queue[oldest].Err(), taskmanager.ErrDropped)
						queue = append(slices.Delete(queue, oldest, oldest+1), h)
					}
					next()
				},
				"cancel": func(t *rapid.T) {
					i := pick(t, queue)
					queue[i].Cancel()
					queue = slices.Delete(queue, i, i+1)
				},
				"end": func(t *rapid.T) {
					pick(t, running)
					running[0].Cancel()
					synctest.Wait()
					running = nil
					next()
				},
				"": func(t *rapid.T) {
					synctest.Wait()
					want := map[string]string{}
					for _, h := range queue {
						want[h.Name()] = "not assigned"
					}
					for _, h := range running {
						want[h.Name()] = "running"
					}
					got := map[string]string{}
					for name, s := range m.TaskStatus() {
						got[name] = s.Status.String()
					}
					check.Equal(t, "tasks", got, want)
				},
			})
		})
	})
}

// TestKeyQueueLimitUnderConcurrentSubmits has many submitters of one key. Each task ends once, and
// all places are free afterwards.
func TestKeyQueueLimitUnderConcurrentSubmits(t *testing.T) {
	for _, overflow := range []taskmanager.Overflow{taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithKeyQueueLimit(3, overflow), taskmanager.WithQueue(taskmanager.Fair(nil)))
			var submitters sync.WaitGroup
			for s := range 8 {
				submitters.Go(func() {
					for i := range 50 {
						h, err := m.SubmitFunc(t.Context(), fmt.Sprint(s, "-", i), func(context.Context) error { time.Sleep(time.Millisecond); return nil },
							taskmanager.WithKey("k"), taskmanager.WithQueueTimeout(time.Duration(1+i%5)*time.Millisecond))
						if err == nil && i%7 == 0 {
							h.Cancel()
						}
						if i%10 == 0 {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			submitters.Wait()
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			c := m.Counts()
			check.Equal(t, "tasks that have not ended", c.Outstanding(), 0)
			m.Pause()
			for i := range 4 {
				h, err := m.SubmitFunc(t.Context(), fmt.Sprint(i), fn0, taskmanager.WithKey("k"))
				if dropped := err != nil || errors.Is(h.Err(), taskmanager.ErrDropped); dropped != (i == 3 && overflow != taskmanager.DropOldest) {
					t.Errorf("%v: after all tasks had ended, submit %d was refused or dropped: %v", overflow, i+1, dropped)
				}
			}
		})
	}
}
