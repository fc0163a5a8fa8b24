package dashboard

import (
	"sync"
	"time"
)

// weightTime is the time for which a weight is not asked again. The function of the program may take long.
const weightTime = 5 * time.Second

// weights are those that a manager gives to keys. It is safe for concurrent use.
type weights struct {
	mu    sync.Mutex // guards the rest
	asked bool       // the manager has told whether it is fair
	fair  bool
	byKey map[string]weightOf // of the keys of the collector, which are few
}

// weightOf is the weight of a key at some time.
type weightOf struct {
	weight int // -1: unknown
	at     time.Time
}

// kept returns the last weight of a key, if there is one of the last seconds.
func (w *weights) kept(key string, now time.Time) (weight int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.byKey[key]
	return k.weight, ok && now.Sub(k.at) < weightTime
}

// keep notes a weight.
func (w *weights) keep(key string, weight int, fair bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.fair = true, w.fair || fair
	if w.byKey == nil {
		w.byKey = make(map[string]weightOf)
	}
	w.byKey[key] = weightOf{weight, time.Now()}
}

// known reports whether the discipline is fair, and whether that is known.
func (w *weights) known() (fair, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fair, w.asked
}

// weight returns the weight of a key, or -1 if there is none, if it is invalid, or if the function of
// the program does not answer.
func (x *managed) weight(key string, until time.Time) int {
	if weight, ok := x.weights.kept(key, time.Now()); ok {
		return weight
	}
	type told struct {
		weight         int
		fair, returned bool
	}
	// One function gives all weights, so all keys wait for a call that does not return.
	t, how := ask(&x.asker, &x.weights, until, func() (t told) {
		t.weight, t.fair = x.m.Weight(key)
		t.returned = true
		return t
	})
	if how != answered || !t.returned {
		return -1
	}
	if t.weight < 1 {
		t.weight = -1
	}
	x.weights.keep(key, t.weight, t.fair)
	return t.weight
}

// fair reports whether the discipline shares the workers between keys by weights. The answer never changes.
func (x *managed) fair(until time.Time) bool {
	if _, ok := x.weights.known(); !ok {
		x.weight("", until)
	}
	fair, _ := x.weights.known()
	return fair
}
