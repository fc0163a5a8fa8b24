package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// pages returns the names of the tasks on all pages of a filter, in alphabetical order. It checks
// that no page has more tasks than its limit, and no task is on two pages.
func pages(t testing.TB, m *taskmanager.TaskManager, f taskmanager.Filter) []string {
	t.Helper()
	names, seen := []string{}, map[*taskmanager.Handle]bool{}
	for {
		page, next, err := m.Page(f)
		if err != nil {
			t.Fatalf("Page(%+v): %v", f, err)
		}
		if f.Limit > 0 && len(page) > f.Limit {
			t.Errorf("Page(%+v) returned %d tasks", f, len(page))
		}
		for _, h := range page {
			if seen[h] {
				t.Errorf("Page(%+v): the task %q is on two pages", f, h.Name())
			}
			seen[h] = true
			names = append(names, h.Name())
		}
		if next == "" {
			slices.Sort(names)
			return names
		}
		f.After = next
	}
}

// mute is a task whose methods must not be called once it has been submitted.
type mute struct {
	task
	kind, key string
}

func (x *mute) Kind() string { return x.kind }
func (x *mute) Key() string  { return x.key }

func newMute(name, kind, key string, execute func(context.Context) error) *mute {
	never := func() { panic("a method of " + name + " was called") }
	return &mute{task{
		name: name, execute: execute, restart: func(context.Context, error) bool { return true },
		progress: func() (float64, error) { never(); return 0, nil }, describe: func() string { never(); return "" },
	}, kind, key}
}

// TestPagesSelectByEachField lists tasks in each state by each field of the filter, and by several,
// with pages of different lengths. No method of a task is called.
func TestPagesSelectByEachField(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(2, 2), taskmanager.WithRestart(fixedDelay(time.Hour)))
		lends := func(ctx context.Context) error {
			taskmanager.Blocking(ctx, func() { <-ctx.Done() })
			return nil
		}
		fails := func(context.Context) error { return errFailed }
		submit(t, m, newMute("image/failed", "resize", "acme", fails))
		synctest.Wait()
		submit(t, m, newMute("image/blocked", "resize", "acme", lends))
		synctest.Wait()
		submit(t, m, newMute("image/running", "resize", "", untilCancelled))
		submit(t, m, newMute("mail/running", "send", "acme", untilCancelled))
		synctest.Wait()
		submit(t, m, newMute("mail/queued", "send", "", nil))
		submit(t, m, newMute("mail/delayed", "send", "other", nil), taskmanager.WithDelay(time.Hour))
		submitFunc(t, m, "function", fn0)
		submitFunc(t, m, "function/key", fn0, taskmanager.WithKey("acme"), taskmanager.WithKind("resize"))
		submitFunc(t, m, "cancelled", fn0).Cancel()
		all := []string{
			"function", "function/key", "image/blocked", "image/failed", "image/running", "mail/delayed", "mail/queued", "mail/running",
		}
		for _, c := range []struct {
			filter taskmanager.Filter
			want   string // names that are left out are "-"
		}{
			{taskmanager.Filter{}, "function function/key image/blocked image/failed image/running mail/delayed mail/queued mail/running"},
			{taskmanager.Filter{Prefix: "image/"}, "image/blocked image/failed image/running"},
			{taskmanager.Filter{Prefix: "nothing"}, ""},
			{taskmanager.Filter{Prefix: "mail/queued/and more"}, ""},
			{taskmanager.Filter{Contains: "run"}, "image/running mail/running"},
			{taskmanager.Filter{Contains: "function"}, "function function/key"},
			{taskmanager.Filter{Kind: "send"}, "mail/delayed mail/queued mail/running"},
			{taskmanager.Filter{Kind: "func"}, "function"},
			{taskmanager.Filter{Kind: "sen"}, ""},
			{taskmanager.Filter{Key: "acme"}, "function/key image/blocked image/failed mail/running"},
			{taskmanager.Filter{Key: "nobody"}, ""},
			{taskmanager.Filter{Status: taskmanager.NotAssigned}, "function function/key mail/delayed mail/queued"},
			{taskmanager.Filter{Status: taskmanager.Running}, "image/running mail/running"},
			{taskmanager.Filter{Status: taskmanager.Blocked}, "image/blocked"},
			{taskmanager.Filter{Status: taskmanager.Restarted}, "image/failed"},
			{taskmanager.Filter{Prefix: "image/", Contains: "d", Kind: "resize", Key: "acme", Status: taskmanager.Blocked}, "image/blocked"},
			{taskmanager.Filter{Prefix: "image/", Contains: "d", Kind: "send", Key: "acme", Status: taskmanager.Blocked}, ""},
			{taskmanager.Filter{Kind: "resize", Status: taskmanager.NotAssigned}, "function/key"},
		} {
			for _, limit := range []int{0, 1, 2, 3, len(all), 1000} {
				for _, budget := range []time.Duration{0, 1, time.Hour} {
					c.filter.Limit, c.filter.Budget = limit, budget
					if got := strings.Join(pages(t, m, c.filter), " "); got != c.want {
						t.Errorf("%+v: the pages have %q, want %q", c.filter, got, c.want)
					}
				}
			}
		}
		for h := range m.Tasks() { // what Peek says agrees with the filter
			s := h.Peek()
			f := taskmanager.Filter{Prefix: s.Name, Contains: s.Name, Kind: s.Kind, Key: s.Key, Status: s.Status}
			check.Equal(t, "tasks as "+s.Name, slices.Contains(pages(t, m, f), s.Name), true)
		}
	})
}

