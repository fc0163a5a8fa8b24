package scheduler_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// overload submits 1.2 times the items that the workers can run, at random times, for twenty
// seconds of virtual time. It returns the share of items that started within 100 ms.
func overload(t *testing.T, discipline queue.Factory[time.Time]) (inTime float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		const (
			workers  = 10
			service  = 10 * time.Millisecond
			capacity = workers * time.Second / service // items per second
			rate     = 1.2 * float64(capacity)
			items    = int(20 * rate)
			good     = 100 * time.Millisecond
		)
		var started [workers]int // per worker, so that no lock is needed
		pool, err := scheduler.NewPool(
			scheduler.Config[time.Time]{Min: workers, Max: workers, Queue: discipline},
			func(worker int32, submitted time.Time) {
				if time.Since(submitted) <= good {
					started[worker-1]++
				}
				time.Sleep(service)
			})
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
		for range items {
			time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
			if err := pool.Submit(context.Background(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		mustStop(t, pool)
		sum := 0
		for _, n := range started {
			sum += n
		}
		inTime = float64(sum) / float64(items)
	})
	return inTime
}

// TestCoDelKeepsServingUnderOverload checks that at 1.2 times the capacity CoDel starts at
// least 80% of the items within 100 ms, of 83% that are possible, and a FIFO less than 5%.
func TestCoDelKeepsServingUnderOverload(t *testing.T) {
	for _, tc := range []struct {
		name        string
		discipline  queue.Factory[time.Time]
		least, most float64
	}{
		{"FIFO", queue.NewFIFO[time.Time], 0, 0.05},
		{"CoDel", queue.CoDel[time.Time](queue.CoDelConfig{}), 0.80, 1},
		{"CoDel, adaptive LIFO", queue.CoDel[time.Time](queue.CoDelConfig{AdaptiveLIFO: true}), 0.80, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := overload(t, tc.discipline)
			t.Logf("%.1f%% started within 100 ms", 100*got)
			if got < tc.least || got > tc.most {
				t.Errorf("%.1f%% started within 100 ms, want %.0f%% to %.0f%%", 100*got, 100*tc.least, 100*tc.most)
			}
		})
	}
}

// TestCoDelMeasuresWaitsFromTheSubmit checks that an item which was submitted while all workers
// were busy has waited since then, not since a worker looked for it.
func TestCoDelMeasuresWaitsFromTheSubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []time.Duration
		pool, err := scheduler.NewPool(
			scheduler.Config[time.Duration]{Min: 1, Max: 1, Queue: queue.CoDel[time.Duration](queue.CoDelConfig{})},
			func(_ int32, takes time.Duration) {
				ran = append(ran, takes)
				time.Sleep(takes)
			})
		if err != nil {
			t.Fatal(err)
		}
		// The wait of the second item shows the overload, in whose interval the third is shed.
		for _, takes := range []time.Duration{time.Second, queue.DefaultCoDelInterval, 0} {
			check.Equal(t, "Submit", pool.Submit(t.Context(), takes), nil)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		mustStop(t, pool)
		check.Equal(t, "items that ran", ran, []time.Duration{time.Second, queue.DefaultCoDelInterval})
		check.Equal(t, "items that were shed", pool.Snapshot().Shed, 1)
	})
}
