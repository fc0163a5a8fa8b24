package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestInheritOvertakesWithTheParent is the case of a task of level 10 that waits for its child behind
// 600 tasks of level 5, each of which takes a second.
func TestInheritOvertakesWithTheParent(t *testing.T) {
	for name, test := range map[string]struct {
		opts   []taskmanager.TaskOption
		starts time.Duration // the child
	}{
		"without": {nil, 601 * time.Second},
		"with":    {[]taskmanager.TaskOption{taskmanager.WithInherit()}, time.Second},
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(taskmanager.Priority(0)))
			second := func(context.Context) error { time.Sleep(time.Second); return nil }
			starts := time.Duration(0)
			begin := time.Now()
			submitFunc(t, m, "parent", func(ctx context.Context) error {
				time.Sleep(time.Second)
				child, err := m.SubmitFunc(ctx, "child", func(ctx context.Context) error {
					starts = time.Since(begin)
					return second(ctx)
				}, test.opts...)
				if err != nil {
					return err
				}
				return child.Wait(ctx)
			}, taskmanager.WithPriority(10))
			for i := range 600 {
				submitFunc(t, m, fmt.Sprint("other/", i), second, taskmanager.WithPriority(5))
			}
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			check.Equal(t, name+": starts", starts, test.starts)
		})
	}
}

// ranked is a task with methods for its attributes.
type ranked struct {
	task
	deadline time.Time
}

func (r *ranked) Priority() int               { return 7 }
func (r *ranked) Key() string                 { return "own" }
func (r *ranked) Deadline() (time.Time, bool) { return r.deadline, !r.deadline.IsZero() }

// inherited has what a child takes over.
type inherited struct {
	Priority int
	Key      string
	Deadline time.Duration // after the start; 0: none
	Ends     time.Duration // when the child ends by itself; 0: never
}

func TestInheritTakesOverWhatNothingOverrides(t *testing.T) {
	in := func(d time.Duration) taskmanager.TaskOption { return taskmanager.WithDeadline(time.Now().Add(d)) }
	all := func() []taskmanager.TaskOption {
		return []taskmanager.TaskOption{taskmanager.WithPriority(3), taskmanager.WithKey("k"), in(time.Hour)}
	}
	none := func() []taskmanager.TaskOption { return nil }
	for name, test := range map[string]struct {
		parent, opts func() []taskmanager.TaskOption
		methods      time.Duration // the child has methods, with this deadline; -1: it has none; 0: no methods
		parentHas    bool          // the parent has methods, with a deadline of an hour
		want         inherited
	}{
		"a parent without attributes": {parent: none, opts: none},
		"all":                         {parent: all, opts: none, want: inherited{3, "k", time.Hour, time.Hour}},
		"options": {
			parent: all,
			opts: func() []taskmanager.TaskOption {
				return []taskmanager.TaskOption{taskmanager.WithPriority(0), taskmanager.WithKey(""), in(2 * time.Hour)}
			},
			want: inherited{0, "", 2 * time.Hour, 2 * time.Hour},
		},
		"methods":                       {parent: all, opts: none, methods: 3 * time.Hour, want: inherited{7, "own", 3 * time.Hour, time.Hour}},
		"a method without a deadline":   {parent: all, opts: none, methods: -1, want: inherited{7, "own", time.Hour, time.Hour}},
		"a parent with methods":         {parent: none, opts: none, parentHas: true, want: inherited{7, "own", time.Hour, 0}},
		"a parent with both, and limit": {parent: func() []taskmanager.TaskOption { return []taskmanager.TaskOption{in(time.Minute)} }, opts: none, parentHas: true, want: inherited{7, "own", time.Minute, time.Minute}},
	} {
		bubble(t, func(t *testing.T) {
			begin := time.Now()
			m := start(t, taskmanager.WithWorkers(1, 4), taskmanager.WithQueue(taskmanager.Custom(queue.NewFIFO[*taskmanager.Handle])))
			var child *taskmanager.Handle
			body := func(ctx context.Context) (err error) {
				ctx = context.WithValue(ctx, ownKey{}, nil) // derived from that of the task
				with := append(test.opts(), taskmanager.WithInherit())
				if test.methods == 0 {
					child, err = m.SubmitFunc(ctx, "child", untilCancelled, with...)
					return err
				}
				own := &ranked{task: task{name: "child", execute: untilCancelled}}
				if test.methods > 0 {
					own.deadline = begin.Add(test.methods)
				}
				child, err = m.Submit(ctx, own, with...)
				return err
			}
			var parent *taskmanager.Handle
			if test.parentHas {
				parent = submit(t, m, &ranked{task: task{name: "parent", execute: body}, deadline: begin.Add(time.Hour)}, test.parent()...)
			} else {
				parent = submitFunc(t, m, "parent", body, test.parent()...)
			}
			check.Is(t, "the parent", wait(t, parent), nil)
			got := inherited{Priority: child.Priority(), Key: child.Key()}
			if deadline, ok := child.Deadline(); ok {
				got.Deadline = deadline.Sub(begin)
			}
			select {
			case <-child.Done():
				check.Is(t, "the child", child.Err(), taskmanager.ErrDeadlineExceeded)
				got.Ends = time.Since(begin)
			case <-time.After(10 * time.Hour):
			}
			check.Equal(t, name, got, test.want)
		})
	}
}

