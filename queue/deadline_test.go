package queue_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/queue/queuetest"
)

// dueIn is the deadline of an item: its value in seconds after the epoch, and
// none for each third value.
func dueIn(i *queuetest.Item) (time.Time, bool) {
	return time.Unix(int64(i.Value), 0), i.Value%3 != 0
}

// enqueued lets a hundred items come in a second.
func enqueued(i *queuetest.Item) time.Time { return time.Unix(0, 1e7*int64(i.Seq)) }

func TestDeadlineConforms(t *testing.T) {
	for name, horizon := range map[string]time.Duration{"no horizon": 0, "horizon": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			key := func(i *queuetest.Item) int64 { // nanoseconds, without the package time: quick
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

// timedJob is work with a length and a deadline, both in seconds.
type timedJob struct{ length, due int }

// lateness is the largest lateness when one worker runs jobs in their order.
func lateness(jobs []timedJob) int {
	now, worst := 0, math.MinInt
	for _, j := range jobs {
		now += j.length
		worst = max(worst, now-j.due)
	}
	return worst
}

// best is the least largest lateness of all orders of jobs[n:].
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

// TestDeadlineMinimisesTheLargestLateness: of all orders of what is queued, none
// does better.
func TestDeadlineMinimisesTheLargestLateness(t *testing.T) {
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
			t.Fatalf("the largest lateness is %d in the order %v; the best order has %d", got, order, want)
		}
	})
}

// TestDeadlineTakesAnyTime: the extremes of time order as they should.
func TestDeadlineTakesAnyTime(t *testing.T) {
	never := time.Time{}.Add(-time.Hour) // stands for no deadline
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
