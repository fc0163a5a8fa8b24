package scheduler_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// submitEach calls Submit for each job in order, each in its own goroutine. A submitter that
// still waits at the end is refused when the pool stops.
func submitEach(t *testing.T, r *rig, js []*job) {
	t.Helper()
	for _, j := range js {
		go submitOne(t, r, j)
		synctest.Wait()
	}
}

func submitOne(t *testing.T, r *rig, j *job) {
	if err := r.pool.Submit(t.Context(), j); err != nil && !errors.Is(err, scheduler.ErrStopped) {
		t.Errorf("Submit of %v: %v", j, err)
	}
}

func TestSubmittersAreAdmittedInOrder(t *testing.T) {
	for _, limit := range []int{scheduler.HandOver, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Min: 1, Max: 1, Limit: limit})
			js := newJobs(10)
			submitEach(t, r, js)
			check.Equal(t, "queued", r.pool.Snapshot().Queued, max(limit, 0))
			for i, j := range js {
				synctest.Wait()
				check.Equal(t, "running", r.running(), ids(js[i:i+1]))
				j.end <- returns
			}
			synctest.Wait()
			mustStop(t, r.pool)
		})
	}
}

// TestResumeGrowsForWaitingSubmitters checks that items whose submitters wait for room get
// new workers, up to the maximum.
func TestResumeGrowsForWaitingSubmitters(t *testing.T) {
	for _, limit := range []int{scheduler.HandOver, 1, 3} {
		t.Run(fmt.Sprint("limit=", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Max: 6, Limit: limit})
				defer r.close(t)
				r.pool.Pause()
				js := newJobs(5)
				submitEach(t, r, js)
				r.pool.Resume()
				synctest.Wait()
				check.Equal(t, "running", r.running(), ids(js))
			})
		})
	}
}

func TestResizeGrowsForWaitingSubmitters(t *testing.T) {
	for _, limit := range []int{scheduler.HandOver, 1, 3} {
		t.Run(fmt.Sprint("limit=", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: limit})
				defer r.close(t)
				js := newJobs(6)
				submitEach(t, r, js)
				if err := r.pool.Resize(0, 8); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				check.Equal(t, "running", r.running(), ids(js))
			})
		})
	}
}

// TestHandOverWithStep checks that a scaler that decides by waiting times sees submitters
// that wait for room, since no item waits in the queue.
func TestHandOverWithStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 4, Limit: scheduler.HandOver, Scaler: scale.Step(500 * time.Millisecond)})
		defer r.close(t)
		j := newJob(1)
		submitEach(t, r, []*job{j})
		time.Sleep(time.Minute)
		synctest.Wait()
		check.Equal(t, "running after a minute", r.running(), []int{1})
	})
}

// TestHandOverGrowsForSubmittersThatComeTogether checks that of several submitters at the
// same moment none waits while the pool is below its maximum.
func TestHandOverGrowsForSubmittersThatComeTogether(t *testing.T) {
	const n = 8
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Max: n, Limit: scheduler.HandOver})
			defer r.close(t)
			start := make(chan struct{})
			for _, j := range newJobs(n) {
				go func() {
					<-start
					submitOne(t, r, j)
				}()
			}
			close(start)
			synctest.Wait()
			if got := len(r.running()); got != n {
				t.Errorf("%d of %d items run, on %d of at most %d workers", got, n, r.pool.Snapshot().Workers, n)
			}
		})
		if t.Failed() {
			return
		}
	}
}