type ownKey struct{}

func TestInheritOutsideOfATaskHasNoEffect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var ctx context.Context
		h := submitFunc(t, m, "parent", func(c context.Context) error { ctx = c; return nil }, taskmanager.WithPriority(3))
		await(t, h)
		for name, ctx := range map[string]context.Context{"no task": t.Context(), "a task that is over": context.WithoutCancel(ctx)} {
			h, err := m.SubmitFunc(ctx, name, fn0, taskmanager.WithInherit())
			check.Is(t, name, err, nil)
			check.Equal(t, name, h.Priority(), 0)
		}
	})
}

func TestInheritInOtherSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, other := start(t), start(t)
		var mu sync.Mutex // guards levels
		levels := map[string]int{}
		h := submitFunc(t, m, "parent", func(ctx context.Context) error {
			g := m.Group(ctx)
			note := func(ctx context.Context) error {
				h, _ := taskmanager.FromContext(ctx)
				mu.Lock()
				defer mu.Unlock()
				levels[h.Name()] = h.Priority()
				return nil
			}
			err := g.Go("in a group", note, taskmanager.WithInherit())
			_, more := other.SubmitAll(ctx, []taskmanager.Task{&task{name: "in a batch", execute: note}}, taskmanager.WithInherit())
			f, refused := taskmanager.Async(ctx, other, "a future", func(ctx context.Context) (int, error) { return 0, note(ctx) }, taskmanager.WithInherit())
			check.Is(t, "Async", refused, nil)
			err = errors.Join(err, more, g.Wait(ctx), other.WaitIdle(ctx))
			check.Equal(t, "the level of the future", f.Priority(), 3)
			_, refused = m.Every(ctx, time.Second, &task{name: "schedule"}, taskmanager.WithInherit())
			check.Equal(t, "Every", refused.Error(), "taskmanager: WithInherit is not allowed for a task that runs periodically, since it outlives the task that submits it")
			return err
		}, taskmanager.WithPriority(3))
		check.Is(t, "the parent", wait(t, h), nil)
		check.Equal(t, "levels", levels, map[string]int{"in a group": 3, "in a batch": 3, "a future": 3})
	})
}

// TestInheritAfterTheDeadline checks that a task whose deadline has passed submits no child that
// would outlive it.
func TestInheritAfterTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		h := submitFunc(t, m, "parent", func(ctx context.Context) error {
			<-ctx.Done()
			_, err := m.SubmitFunc(context.WithoutCancel(ctx), "child", fn0, taskmanager.WithInherit())
			check.Is(t, "the submit", err, taskmanager.ErrDeadlineExceeded)
			return nil
		}, taskmanager.WithDeadline(time.Now().Add(time.Second)))
		check.Is(t, "the parent", wait(t, h), nil)
		synctest.Wait()
	})
}
