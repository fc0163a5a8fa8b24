package dashboard_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// weightsOf returns the weights of keys, and what they deserve.
func weightsOf(v keys) map[string][2]float64 {
	all := map[string][2]float64{}
	for _, k := range v.Keys {
		all[k.Key] = [2]float64{float64(k.Weight), k.Deserved}
	}
	return all
}

// A weight may become invalid while tasks of its key run; it is unknown then, and so is what the key deserves.
func TestInvalidWeights(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var weight atomic.Int64
		weight.Store(3)
		weights := func(key string) int {
			if key == "a" {
				return int(weight.Load())
			}
			return 1
		}
		m, d := watched(t, taskmanager.WithQueue(taskmanager.Fair(weights)))
		run(t, m, "x", succeed, taskmanager.WithKey("a"))
		equal(t, "at first", weightsOf(get[keys](t, d, "keys")), map[string][2]float64{"a": {3, 1}})
		weight.Store(0)
		equal(t, "a moment later", weightsOf(get[keys](t, d, "keys")), map[string][2]float64{"a": {3, 1}})
		time.Sleep(5 * time.Second)
		v := get[keys](t, d, "keys")
		equal(t, "with an invalid weight", weightsOf(v), map[string][2]float64{"a": {-1, -1}})
		equal(t, "fair", v.Fair, true)
		run(t, m, "y", succeed, taskmanager.WithKey("b"))
		equal(t, "beside a valid weight", weightsOf(get[keys](t, d, "keys")), map[string][2]float64{"a": {-1, -1}, "b": {1, 1}})
	})
}

// A function of weights that does not answer delays a page once, and hides nothing else. That the discipline is
// fair is not asked again.
func TestWeightsThatDoNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var stuck atomic.Bool
		var calls atomic.Int64
		release := make(chan struct{})
		weights := func(string) int {
			calls.Add(1)
			if stuck.Load() {
				<-release
			}
			return 1
		}
		m, d := watched(t, taskmanager.WithQueue(taskmanager.Fair(weights)))
		for _, key := range []string{"a", "b", "c"} {
			run(t, m, key, succeed, taskmanager.WithKey(key))
		}
		type meta struct{ Managers []struct{ Fair bool } }
		fair := func() {
			t.Helper()
			if !get[meta](t, d, "meta").Managers[0].Fair || !get[keys](t, d, "keys").Fair {
				t.Error("the discipline is not fair")
			}
		}
		fair()
		stuck.Store(true)
		time.Sleep(10 * time.Second)
		before, begin := calls.Load(), time.Now()
		fair()
		equal(t, "weights", weightsOf(get[keys](t, d, "keys")), map[string][2]float64{"a": {-1, -1}, "b": {-1, -1}, "c": {-1, -1}})
		equal(t, "duration", time.Since(begin), 50*time.Millisecond)
		equal(t, "calls", calls.Load()-before, 1)
		close(release)
		synctest.Wait()
		time.Sleep(30 * time.Second)
		equal(t, "weights later", weightsOf(get[keys](t, d, "keys"))["a"], [2]float64{1, 1.0 / 3})
	})
}
