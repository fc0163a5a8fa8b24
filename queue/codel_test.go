package queue_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// delayed is a model of CoDel. It records all waits in an interval.
type delayed struct {
	cfg        queue.CoDelConfig
	now        time.Time
	items      []*queuetest.Item
	at         []time.Time
	shed       []*queuetest.Item
	end        time.Time // of the interval; zero if none has begun
	waits      []time.Duration
	overloaded bool
	draining   bool
}

func (q *delayed) NeedsTime() bool    { return true }
func (q *delayed) Tick(now time.Time) { q.now = now }
func (q *delayed) Len() int           { return len(q.items) }
func (q *delayed) Drain()             { q.draining = true }

func (q *delayed) Push(i *queuetest.Item) {
	if len(q.items) == 0 {
		q.see(0)
	}
	q.items, q.at = append(q.items, i), append(q.at, q.now)
}

func (q *delayed) take(n int) (*queuetest.Item, bool) {
	if len(q.items) == 0 {
		return nil, false
	}
	i := q.items[n]
	q.items, q.at = slices.Delete(q.items, n, n+1), slices.Delete(q.at, n, n+1)
	return i, true
}

func (q *delayed) see(wait time.Duration) {
	if !q.now.Before(q.end) {
		q.overloaded = len(q.waits) > 0 && slices.Min(q.waits) > q.cfg.Target
		q.end, q.waits = q.now.Add(q.cfg.Interval), nil
	}
	if q.overloaded && wait <= q.cfg.Target {
		q.overloaded = false
		q.end, q.waits = q.now.Add(q.cfg.Interval), nil
	}
	q.waits = append(q.waits, wait)
}

func (q *delayed) Pop() (*queuetest.Item, bool) {
	if q.draining {
		return q.take(0)
	}
	for len(q.items) > 0 {
		wait := q.now.Sub(q.at[0])
		q.see(wait)
		if !q.overloaded || wait <= 2*q.cfg.Target {
			if q.overloaded && q.cfg.AdaptiveLIFO {
				return q.take(len(q.items) - 1)
			}
			return q.take(0)
		}
		i, _ := q.take(0)
		q.shed = append(q.shed, i)
	}
	q.see(0)
	return nil, false
}

func (q *delayed) Discarded() (*queuetest.Item, bool, error) {
	if len(q.shed) == 0 {
		return nil, false, nil
	}
	i := q.shed[0]
	q.shed = q.shed[1:]
	return i, true, queue.ErrShed
}

func (q *delayed) CanEvict(v queue.Victim) bool { return v == queue.Worst }

func (q *delayed) Evict(queue.Victim) (*queuetest.Item, bool) { return q.take(len(q.items) - 1) }

func (q *delayed) Remove(gone func(*queuetest.Item) bool) int {
	before := len(q.items)
	for n, i := range slices.Backward(q.items) {
		if gone(i) {
			q.take(n)
		}
	}
	return before - len(q.items)
}

func TestCoDelConforms(t *testing.T) {
	for _, cfg := range []queue.CoDelConfig{
		{}, {AdaptiveLIFO: true}, {Target: 3 * time.Millisecond, Interval: 8 * time.Millisecond},
		// Similar to the times by which the suite advances, so that items wait between
		// one and two targets during overload.
		{Target: 600 * time.Millisecond, Interval: 700 * time.Millisecond, AdaptiveLIFO: true},
		{Target: 600 * time.Millisecond, Interval: 700 * time.Millisecond},
	} {
		model := cfg
		if cfg.Target == 0 {
			model.Target, model.Interval = 5*time.Millisecond, 100*time.Millisecond
		}
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			queuetest.Run(t, queue.CoDel[*queuetest.Item](cfg),
				queuetest.WithModel(func() queue.Queue[*queuetest.Item] { return &delayed{cfg: model} }))
		})
	}
}

