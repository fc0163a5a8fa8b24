package scheduler_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// ride is the result of a scaler under a load.
type ride struct {
	waits  []time.Duration // ascending
	turns  int             // changes of direction of the number of workers
	peak   int             // largest number of workers
	growth []int           // numbers of workers during the first growth
}

// phase is a part of a load.
type phase struct{ rate, seconds int }

// The load rises from 20 items per second to 200 and falls again, or it starts after a quiet
// hour.
var (
	steps      = []phase{{20, 10}, {200, 20}, {20, 20}}
	afterAWait = []phase{{20, 2}, {0, 3600}, {200, 20}}
)

// stepLoad runs items that take 100 ms in a pool of 1 to 100 workers.
func stepLoad(t *testing.T, s scale.Scaler[scale.Snapshot], load []phase) (r ride) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		pool, err := scheduler.NewPool(scheduler.Config[time.Time]{Min: 1, Max: 100, IdleTimeout: time.Second, Scaler: s},
			func(_ int32, submitted time.Time) {
				mu.Lock()
				r.waits = append(r.waits, time.Since(submitted))
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			})
		if err != nil {
			t.Fatal(err)
		}
		workers, rising := 1, true
		observe := func() {
			synctest.Wait()
			now := pool.Snapshot().Workers
			if now != workers && now > workers != rising {
				r.turns++
				rising = now > workers
			}
			if now > workers && r.turns == 0 {
				r.growth = append(r.growth, now)
			}
			workers = now
			r.peak = max(r.peak, now)
		}
		for _, phase := range load {
			if phase.rate == 0 {
				time.Sleep(time.Duration(phase.seconds) * time.Second)
			}
			for range phase.rate * phase.seconds {
				if err := pool.Submit(context.Background(), time.Now()); err != nil {
					t.Fatal(err)
				}
				observe()
				time.Sleep(time.Second / time.Duration(phase.rate))
				observe()
			}
		}
		mustDrain(t, pool)
	})
	slices.Sort(r.waits)
	return r
}

func (r ride) p99() time.Duration { return r.waits[len(r.waits)*99/100] }

// TestStepLoad checks that Demand under Stabilise follows a tenfold rise of the load with
// short waits and few changes of direction.
func TestStepLoad(t *testing.T) {
	r := stepLoad(t, scale.Stabilise(5*time.Second, scale.Demand(1)), steps)
	t.Logf("p99 of the waits %v, %d turns, at most %d workers", r.p99(), r.turns, r.peak)
	if r.p99() > 20*time.Millisecond {
		t.Errorf("p99 of the waits is %v, want at most 20ms", r.p99())
	}
	if r.turns > 30 {
		t.Errorf("the number of workers turned %d times, want at most 30", r.turns)
	}
}

// TestStepLoadOfOld checks that Step waits for half a second and then jumps half-way to the
// maximum each time.
func TestStepLoadOfOld(t *testing.T) {
	r := stepLoad(t, scale.Step(0), steps)
	t.Logf("p99 of the waits %v, %d turns, workers %v", r.p99(), r.turns, r.growth)
	if len(r.growth) == 0 || r.growth[0] != 51 {
		t.Errorf("the numbers of workers were %v; want the first jump to go half-way from 1 to 100", r.growth)
	}
	if r.p99() < 300*time.Millisecond {
		t.Errorf("p99 of the waits is %v; want some of the half second before a jump", r.p99())
	}
}

// TestStepLoadUnderTheOthers checks that scalers that measure keep up with the load.
func TestStepLoadUnderTheOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		scaler scale.Scaler[scale.Snapshot]
		load   []phase
	}{
		"TargetWait":               {scale.TargetWait(scale.TargetWaitConfig{}), steps},
		"TargetWait after a wait":  {scale.TargetWait(scale.TargetWaitConfig{}), afterAWait},
		"Utilisation":              {scale.Utilisation(scale.UtilisationConfig{}), steps},
		"Utilisation after a wait": {scale.Utilisation(scale.UtilisationConfig{}), afterAWait},
	} {
		t.Run(name, func(t *testing.T) {
			r := stepLoad(t, tc.scaler, tc.load)
			t.Logf("p99 of the waits %v, %d turns, at most %d workers", r.p99(), r.turns, r.peak)
			if late := r.waits[len(r.waits)*95/100]; late > 100*time.Millisecond {
				t.Errorf("p95 of the waits is %v, want at most 100ms", late)
			}
			if r.peak > 60 {
				t.Errorf("there were up to %d workers for a load of 20, want no more than three times that", r.peak)
			}
		})
	}
}

// TestProbeFindsTheBestNumber checks that Probe stays near the peak of the throughput, at
// eight workers, although items always wait, and also when it starts far above.
func TestProbeFindsTheBestNumber(t *testing.T) {
	const best = 8
	for _, begin := range []int{1, 30} {
		synctest.Test(t, func(t *testing.T) {
			var pool *scheduler.Pool[int]
			pool, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Max: 40, Scaler: scale.Probe(time.Second)},
				func(int32, int) {
					busy := pool.Snapshot().Busy
					slow := 1.0
					if busy > best { // each further worker slows down all
						slow += 0.3 * float64(busy-best)
					}
					time.Sleep(time.Duration(slow * float64(10*time.Millisecond)))
				})
			if err != nil {
				t.Fatal(err)
			}
			if err := pool.Resize(begin, 40); err != nil {
				t.Fatal(err)
			}
			if err := pool.SubmitAll(context.Background(), make([]int, 200_000)); err != nil {
				t.Fatal(err)
			}
			if err := pool.Resize(1, 40); err != nil {
				t.Fatal(err)
			}
			time.Sleep(60 * time.Second)
			sum := 0
			const seconds = 60
			for range seconds {
				time.Sleep(time.Second)
				sum += pool.Snapshot().Workers
			}
			if mean := float64(sum) / seconds; mean < best-2 || mean > best+2 {
				t.Errorf("from %d workers on, there are %.1f on average after a minute; want about %d", begin, mean, best)
			}
			mustStop(t, pool)
		})
	}
}
