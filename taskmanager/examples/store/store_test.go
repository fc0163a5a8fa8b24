package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// TestMemory compares the store with a model, in virtual time (testing/synctest). The model suits any
// other store, but one that is reached over a network needs real time.
func TestMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := &model{store: newMemory(), tasks: make(map[string]*row)}
			t.Repeat(map[string]func(*rapid.T){
				"insert":   m.insert,
				"lease":    m.lease,
				"renew":    m.renew,
				"complete": m.complete,
				"giveBack": m.giveBack,
				"bury":     m.bury,
				"remove":   m.remove,
				"wait":     func(t *rapid.T) { time.Sleep(seconds(t, "wait")) },
			})
		})
	})
}

var names, kinds = []string{"a", "b", "c"}, []string{"bill", "mail"}

func seconds(t *rapid.T, label string) time.Duration {
	return time.Duration(rapid.IntRange(1, 10).Draw(t, label)) * time.Second
}

// model calls a store, and knows what it must answer.
type model struct {
	store   store
	tasks   map[string]*row // the outstanding ones; a token is 0 if no lease was granted since giveBack
	granted []lease         // all leases so far, also those that are lost
}

func (m *model) insert(t *rapid.T) {
	in := task{
		name:    rapid.SampledFrom(names).Draw(t, "name"),
		kind:    rapid.SampledFrom(kinds).Draw(t, "kind"),
		payload: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "payload"),
	}
	var asked time.Time
	due := time.Now()
	switch rapid.IntRange(0, 2).Draw(t, "when") {
	case 1:
		asked = due.Add(-time.Minute) // counts as now
	case 2:
		asked = due.Add(seconds(t, "delay"))
		due = asked
	}
	var want error
	if m.tasks[in.name] != nil {
		want = errExists
	} else {
		m.tasks[in.name] = &row{lease: lease{task: in, history: restart.State{QueuedAt: due}}, due: due}
	}
	if err := m.store.insert(context.Background(), in, asked); !errors.Is(err, want) {
		t.Fatalf("insert(%s) returned %v, want %v", in.name, err, want)
	}
}

// remove removes a task, whether it has a lease or not.
func (m *model) remove(t *rapid.T) {
	name := rapid.SampledFrom(names).Draw(t, "name")
	want := m.tasks[name] != nil
	delete(m.tasks, name)
	if found, err := m.store.remove(context.Background(), name); err != nil || found != want {
		t.Fatalf("remove(%s) returned %t and %v, want %t", name, found, err, want)
	}
}

// lease checks that those tasks of the kinds are taken that have been due for longest, and each with a new token.
func (m *model) lease(t *rapid.T) {
	n, valid := rapid.IntRange(1, 3).Draw(t, "n"), seconds(t, "valid")
	handled := rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 1, 2, rapid.ID).Draw(t, "kinds")
	var due []time.Time
	for _, r := range m.tasks {
		if slices.Contains(handled, r.kind) && !r.due.After(time.Now()) {
			due = append(due, r.due)
		}
	}
	slices.SortFunc(due, time.Time.Compare)

	leases, err := m.store.lease(context.Background(), handled, n, valid)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	var taken []time.Time
	for _, l := range leases {
		r := m.tasks[l.name]
		if r == nil {
			t.Fatalf("lease took %s, which is not outstanding", l.name)
		}
		taken = append(taken, r.due)
		if r.token != 0 {
			r.crashes++
		}
		if slices.ContainsFunc(m.granted, func(o lease) bool { return o.token == l.token }) {
			t.Fatalf("two leases have the token %d", l.token)
		}
		r.token, r.due = l.token, time.Now().Add(valid)
		if diff := cmp.Diff(r.lease, l, cmp.AllowUnexported(lease{}, task{})); diff != "" {
			t.Fatalf("lease of %s (-want +got):\n%s", l.name, diff)
		}
		m.granted = append(m.granted, l)
	}
	slices.SortFunc(taken, time.Time.Compare) // the answer has no order
	if diff := cmp.Diff(due[:min(n, len(due))], taken); diff != "" {
		t.Fatalf("lease(%d): the tasks taken were due at (-want +got):\n%s", n, diff)
	}
}

// any draws a lease that was granted at some time, and returns what a call with it must return.
func (m *model) any(t *rapid.T) (l lease, r *row, want error) {
	if len(m.granted) == 0 {
		t.Skip("no lease was granted yet")
	}
	l = rapid.SampledFrom(m.granted).Draw(t, "lease")
	r = m.tasks[l.name]
	if r == nil || r.token != l.token {
		want = errLost
	}
	return l, r, want
}

func (m *model) renew(t *rapid.T) {
	l, r, lost := m.any(t)
	valid := seconds(t, "valid")
	got, err := m.store.renew(context.Background(), []lease{l}, valid)
	if err != nil || (len(got) > 0) != (lost != nil) {
		t.Fatalf("renew of a lease of %s returned %d lost leases and %v; that it is lost: %t", l.name, len(got), err, lost != nil)
	}
	if lost == nil {
		r.due = time.Now().Add(valid)
	}
}

func (m *model) complete(t *rapid.T) {
	l, _, want := m.any(t)
	if want == nil {
		delete(m.tasks, l.name)
	}
	if err := m.store.complete(context.Background(), l); !errors.Is(err, want) {
		t.Fatalf("complete with a lease of %s returned %v, want %v", l.name, err, want)
	}
}

func (m *model) giveBack(t *rapid.T) {
	l, r, want := m.any(t)
	h := restart.State{Attempts: l.history.Attempts + 1, Delay: seconds(t, "delay")}
	if want == nil {
		r.lease, r.due = lease{task: l.task, history: h}, time.Now().Add(h.Delay)
	}
	if err := m.store.giveBack(context.Background(), l, h); !errors.Is(err, want) {
		t.Fatalf("giveBack with a lease of %s returned %v, want %v", l.name, err, want)
	}
}

func (m *model) bury(t *rapid.T) {
	l, _, want := m.any(t)
	if want == nil {
		delete(m.tasks, l.name)
	}
	if err := m.store.bury(context.Background(), l, "reason"); !errors.Is(err, want) {
		t.Fatalf("bury with a lease of %s returned %v, want %v", l.name, err, want)
	}
}
