package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var unique = taskmanager.WithUniqueName()

// TestUniqueNames checks the names and the kinds for each way to submit.
func TestUniqueNames(t *testing.T) {
	fn := func(context.Context) error { return nil }
	thumbnail := sorted{&task{name: "a"}, func() string { return "thumbnail" }}
	one := func(h *taskmanager.Handle, err error) ([]*taskmanager.Handle, error) {
		return []*taskmanager.Handle{h}, err
	}
	type call func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error)
	for name, c := range map[string]struct {
		submit       call
		names, kinds []string
	}{
		"Submit": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.Submit(ctx, &task{name: "a"}, unique))
		}, []string{"a#1"}, []string{"a"}},
		"Submit, with a Kind method": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.Submit(ctx, thumbnail, unique))
		}, []string{"a#1"}, []string{"thumbnail"}},
		"Submit, with a Kind method and WithKind": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.Submit(ctx, thumbnail, taskmanager.WithKind("given"), unique))
		}, []string{"a#1"}, []string{"given"}},
		"Submit, without a name": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.Submit(ctx, &task{}, unique))
		}, []string{"*taskmanager_test.task#1"}, []string{"*taskmanager_test.task"}},
		"SubmitFunc": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.SubmitFunc(ctx, "b", fn, unique))
		}, []string{"b#1"}, []string{"b"}},
		"SubmitFunc, without a name": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.SubmitFunc(ctx, "", fn, unique))
		}, []string{"func#1"}, []string{"func"}},
		"SubmitFunc, without a name, with WithKind": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.SubmitFunc(ctx, "", fn, unique, taskmanager.WithKind("c")))
		}, []string{"c#1"}, []string{"c"}},
		"TrySubmit": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return one(m.TrySubmit(ctx, &task{name: "#2"}, unique))
		}, []string{"#2#1"}, []string{"#2"}},
		"SubmitAll": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			return m.SubmitAll(ctx, []taskmanager.Task{&task{name: "a"}, &task{name: "a"}, thumbnail}, unique)
		}, []string{"a#1", "a#2", "a#3"}, []string{"a", "a", "thumbnail"}},
		"Async": {func(ctx context.Context, m *taskmanager.TaskManager) ([]*taskmanager.Handle, error) {
			f, err := taskmanager.Async(ctx, m, "d", func(context.Context) (int, error) { return 1, nil }, unique, taskmanager.WithDelay(time.Second))
			return one(&f.Handle, err)
		}, []string{"d#1"}, []string{"d"}},
		"Group.Go": {func(ctx context.Context, m *taskmanager.TaskManager) (all []*taskmanager.Handle, err error) {
			g := m.Group(ctx)
			err = errors.Join(g.Go("e", fn, unique), g.Go("e", fn, unique))
			return slices.SortedFunc(m.Tasks(), func(a, b *taskmanager.Handle) int { return strings.Compare(a.Name(), b.Name()) }), err
		}, []string{"e#1", "e#2"}, []string{"e", "e"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := start(t)
				m.Pause()
				handles, err := c.submit(t.Context(), m)
				check.Is(t, name, err, nil)
				var names, kinds []string
				for _, h := range handles {
					found, _ := m.Lookup(h.Name())
					check.Equal(t, "the task of the name", found == h, true)
					names, kinds = append(names, h.Name()), append(kinds, h.Status().Kind)
				}
				check.Equal(t, "names", names, c.names)
				check.Equal(t, "kinds", kinds, c.kinds)
				m.Resume()
				check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
				for i, h := range handles {
					check.Equal(t, "the name after the end", h.Name(), c.names[i])
					check.Equal(t, "the kind after the end", h.Status().Kind, c.kinds[i])
				}
			})
		})
	}
}

// namesTold is an observer of the names and the kinds of submits and executions.
type namesTold struct{ submits, ends, runs []string }

func (n *namesTold) BeginSubmit(_, onto context.Context, s observe.Submission) context.Context {
	n.submits = append(n.submits, s.Kind+":"+s.Name)
	return onto
}

func (n *namesTold) EndSubmit(_ context.Context, s observe.Submission, err error) {
	n.ends = append(n.ends, fmt.Sprint(s.Kind, ":", s.Name, " ", err))
}

func (n *namesTold) BeginRun(ctx context.Context, r observe.Run) context.Context {
	n.runs = append(n.runs, r.Kind+":"+r.Name)
	return ctx
}

func (n *namesTold) EndRun(context.Context, observe.Run, observe.Result) {}

