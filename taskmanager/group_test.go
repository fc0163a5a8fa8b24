package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestGroupFailsTogether checks that Wait returns the first failure with the name of its
// task, that the failure ends the other tasks in every state, and that later submits are
// refused.
func TestGroupFailsTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 2))
		g := m.Group(t.Context())
		begun := 0
		long := func(ctx context.Context) error { begun++; return untilCancelled(ctx) }
		fails := make(chan struct{})
		for _, err := range []error{
			g.Go("fails", func(context.Context) error { <-fails; return errFailed }),
			g.Go("runs", long),
			g.Go("queued", long),
			g.Go("delayed", long, taskmanager.WithDelay(time.Hour)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		others := map[string]*taskmanager.Handle{}
		for _, name := range []string{"runs", "queued", "delayed"} {
			others[name], _ = m.Lookup(name)
		}
		synctest.Wait()
		close(fails)
		err := g.Wait(t.Context())
		if !errors.Is(err, errFailed) || !strings.Contains(err.Error(), `"fails"`) {
			t.Errorf("Wait returned %v, want the failure and the name of the task", err)
		}
		for name, h := range others {
			if err := h.Err(); !errors.Is(err, taskmanager.ErrGroupFailed) || errors.Is(err, errFailed) {
				t.Errorf("task %q ended with %v, want ErrGroupFailed alone", name, err)
			}
			if reason, ok := errors.AsType[*taskmanager.GroupError](h.Err()); !ok || !errors.Is(reason.Reason, errFailed) {
				t.Errorf("task %q does not know why: %v", name, h.Err())
			}
		}
		if err := g.Go("late", long); !errors.Is(err, taskmanager.ErrGroupFailed) {
			t.Errorf("a submit to a group that has failed returned %v", err)
		}
		check.Equal(t, "others that were begun", begun, 1)
	})
}

// TestGroupCollects checks that Wait returns all failures, of tasks and of submits, in the
// order of the submits.
func TestGroupCollects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 4))
		g := taskmanager.NewResultGroup[int](t.Context(), m, taskmanager.WithCollect())
		for i := range 4 {
			if err := g.Go(fmt.Sprint(i), func(context.Context) (int, error) {
				time.Sleep(time.Duration(4-i) * time.Second)
				if i%2 == 1 {
					return 0, fmt.Errorf("%w: %d", errFailed, i)
				}
				return i * 10, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Go("0", func(context.Context) (int, error) { return 1, nil }); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Errorf("a name that is taken: %v", err)
		}
		results, err := g.Wait(t.Context())
		check.Equal(t, "the results", results, []int{0, 0, 20, 0, 0})
		var lines []string
		for line := range strings.Lines(fmt.Sprint(err)) {
			lines = append(lines, strings.TrimSpace(line))
		}
		check.Equal(t, "the errors", lines, []string{
			`taskmanager: task "1": failed: 1`,
			`taskmanager: task "3": failed: 3`,
			`taskmanager: task "0": a task of that name already exists`,
		})
	})
}

// TestGroupLimit checks the limit of outstanding tasks, and that a submit that waits for
// room returns when the context of the group ends.
func TestGroupLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 10))
		ctx, cancel := context.WithCancelCause(t.Context())
		g := m.Group(ctx, taskmanager.WithGroupLimit(2))
		began := time.Now()
		for i := range 6 {
			if err := g.Go(fmt.Sprint(i), func(context.Context) error { time.Sleep(time.Second); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		check.Equal(t, "the time that six tasks of a second take, two at a time", time.Since(began), 3*time.Second)
		if err := errors.Join(g.Go("a", untilCancelled), g.Go("b", untilCancelled)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { cancel(errFailed) })
		if err := g.Go("c", fn0); !errors.Is(err, errFailed) && !errors.Is(err, taskmanager.ErrGroupFailed) {
			t.Errorf("a submit that waits for room returned %v, want why the context ended", err)
		}
		if err := g.Wait(t.Context()); !errors.Is(err, errFailed) {
			t.Errorf("Wait returned %v, want why the context of the group ended", err)
		}
	})
}

// TestGroupWaitHeedsItsContext checks that Wait returns when its context ends, and that the
// tasks continue.
func TestGroupWaitHeedsItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		g := m.Group(t.Context())
		if err := g.Go("long", func(context.Context) error { time.Sleep(time.Minute); return nil }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait returned %v, want that its context ended", err)
		}
		if err := g.Wait(t.Context()); err != nil {
			t.Errorf("the second Wait returned %v", err)
		}
	})
}

func TestGroupRefusesBadInput(t *testing.T) {
	m := start(t)
	tests := map[string]struct {
		group *taskmanager.Group
		want  string
	}{
		"no limit":      {m.Group(t.Context(), taskmanager.WithGroupLimit(0)), "WithGroupLimit: the limit is 0; it must be positive"},
		"a nil option":  {m.Group(t.Context(), nil), "group option 1 is nil"},
		"a nil context": {m.Group(nil), "nil context"}, //nolint:staticcheck // the nil context is the point of the test
	}
	for name, test := range tests {
		for what, err := range map[string]error{"Go": test.group.Go("a", fn0), "Wait": test.group.Wait(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %s returned %v, want %q", name, what, err, test.want)
			}
		}
	}
	g := m.Group(t.Context())
	if err := g.Go("a", nil); !errors.Is(err, taskmanager.ErrNilTask) {
		t.Errorf("no function: %v, want ErrNilTask", err)
	}
	if err := g.Wait(t.Context()); !errors.Is(err, taskmanager.ErrNilTask) {
		t.Errorf("a submit that failed is not a failure of the group: %v", err)
	}
}