// TestPagesHaveALimit checks the default and others.
func TestPagesHaveALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1))
		for i := range 250 {
			submitFunc(t, m, strconv.Itoa(i), untilCancelled)
		}
		for limit, want := range map[int]int{0: 100, 1: 1, 200: 200, 1000: 250} {
			page, next, err := m.Page(taskmanager.Filter{Limit: limit})
			if len(page) != want || err != nil || (next == "") != (want == 250) {
				t.Errorf("with the limit %d a page has %d tasks, the next one is at %q, and the error is %v; want %d tasks", limit, len(page), next, err, want)
			}
		}
		stop(t, m)
		page, next, err := m.Page(taskmanager.Filter{})
		if len(page) != 0 || next != "" || err != nil {
			t.Errorf("after Stop the first page is %v, %q, %v; want nothing", page, next, err)
		}
	})
}

// TestPageRefusesFilters with faults, and says what to do.
func TestPageRefusesFilters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, other := start(t), start(t)
		for _, x := range []*taskmanager.TaskManager{m, other} {
			for _, name := range []string{"a", "b"} {
				submitFunc(t, x, name, untilCancelled)
			}
		}
		_, elsewhere, err := other.Page(taskmanager.Filter{Limit: 1})
		check.Is(t, "Page", err, nil)
		for _, c := range []struct {
			filter taskmanager.Filter
			want   []string
		}{
			{taskmanager.Filter{After: "x"}, []string{`After is "x"`, "empty, or what Page of this manager has returned"}},
			{taskmanager.Filter{After: elsewhere}, []string{"what Page of this manager"}},
			{taskmanager.Filter{After: elsewhere + elsewhere}, []string{"After is"}},
			{taskmanager.Filter{Limit: -1}, []string{"the limit is -1"}},
			{taskmanager.Filter{Budget: -time.Second}, []string{"the budget is -1s"}},
			{taskmanager.Filter{Status: taskmanager.Finished}, []string{`the status is "finished"`, "NotAssigned"}},
			{taskmanager.Filter{Status: taskmanager.Waiting}, []string{`the status is "waiting"`}},
			{taskmanager.Filter{Status: "runs"}, []string{`the status is "runs"`}},
			{taskmanager.Filter{Limit: -1, Budget: -1, Status: "x", After: "x"}, []string{"the limit", "the budget", "the status", "After"}},
		} {
			page, next, err := m.Page(c.filter)
			if page != nil || next != "" || err == nil || !strings.HasPrefix(err.Error(), "taskmanager: Page: ") {
				t.Errorf("Page(%+v) returned %v, %q, %v; want only an error", c.filter, page, next, err)
				continue
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Page(%+v): the text %q lacks %q", c.filter, err, part)
				}
			}
		}
	})
}

