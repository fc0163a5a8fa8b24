package scheduler_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// pickyQueue cannot take some items.
type pickyQueue struct{ lifo[*job] }

func (q *pickyQueue) Push(j *job) {
	if j.id == 1 {
		panic("an item that the queue cannot take")
	}
	q.lifo.Push(j)
}

// TestDroppedThatCallsGoexitLosesNoBatch: it ends the goroutine of the submitter, which
// runs the rest of its batch all the same, and Stop does not wait for it.
func TestDroppedThatCallsGoexitLosesNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{
			Max: 1, Limit: 1, Overflow: scheduler.CallerRuns,
			Queue:   func() queue.Queue[*job] { return new(pickyQueue) },
			Dropped: func(*job, error) { runtime.Goexit() },
		})
		js := newJobs(6)
		for _, j := range js {
			j.end <- returns
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = r.pool.SubmitTogether(context.Background(), js)
		}()
		<-ended
		synctest.Wait()
		s := r.pool.Snapshot()
		check.Equal(t, "submitted, completed and dropped", []uint64{s.Submitted, s.Completed, s.Dropped}, []uint64{6, 5, 1})
		mustStop(t, r.pool)
	})
}