// TestGroupStartsOverAfterWait checks that the first submit after a Wait discards the
// results, and that each Wait before it returns the same.
func TestGroupStartsOverAfterWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		g := taskmanager.NewResultGroup[int](t.Context(), m, taskmanager.WithCollect())
		for round := range 3 {
			want := []int{round, 0, round}
			for i, r := range want {
				err := g.Go(fmt.Sprint("task", i), func(context.Context) (int, error) {
					if i == 1 {
						return 0, fmt.Errorf("failure %d", round)
					}
					return r, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				got, err := g.Wait(t.Context())
				check.Equal(t, "results", got, want)
				check.Equal(t, "error", fmt.Sprint(err), fmt.Sprintf("taskmanager: task \"task1\": failure %d", round))
			}
		}
	})
}

// TestCollectReportsRefusedSubmits checks that Wait reports a refused submit even if
// another task has failed before and the context of the group has ended.
func TestCollectReportsRefusedSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(0, taskmanager.Block))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		g := m.Group(ctx, taskmanager.WithCollect())
		for i, fn := range []func(context.Context) error{
			func(context.Context) error { return errFailed },
			func(context.Context) error { time.Sleep(time.Hour); return nil },
		} {
			if err := g.Go(fmt.Sprint("task", i), fn); err != nil {
				t.Fatal(err)
			}
		}
		refused := g.Go("refused", fn0)
		if !errors.Is(refused, context.DeadlineExceeded) && !errors.Is(refused, taskmanager.ErrGroupFailed) {
			t.Errorf("the submit that waited for room returned %v, want DeadlineExceeded or ErrGroupFailed", refused)
		}
		err := g.Wait(t.Context())
		for _, want := range []error{errFailed, refused, context.DeadlineExceeded} {
			if !errors.Is(err, want) {
				t.Errorf("Wait returned %v, want all that went wrong: %v is missing", err, want)
			}
		}
	})
}

// nosyContext is a context whose Done method calls the group.
type nosyContext struct {
	context.Context
	group **taskmanager.Group
}

func (c nosyContext) Done() <-chan struct{} {
	if *c.group != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = (*c.group).Wait(ctx)
	}
	return c.Context.Done()
}

// TestGroupAsksItsContextWithoutItsLock uses a context that calls the group, which would
// deadlock if the group held its lock.
func TestGroupAsksItsContextWithoutItsLock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var g *taskmanager.Group
		g = start(t).Group(nosyContext{t.Context(), &g})
		if err := g.Go("a", fn0); err != nil {
			t.Errorf("Go returned %v", err)
		}
		if err := g.Wait(t.Context()); err != nil {
			t.Errorf("Wait returned %v", err)
		}
	})
}

func TestBadTaskOptions(t *testing.T) {
	m := start(t)
	for want, opts := range map[string][]taskmanager.TaskOption{
		"WithTimeout: the limit is 0s; it must be positive":        {taskmanager.WithTimeout(0)},
		"WithQueueTimeout: the limit is -1ns; it must be positive": {taskmanager.WithQueueTimeout(-1)},
		"WithOverlap is for Every and Repeat":                      {taskmanager.WithOverlap(taskmanager.OverlapQueue)},
	} {
		_, err := m.SubmitFunc(t.Context(), "a", fn0, opts...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the submit returned %v, want %q", err, want)
		}
	}
}

// TestSecondWaitLosesTheFailures lets two goroutines wait for a group. The first to return uses
// the group again at once. The other one still gets the failure and the results of the tasks for
// which it waited, and does not wait for the new ones.
func TestSecondWaitLosesTheFailures(t *testing.T) {
	for i := range 100 {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(4, 4))
			g := taskmanager.NewResultGroup[int](t.Context(), m, taskmanager.WithCollect())
			for _, result := range []int{1, 2} {
				err := g.Go(fmt.Sprint(result), func(context.Context) (int, error) {
					time.Sleep(time.Second)
					if result == 2 {
						return 0, errFailed
					}
					return result, nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			var waits sync.WaitGroup
			var first sync.Once
			began := time.Now()
			for range 3 {
				waits.Go(func() {
					results, err := g.Wait(t.Context())
					check.Equal(t, "the results", results, []int{1, 0})
					check.Is(t, "Wait", err, errFailed)
					check.Equal(t, "the duration of the wait", time.Since(began), time.Second)
					first.Do(func() {
						err := g.Go("again", func(context.Context) (int, error) { time.Sleep(time.Minute); return 3, nil })
						check.Equal(t, "Go", err, nil)
					})
				})
			}
			waits.Wait()
			results, err := g.Wait(t.Context())
			check.Equal(t, "the results of the new round", results, []int{3})
			check.Equal(t, "Wait for the new round", err, nil)
		})
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
}
