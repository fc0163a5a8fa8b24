package delay_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/delay"
)

// held is what the model knows of an entry: id, when it is due, and whether it
// has left the queue.
type held struct {
	id    int
	at    time.Time
	entry *delay.Entry[int]
	left  bool
}

// machine is a queue beside the obvious list.
type machine struct {
	q     *delay.Queue[int]
	all   []*held
	ended bool

	mu  sync.Mutex
	got []int // handed over, in order
}

func newMachine() *machine {
	m := &machine{}
	m.q = delay.NewQueue(func(id int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got = append(m.got, id)
	})
	return m
}

// due takes what must have been handed over by now out of the model, the
// earliest first. Of those due at the same moment any may come first.
func (m *machine) due() []*held {
	var out []*held
	for _, h := range m.all {
		if !h.left && !h.at.After(time.Now()) && !m.ended {
			h.left = true
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b *held) int { return a.at.Compare(b.at) })
	return out
}

func (m *machine) add(t *rapid.T) {
	d := time.Duration(rapid.IntRange(-1, 10).Draw(t, "seconds")) * time.Second
	h := &held{id: len(m.all), at: time.Now().Add(d)}
	h.entry = m.q.Add(h.id, d)
	if (h.entry == nil) != m.ended {
		t.Fatalf("Add returned %v on a queue stopped: %v", h.entry, m.ended)
	}
	h.left = m.ended
	m.all = append(m.all, h)
}

func (m *machine) remove(t *rapid.T) {
	held := slices.DeleteFunc(slices.Clone(m.all), func(h *held) bool { return h.entry == nil })
	if len(held) == 0 {
		t.Skip("nothing was added")
	}
	h := rapid.SampledFrom(held).Draw(t, "entry")
	if got := m.q.Remove(h.entry); got == h.left {
		t.Fatalf("Remove of %d returned %v; it left before: %v", h.id, got, h.left)
	}
	h.left = true
}

func (m *machine) pass(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
}

func (m *machine) stop(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "stop at 0") != 0 {
		t.Skip("not yet")
	}
	var want []*held
	for _, h := range m.all {
		if !h.left {
			h.left = true
			want = append(want, h)
		}
	}
	slices.SortStableFunc(want, func(a, b *held) int { return a.at.Compare(b.at) })
	got, quiet := m.q.Stop()
	<-quiet
	m.ended = true
	m.same(t, "Stop returned", got, want)
}

// same compares ids with a list in the order of time, up to the order of those
// due at the same moment.
func (m *machine) same(t *rapid.T, what string, got []int, want []*held) {
	t.Helper()
	ids := []int{}
	for _, h := range want {
		ids = append(ids, h.id)
	}
	sorted := slices.Clone(got)
	slices.SortStableFunc(sorted, func(a, b int) int {
		return cmp.Or(m.all[a].at.Compare(m.all[b].at), cmp.Compare(a, b))
	})
	if diff := gocmp.Diff(ids, append([]int{}, sorted...)); diff != "" {
		t.Fatalf("%s the wrong values (-want +got):\n%s", what, diff)
	}
	if !slices.IsSortedFunc(got, func(a, b int) int { return m.all[a].at.Compare(m.all[b].at) }) {
		t.Fatalf("%s %v, which is not the order in which they were due", what, got)
	}
}

func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	want := m.due()
	m.mu.Lock()
	got := m.got
	m.got = nil
	m.mu.Unlock()
	m.same(t, "handed over", got, want)
	n := 0
	for _, h := range m.all {
		if !h.left {
			n++
		}
	}
	if m.q.Len() != n {
		t.Fatalf("Len is %d, want %d", m.q.Len(), n)
	}
}

func TestEqualsASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine()
			t.Repeat(map[string]func(*rapid.T){
				"add": m.add, "add2": m.add, "remove": m.remove, "time": m.pass, "stop": m.stop, "": m.check,
			})
			time.Sleep(time.Minute)
			m.check(t)
			if n := m.q.Len(); n != 0 {
				t.Fatalf("%d values are left after a minute", n)
			}
		})
	})
}

// TestExactMoment: a value comes when it is due and not a nanosecond earlier.
func TestExactMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		came := make(chan time.Duration, 3)
		q := delay.NewQueue(func(time.Duration) { came <- time.Since(begin) })
		for _, d := range []time.Duration{3 * time.Second, time.Second, 2*time.Second + 1} {
			q.Add(d, d)
		}
		for _, want := range []time.Duration{time.Second, 2*time.Second + 1, 3 * time.Second} {
			if got := <-came; got != want {
				t.Errorf("a value came after %v, want %v", got, want)
			}
		}
	})
}

// TestSlowHandOver: a hand-over that takes its time does not hold up what falls
// due meanwhile; two calls may be under way at once.
func TestSlowHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var came time.Duration
		q := delay.NewQueue(func(slow bool) {
			if slow {
				time.Sleep(time.Minute)
				return
			}
			came = time.Since(begin)
		})
		q.Add(true, time.Second)
		q.Add(false, 2*time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if came != 2*time.Second {
			t.Errorf("a value due after 2s came after %v", came)
		}
	})
}

// TestAddFromHandOver: due may add, at once or later, to the queue that calls it.
func TestAddFromHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *delay.Queue[int]
		begin := time.Now()
		var came []time.Duration
		q = delay.NewQueue(func(left int) {
			came = append(came, time.Since(begin))
			if left > 0 {
				q.Add(left-1, time.Duration(left%2)*time.Second)
			}
		})
		q.Add(4, time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{time.Second, time.Second, 2 * time.Second, 2 * time.Second, 3 * time.Second}
		if diff := gocmp.Diff(want, came); diff != "" {
			t.Errorf("moments of the hand-overs (-want +got):\n%s", diff)
		}
	})
}

// TestExactlyOneGetsAValue races Remove and Stop with the hand-over.
func TestExactlyOneGetsAValue(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			const n = 20
			var mu sync.Mutex
			count := make([]int, n)
			get := func(i int) { mu.Lock(); count[i]++; mu.Unlock() }
			q := delay.NewQueue(get)
			entries := make([]*delay.Entry[int], n)
			for i := range n {
				entries[i] = q.Add(i, time.Second)
			}
			time.Sleep(time.Second) // all timers fire now
			for i, e := range entries {
				go func() {
					if q.Remove(e) {
						get(i)
					}
				}()
			}
			rest, quiet := q.Stop()
			for _, i := range rest {
				get(i)
			}
			<-quiet
			synctest.Wait()
			for i, c := range count {
				if c != 1 {
					t.Errorf("value %d was had %d times, want once", i, c)
				}
			}
		})
	}
}
