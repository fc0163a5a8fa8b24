package delay_test

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/taskmanager/internal/delay"
)

// held is what the model knows of an entry: its id, when it is due, and whether it has left the
// queue.
type held struct {
	id    int
	at    time.Time
	entry *delay.Entry
	left  bool
}

// machine is a queue beside the obvious list.
type machine struct {
	q     *delay.Queue
	all   []*held
	ended bool

	paused bool
	stood  time.Duration // length of the pauses

	mu  sync.Mutex
	got []int // called, in order
}

func newMachine() *machine {
	return &machine{q: delay.NewQueue(nil)}
}

// now returns the time on a clock that stands still during a pause.
func (m *machine) now() time.Time { return time.Now().Add(-m.stood) }

// call is the function with an id.
func (m *machine) call(id int) func() {
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got = append(m.got, id)
	}
}

// due removes the entries that must have been called by now from the model, and returns them
// ordered by due time.
func (m *machine) due() []*held {
	var out []*held
	for _, h := range m.all {
		if !h.left && !h.at.After(m.now()) && !m.paused && !m.ended {
			h.left = true
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b *held) int { return a.at.Compare(b.at) })
	return out
}

func (m *machine) add(t *rapid.T) {
	d := time.Duration(rapid.IntRange(-1, 10).Draw(t, "seconds")) * time.Second
	h := &held{id: len(m.all), at: m.now().Add(d)}
	h.entry = m.q.Add(m.call(h.id), d)
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
	d := time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond
	time.Sleep(d)
	if m.paused {
		m.stood += d
	}
}

func (m *machine) pause(*rapid.T) {
	m.q.Pause()
	m.paused = true
}

func (m *machine) resume(*rapid.T) {
	m.q.Resume()
	m.paused = false
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
	rest, quiet := m.q.Stop()
	<-quiet
	m.ended = true
	for _, call := range rest {
		call()
	}
	m.same(t, "Stop returned", m.called(), want)
}

// called returns the ids of the functions that were called since it was last asked.
func (m *machine) called() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.got
	m.got = nil
	return got
}

// same compares ids with a list ordered by due time. The order of entries with equal due times
// does not matter.
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
		t.Fatalf("%s the wrong functions (-want +got):\n%s", what, diff)
	}
	if !slices.IsSortedFunc(got, func(a, b int) int { return m.all[a].at.Compare(m.all[b].at) }) {
		t.Fatalf("%s %v, which is not the order in which they were due", what, got)
	}
}

func (m *machine) check(t *rapid.T) {
	synctest.Wait()
	want := m.due()
	m.same(t, "called", m.called(), want)
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
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine()
			t.Repeat(map[string]func(*rapid.T){
				"add": m.add, "add2": m.add, "remove": m.remove, "time": m.pass, "stop": m.stop, "pause": m.pause, "resume": m.resume, "": m.check,
			})
			m.resume(t)
			time.Sleep(time.Minute)
			m.check(t)
			if n := m.q.Len(); n != 0 {
				t.Fatalf("%d entries are left after a minute", n)
			}
		})
	})
}

// TestExactMoment: a function is called when it is due and not a nanosecond earlier.
func TestExactMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		came := make(chan time.Duration, 3)
		q := delay.NewQueue(nil)
		for _, d := range []time.Duration{3 * time.Second, time.Second, 2*time.Second + 1} {
			q.Add(func() { came <- time.Since(begin) }, d)
		}
		for _, want := range []time.Duration{time.Second, 2*time.Second + 1, 3 * time.Second} {
			if got := <-came; got != want {
				t.Errorf("a function was called after %v, want %v", got, want)
			}
		}
	})
}

// late is the timer of a simulator: it fires a nanosecond late.
type late struct{ *time.Timer }

func (l late) Reset(d time.Duration) bool { return l.Timer.Reset(max(d, 0) + 1) }

// TestTimerOfASimulator: functions that are due at the same moment are called one by one, each when the
// timer of the simulator fires.
func TestTimerOfASimulator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := delay.NewQueue(func(ring func()) scheduler.Timer {
			timer := time.AfterFunc(time.Hour, ring)
			timer.Stop()
			return late{timer}
		})
		begin := time.Now()
		came := make(chan time.Duration, 3)
		for range 3 {
			q.Add(func() { came <- time.Since(begin) }, time.Second)
		}
		for i := range 3 {
			if got, want := <-came, time.Second+time.Duration(i)+1; got != want {
				t.Errorf("function %d was called after %v, want %v", i, got, want)
			}
		}
	})
}

