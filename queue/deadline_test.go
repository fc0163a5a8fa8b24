package queue_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/clock/clocktest"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// dueIn returns the deadline of an item: its value in seconds since 1970. Multiples of 3
// mean no deadline.
func dueIn(i *queuetest.Item) (time.Time, bool) {
	return time.Unix(int64(i.Value), 0), i.Value%3 != 0
}

// enqueued returns the time of the push of an item, at 100 items per second.
func enqueued(i *queuetest.Item) time.Time { return time.Unix(0, 1e7*int64(i.Seq)) }

func TestDeadlineConforms(t *testing.T) {
	for name, horizon := range map[string]time.Duration{"no horizon": 0, "horizon": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			key := func(i *queuetest.Item) int64 { // in nanoseconds; faster than package time
				switch {
				case i.Value%3 != 0:
					return 1e9 * int64(i.Value)
				case horizon > 0:
					return 1e7*int64(i.Seq) + int64(horizon)
				default:
					return math.MaxInt64
				}
			}
			queuetest.Run(t, queue.Deadline(queue.DeadlineConfig[*queuetest.Item]{
				Deadline: dueIn, Horizon: horizon, Enqueued: enqueued,
			}), list(least(key), most(key)))
		})
	}
}

// timedJob is a job with a length and a deadline, both in seconds.
type timedJob struct{ length, due int }

// lateness returns the maximum lateness if one worker runs the jobs in this order.
func lateness(jobs []timedJob) int {
	now, worst := 0, math.MinInt
	for _, j := range jobs {
		now += j.length
		worst = max(worst, now-j.due)
	}
	return worst
}

// best returns the minimum, over all orders of jobs[n:], of the maximum lateness.
func best(jobs []timedJob, n int) int {
	if n == len(jobs) {
		return lateness(jobs)
	}
	least := math.MaxInt
	for i := n; i < len(jobs); i++ {
		jobs[n], jobs[i] = jobs[i], jobs[n]
		least = min(least, best(jobs, n+1))
		jobs[n], jobs[i] = jobs[i], jobs[n]
	}
	return least
}

// TestDeadlineMinimisesMaximumLateness compares the order with all other orders.
func TestDeadlineMinimisesMaximumLateness(t *testing.T) {
	newQueue := queue.Deadline(queue.DeadlineConfig[timedJob]{
		Deadline: func(j timedJob) (time.Time, bool) { return time.Unix(int64(j.due), 0), true },
	})
	rapid.Check(t, func(t *rapid.T) {
		jobs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) timedJob {
			return timedJob{rapid.IntRange(1, 9).Draw(t, "length"), rapid.IntRange(-5, 40).Draw(t, "due")}
		}), 1, 7).Draw(t, "jobs")
		q := newQueue()
		for _, j := range jobs {
			q.Push(j)
		}
		var order []timedJob
		for q.Len() > 0 {
			j, _ := q.Pop()
			order = append(order, j)
		}
		if got, want := lateness(order), best(jobs, 0); got != want {
			t.Fatalf("the maximum lateness in the order %v is %d; the minimum is %d", order, got, want)
		}
	})
}

// TestDeadlineAcceptsAnyTime checks times that do not fit into an int64 of nanoseconds.
func TestDeadlineAcceptsAnyTime(t *testing.T) {
	never := time.Time{}.Add(-time.Hour) // means no deadline
	q := queue.Deadline(queue.DeadlineConfig[time.Time]{
		Deadline: func(d time.Time) (time.Time, bool) { return d, !d.Equal(never) },
	})()
	want := []time.Time{
		{}, time.Unix(0, 0), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2261, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), never,
	}
	for i := range want {
		q.Push(want[len(want)-1-i])
	}
	var got []time.Time
	for q.Len() > 0 {
		d, _ := q.Pop()
		got = append(got, d)
	}
	check.Equal(t, "deadlines in order", got, want)
}

// TestDeadlineOrdersByTheMonotonicClock pushes items with the times that time.Now returns before and
// after the wall clock is set. The order is that of the monotonic clock, for deadlines and for
// items without one.
func TestDeadlineOrdersByTheMonotonicClock(t *testing.T) {
	const day = 24 * time.Hour
	type item struct {
		due, enqueued time.Time
		rank          int
	}
	begin := time.Now()
	at := func(left time.Duration, step time.Duration) time.Time {
		return clocktest.Stepped(begin.Add(left), step)
	}
	for _, step := range []time.Duration{day, -day} {
		q := queue.Deadline(queue.DeadlineConfig[item]{
			Deadline: func(i item) (time.Time, bool) { return i.due, !i.due.IsZero() },
			Horizon:  time.Hour,
			Enqueued: func(i item) time.Time { return i.enqueued },
		})()
		q.Push(item{due: at(3*time.Hour, 0), rank: 5})
		q.Push(item{enqueued: at(time.Minute, 0), rank: 2})
		q.Push(item{due: at(30*time.Minute, step), rank: 0})
		q.Push(item{due: at(2*time.Hour, step), rank: 4})
		q.Push(item{enqueued: at(2*time.Minute, step), rank: 3})
		q.Push(item{due: at(time.Hour, step), rank: 1})
		var ranks []int
		for range 6 {
			i, _ := q.Pop()
			ranks = append(ranks, i.rank)
		}
		check.Equal(t, "order", ranks, []int{0, 1, 2, 3, 4, 5})
	}
}