// TestPagesWhileTasksComeAndGo: tasks that stay are on exactly one page, while thousands of others come
// and go between the pages, so that the table grows and shrinks, and while the filter changes.
func TestPagesWhileTasksComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const stay, rounds, crowd = 500, 40, 1500
		m := start(t, taskmanager.WithWorkers(1, 1))
		submitFunc(t, m, "busy", untilCancelled)
		serial := 0
		var guests []*taskmanager.Handle
		come := func(n int) {
			for range n {
				serial++
				guests = append(guests, submitFunc(t, m, fmt.Sprint("guest/", serial), fn0))
			}
		}
		come(20 * crowd) // among which the tasks that stay are scattered
		for i := range stay {
			submitFunc(t, m, fmt.Sprint("stay/", i), fn0)
			come(crowd / 100)
		}
		seen := map[string]int{}
		f := taskmanager.Filter{Limit: stay / rounds}
		for round := 0; ; round++ {
			page, next, err := m.Page(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range page {
				if seen[h.Name()]++; seen[h.Name()] > 1 {
					t.Fatalf("the task %q is on two pages", h.Name())
				}
			}
			if f.After = next; next == "" {
				break
			}
			f.Prefix = []string{"", "stay/"}[round%2]
			for _, h := range guests[:min(len(guests), crowd+crowd/2)] {
				h.Cancel()
			}
			guests = guests[min(len(guests), crowd+crowd/2):]
			come(crowd / 10)
			time.Sleep(time.Second) // the table removes those that have ended
			synctest.Wait()
		}
		for i := range stay {
			if name := fmt.Sprint("stay/", i); seen[name] != 1 {
				t.Errorf("the task %q is on %d pages, want 1", name, seen[name])
			}
		}
	})
}

// TestPeekCallsNoUserCode: Peek does not wait for a method of a task that blocks, as Status does.
// Otherwise they agree.
func TestPeekCallsNoUserCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithHistory(1))
		open := make(chan struct{})
		x := &task{
			name: "mute", execute: func(ctx context.Context) error { <-ctx.Done(); return errFailed },
			progress: func() (float64, error) { <-open; return 0.5, errFailed },
			describe: func() string { return "from the method" },
		}
		h := submit(t, m, x, taskmanager.WithKey("k"), taskmanager.WithPriority(3))
		synctest.Wait()
		want := taskmanager.TaskStatus{
			Name: "mute", Kind: "*taskmanager_test.task", Key: "k", Priority: 3, Attempt: 1, Worker: 1,
			Status: taskmanager.Running, QueuedAt: time.Now(), StartedAt: time.Now(),
		}
		same := func(what string, got taskmanager.TaskStatus) {
			t.Helper()
			got.QueuedAt, got.StartedAt = got.QueuedAt.Round(0), got.StartedAt.Round(0)
			want.QueuedAt, want.StartedAt = want.QueuedAt.Round(0), want.StartedAt.Round(0)
			if got != want {
				t.Errorf("%s returned %+v, want %+v", what, got, want)
			}
		}
		same("Peek", h.Peek())
		close(open)
		progress, description, err := h.Progress()
		if progress != 0.5 || description != "from the method" || !errors.Is(err, errFailed) {
			t.Errorf("Progress returned %v, %q, %v", progress, description, err)
		}
		want.Progress, want.Description, want.ProgressError = progress, description, err
		same("Status", h.Status())
		h.Cancel()
		await(t, h)
		progress, description, err = h.Progress()
		if progress != 0 || description != "" || err != nil {
			t.Errorf("Progress after the end returned %v, %q, %v, want zero values", progress, description, err)
		}
		want = h.Status()
		same("Peek after the end", h.Peek())
		check.Equal(t, "status after the end", want.Status, taskmanager.Finished)
		check.Equal(t, "progress in the history", m.History()[0].Progress, 0.5)
	})
}

// TestDescriptionOfPeek: WithDescription wins, and Progress returns what the method does.
func TestDescriptionOfPeek(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t)
		x := &task{name: "a", execute: untilCancelled, describe: func() string { return "method" }}
		h := submit(t, m, x, taskmanager.WithDescription("option"))
		_, description, err := h.Progress()
		check.Is(t, "Progress", err, nil)
		check.Equal(t, "description of the method", description, "method")
		check.Equal(t, "description in Peek", h.Peek().Description, "option")
		check.Equal(t, "description in Status", h.Status().Description, "option")
		broken := submit(t, m, &task{name: "b", execute: untilCancelled, describe: func() string { panic("no") }})
		_, _, err = broken.Progress()
		if _, ok := errors.AsType[*taskmanager.PanicError](err); !ok {
			t.Errorf("Progress of a task that panics returned %v, want a *PanicError", err)
		}
		_, _, err = submitFunc(t, m, "function", untilCancelled).Progress()
		check.Is(t, "Progress of a function", err, nil)
	})
}