// TestSlowCall: a slow function does not delay a function that is due later.
func TestSlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var came time.Duration
		q := delay.NewQueue(nil)
		q.Add(func() { time.Sleep(time.Minute) }, time.Second)
		q.Add(func() { came = time.Since(begin) }, 2*time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if came != 2*time.Second {
			t.Errorf("a function due after 2s was called after %v", came)
		}
	})
}

// TestAddFromCall: a function may add to the queue that calls it.
func TestAddFromCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := delay.NewQueue(nil)
		begin := time.Now()
		var came []time.Duration
		left := 4
		var call func()
		call = func() {
			came = append(came, time.Since(begin))
			if left > 0 {
				d := time.Duration(left%2) * time.Second
				left--
				q.Add(call, d)
			}
		}
		q.Add(call, time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{time.Second, time.Second, 2 * time.Second, 2 * time.Second, 3 * time.Second}
		if diff := gocmp.Diff(want, came); diff != "" {
			t.Errorf("moments of the calls (-want +got):\n%s", diff)
		}
	})
}

// TestExactlyOneGetsAFunction races Remove and Stop with the call.
func TestExactlyOneGetsAFunction(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			const n = 20
			var mu sync.Mutex
			count := make([]int, n)
			get := func(i int) { mu.Lock(); count[i]++; mu.Unlock() }
			q := delay.NewQueue(nil)
			entries := make([]*delay.Entry, n)
			for i := range n {
				entries[i] = q.Add(func() { get(i) }, time.Second)
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
			for _, call := range rest {
				call()
			}
			<-quiet
			synctest.Wait()
			for i, c := range count {
				if c != 1 {
					t.Errorf("function %d was called or taken out %d times, want once", i, c)
				}
			}
		})
	}
}

// TestSameMomentInTheOrderOfAdds adds functions that are due at one moment.
func TestSameMomentInTheOrderOfAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := delay.NewQueue(nil)
		var got, want []int
		for i := range 100 {
			q.Add(func() { got = append(got, i) }, time.Second)
			want = append(want, i)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		check.Equal(t, "order", got, want)
		q.Stop()
	})
}

// TestQueueShrinks checks that the memory of a queue is given back after a burst, whether its
// functions are called or removed.
func TestQueueShrinks(t *testing.T) {
	const burst = 100_000
	ways := map[string]func(q *delay.Queue, entries []*delay.Entry){
		"called": func(*delay.Queue, []*delay.Entry) { time.Sleep(time.Hour); synctest.Wait() },
		"removed": func(q *delay.Queue, entries []*delay.Entry) {
			for _, e := range entries {
				q.Remove(e)
			}
		},
	}
	for name, leave := range ways {
		synctest.Test(t, func(t *testing.T) {
			q := delay.NewQueue(nil)
			q.Add(func() {}, 2*time.Hour)
			entries := make([]*delay.Entry, burst)
			for i := range entries {
				entries[i] = q.Add(func() {}, time.Duration(i)*time.Millisecond)
			}
			leave(q, entries)
			if n, room := q.Len(), q.Room(); n != 1 || room > burst/16 {
				t.Errorf("%d entries are left after all were %s, in memory for %d", n, name, room)
			}
			q.Stop()
		})
	}
}

// TestDelayBeyondTheRangeOfADuration adds a function that is never called, and one that is.
func TestDelayBeyondTheRangeOfADuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		q := delay.NewQueue(nil)
		time.Sleep(time.Hour)
		called := make(chan string, 2)
		q.Add(func() { called <- "never" }, math.MaxInt64)
		q.Add(func() { called <- "never" }, math.MaxInt64-1)
		q.Add(func() { called <- "in time" }, time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := q.Len(); n != 2 || <-called != "in time" || len(called) != 0 {
			t.Errorf("%d entries are left, want the two that are due in 292 years", n)
		}
		q.Stop()
	})
}

// TestFunctionWaitsForAnotherOfTheSameMoment lets each function block until all later ones that
// are due at the same moment have been called.
func TestFunctionWaitsForAnotherOfTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const functions = 20
		q := delay.NewQueue(nil)
		called := make([]chan struct{}, functions+1)
		for i := range called {
			called[i] = make(chan struct{})
		}
		close(called[functions])
		for i := range functions {
			q.Add(func() { <-called[i+1]; close(called[i]) }, time.Second)
		}
		<-called[0]
		_, quiet := q.Stop()
		<-quiet
	})
}