// TestUniqueNameThatIsTaken: the next number that is free is taken, and observers are told that
// one, with the same name as kind.
func TestUniqueNameThatIsTaken(t *testing.T) {
	for _, observed := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			told := new(namesTold)
			opts := []taskmanager.Option{taskmanager.WithWorkers(1, 1), taskmanager.WithoutTelemetry()}
			if observed {
				opts = append(opts, taskmanager.WithObserver(told))
			}
			m := start(t, opts...)
			m.Pause()
			for _, taken := range []string{"a#1", "a#2", "a#4", "a#5"} {
				submit(t, m, &task{name: taken})
			}
			got := []string{submit(t, m, &task{name: "a"}, unique).Name()}
			handles, err := m.SubmitAll(t.Context(), []taskmanager.Task{&task{name: "a"}, &task{name: "a"}}, unique)
			check.Is(t, "SubmitAll", err, nil)
			for _, h := range handles {
				got = append(got, h.Name())
			}
			check.Equal(t, "names", got, []string{"a#3", "a#6", "a#7"})
			m.Resume()
			check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
			if !observed {
				return
			}
			want := []string{"a:a#3", "a:a#6", "a:a#7"}
			check.Equal(t, "submits", told.submits[4:], want)
			check.Equal(t, "executions", told.runs[4:], want)
			slices.Sort(told.ends)
			check.Equal(t, "ends of submits", told.ends[4:], []string{"a:a#3 <nil>", "a:a#6 <nil>", "a:a#7 <nil>"})
		})
	}
}

// TestUniqueNameIsNeverTaken in any order of submits with and without the option, whatever the
// names are, and however many tasks end in between.
func TestUniqueNameIsNeverTaken(t *testing.T) {
	check.Property(t, func(r *rapid.T) {
		rapid.SyncTest(r, func(r *rapid.T) {
			m, err := taskmanager.Start(taskmanager.WithWorkers(1, 3))
			if err != nil {
				r.Fatal(err)
			}
			defer stop(r, m)
			outstanding := make(map[string]*taskmanager.Handle)
			for range rapid.IntRange(1, 40).Draw(r, "submits") {
				name := rapid.SampledFrom([]string{"a", "a#1", "a#2", "a#1#3", "a#4", "a#5"}).Draw(r, "name")
				if rapid.Bool().Draw(r, "end all") {
					synctest.Wait()
					clear(outstanding)
				}
				withOption := rapid.Bool().Draw(r, "unique")
				opts := []taskmanager.TaskOption{taskmanager.WithTimeout(time.Hour)}
				if withOption {
					opts = append(opts, unique)
				}
				h, err := m.SubmitFunc(context.Background(), name, func(context.Context) error { return nil }, opts...)
				switch {
				case withOption && (err != nil || !strings.HasPrefix(h.Name(), name+"#")):
					r.Errorf("a unique submit of %q returned %v, %v", name, h, err)
				case withOption && outstanding[h.Name()] != nil && outstanding[h.Name()].Status().Status != taskmanager.Finished:
					r.Errorf("two outstanding tasks have the name %q", h.Name())
				case err != nil:
					check.Is(r, "SubmitFunc", err, taskmanager.ErrAlreadyExists)
				}
				if err == nil {
					outstanding[h.Name()] = h
				}
			}
		})
	})
}

// TestUniqueNameOfARestart: it stays the same.
func TestUniqueNameOfARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		var names []string
		h, err := m.SubmitFunc(t.Context(), "a", func(ctx context.Context) error {
			h, _ := taskmanager.FromContext(ctx)
			names = append(names, h.Name())
			if len(names) < 3 {
				return errFailed
			}
			return nil
		}, unique, taskmanager.WithRestart(brisk{}))
		check.Is(t, "SubmitFunc", err, nil)
		check.Is(t, "Wait", wait(t, h), nil)
		check.Equal(t, "names", names, []string{"a#1", "a#1", "a#1"})
	})
}

// TestUniqueNameIsRefused where a name must stay the same, and by faults that it does not cure.
func TestUniqueNameIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		if _, err := m.Every(t.Context(), time.Second, &task{name: "a"}, unique); err == nil || !strings.Contains(err.Error(), "WithUniqueName") {
			t.Errorf("Every returned %v, want an error about WithUniqueName", err)
		}
		_, err := m.SubmitFunc(t.Context(), "", untilCancelled, taskmanager.WithKind("a"))
		check.Is(t, "SubmitFunc without a name", err, taskmanager.ErrEmptyName)
		_, err = m.SubmitFunc(t.Context(), "", nil, unique)
		check.Is(t, "SubmitFunc without a function", err, taskmanager.ErrNilTask)
		stop(t, m)
		_, err = m.SubmitFunc(t.Context(), "", untilCancelled, unique)
		check.Is(t, "SubmitFunc after Stop", err, taskmanager.ErrStopped)
	})
}

// TestUniqueNameAllocates two objects more than the handle: the configuration and the name.
func TestUniqueNameAllocates(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1))
	m.Pause() // the submits count, not the executions
	fn := func(context.Context) error { return nil }
	got := testing.AllocsPerRun(1000, func() {
		if _, err := m.SubmitFunc(context.Background(), "resize", fn, unique); err != nil {
			t.Error(err)
		}
	})
	if got > 3 {
		t.Errorf("a submit allocates %v objects, want 3", got)
	}
}