// TestCoDelShedsOnlyUnderLastingOverload checks that each item that is shed has waited for
// more than twice the target, and that for at least one interval the queue was not empty and
// no wait was within the target. The load varies, so that the queue is overloaded repeatedly.
func TestCoDelShedsOnlyUnderLastingOverload(t *testing.T) {
	sheds := 0
	rapid.Check(t, func(t *rapid.T) {
		const target, interval = 5 * time.Millisecond, 100 * time.Millisecond
		q := queue.CoDel[time.Time](queue.CoDelConfig{AdaptiveLIFO: rapid.Bool().Draw(t, "adaptive")})()
		clock := q.(queue.Clocked)
		now := time.Unix(0, 0)
		good := now // the last time at which a wait was within the target
		var front []time.Time
		see := func() {
			if len(front) == 0 || now.Sub(front[0]) <= target {
				good = now
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "waves") {
			load := rapid.Float64Range(0.3, 3).Draw(t, "load")
			pace := rapid.SampledFrom([]time.Duration{time.Millisecond, 7 * time.Millisecond, 90 * time.Millisecond}).Draw(t, "time of an item")
			arrivals := 0.0
			for range rapid.IntRange(1, 400).Draw(t, "items") {
				now = now.Add(pace)
				for arrivals += load; arrivals >= 1; arrivals-- {
					clock.Tick(now)
					q.Push(now)
					front = append(front, now)
				}
				clock.Tick(now)
				popped, ok := q.Pop()
				for _, shed := range discarded(q) {
					sheds++
					if wait := now.Sub(shed); wait <= 2*target {
						t.Fatalf("an item was shed after waiting for %v; want more than %v", wait, 2*target)
					}
					if since := now.Sub(good); since < interval {
						t.Fatalf("an item was shed %v after a wait within the target; want at least %v", since, interval)
					}
					front = front[1:] // the oldest is shed first
				}
				see()
				if ok {
					front = slices.Delete(front, slices.Index(front, popped), slices.Index(front, popped)+1)
				}
			}
		}
	})
	if sheds == 0 && !t.Failed() {
		t.Error("no item was shed, so the test checked nothing")
	}
}

// TestCoDelAdaptiveLIFO checks that the newest item runs first during overload, and the
// oldest item after the first wait within the target.
func TestCoDelAdaptiveLIFO(t *testing.T) {
	q := queue.CoDel[string](queue.CoDelConfig{AdaptiveLIFO: true})()
	clock := q.(queue.Clocked)
	at := func(ms int) { clock.Tick(time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond)) }
	pop := func(want string) {
		t.Helper()
		if got, _ := q.Pop(); got != want {
			t.Errorf("Pop returned %q, want %q", got, want)
		}
	}
	at(0)
	for _, item := range []string{"a", "b", "old 1", "old 2"} {
		q.Push(item)
	}
	at(105)
	pop("a") // starts an interval in which all waits are above the target
	at(200)
	pop("b")
	for i := 201; i <= 204; i++ {
		at(i)
		q.Push(fmt.Sprint("at ", i))
	}
	at(210) // overload after that interval: the old items are shed
	pop("at 204")
	pop("at 203")
	at(211)
	q.Push("late")
	pop("late")
	pop("at 202")
	at(212) // the front has waited for 11 ms and is shed
	pop("")
	for _, item := range []string{"new 1", "new 2"} {
		q.Push(item)
	}
	pop("new 1") // the empty queue counted as a wait of 0
	check.Equal(t, "shed", discarded(q), []string{"old 1", "old 2", "at 201"})
}

// TestCoDelAcceptsAnyTime checks the zero time, and long periods without a call.
func TestCoDelAcceptsAnyTime(t *testing.T) {
	q := queue.CoDel[int](queue.CoDelConfig{})()
	clock := q.(queue.Clocked)
	for _, now := range []time.Time{{}, time.Unix(math.MaxInt32, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		clock.Tick(now)
		q.Push(1)
		if _, ok := q.Pop(); !ok {
			t.Errorf("Pop returned nothing at %v", now)
		}
	}
}

// TestCoDelEmptyQueueEndsOverload checks that waits before the queue became empty do not
// count afterwards, even without a Pop of the empty queue.
func TestCoDelEmptyQueueEndsOverload(t *testing.T) {
	q := queue.CoDel[int](queue.CoDelConfig{})()
	clock := q.(queue.Clocked)
	at := func(d time.Duration) { clock.Tick(time.Unix(0, 0).Add(d)) }
	at(0)
	q.Push(1)
	at(time.Second)
	if _, ok := q.Pop(); !ok { // after a wait of a second; leaves the queue empty
		t.Fatal("Pop returned nothing")
	}
	at(time.Minute)
	q.Push(2)
	at(time.Minute + 15*time.Millisecond)
	if _, ok := q.Pop(); !ok {
		t.Error("an item was shed that was pushed to a queue empty for a minute")
	}
}

// TestCoDelDoesNotFollowTheWallClock tells CoDel the times that time.Now returns when the wall clock is
// set forward and back. Nothing has waited for long.
func TestCoDelDoesNotFollowTheWallClock(t *testing.T) {
	clocked := queue.CoDel[int](queue.CoDelConfig{})()
	begin := time.Now()
	tick := func(passed, step time.Duration) {
		clocked.(queue.Clocked).Tick(clocktest.Stepped(begin.Add(passed), step))
	}
	for i := range 100 {
		step := []time.Duration{0, time.Hour, -time.Hour}[i%3]
		tick(time.Duration(i)*time.Millisecond, step)
		clocked.Push(i)
		clocked.Push(i)
		tick(time.Duration(i)*time.Millisecond, -step)
		for range 2 {
			if got, ok := clocked.Pop(); got != i || !ok {
				t.Fatalf("after %d ms Pop returned %v, %v; want %d", i, got, ok, i)
			}
		}
	}
}

// TestCoDelEndOfOverloadStartsAnInterval checks that the first wait within the target starts a new
// interval: nothing is shed in it, nor in the one after it.
func TestCoDelEndOfOverloadStartsAnInterval(t *testing.T) {
	q := queue.CoDel[string](queue.CoDelConfig{})()
	clock := q.(queue.Clocked)
	at := func(ms int) { clock.Tick(time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond)) }
	push := func(ms int, items ...string) {
		at(ms)
		for _, item := range items {
			q.Push(item)
		}
	}
	pop := func(ms int, want string) {
		t.Helper()
		at(ms)
		if got, _ := q.Pop(); got != want {
			t.Errorf("at %d ms Pop returned %q, want %q", ms, got, want)
		}
	}
	push(0, "a", "b", "shed")
	pop(105, "a") // an interval in which all waits are above the target
	push(198, "c")
	pop(200, "b")
	pop(206, "c") // overload, until 306 ms at the latest; c has waited for less than twice the target
	push(288, "d")
	push(289, "e", "f", "g", "h")
	pop(290, "d") // ends the overload and starts an interval
	pop(310, "e")
	pop(395, "f") // starts the next interval
	pop(412, "g") // more than an interval after the end of the old one
	check.Equal(t, "shed", discarded(q), []string{"shed"})
}
