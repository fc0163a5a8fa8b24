package queue

import (
	"fmt"
	"maps"
)

// table stores a state of type V for each key. A state is active, or at rest and equal to
// a new one.
//
// States at rest stay in the table, because most keys come back. When they outnumber the
// active states by far, all of them are deleted, at an amortised cost of O(1) per state.
// A key that alternates between active and at rest therefore costs one map lookup each
// time, and keys that do not come back use no memory for long.
type table[K comparable, V any] struct {
	states map[K]*V
	active int  // number of active states
	spare  []*V // deleted states for reuse
	peak   int  // maximum of len(states) since the map was made
}

const (
	minStates      = 64   // a smaller table is not swept
	maxSpareStates = 1024 // limits len(spare)
)

// at returns the state of a key, and adds one if there is none.
func (t *table[K, V]) at(key K) *V {
	v := t.states[key]
	if v == nil {
		v = t.add(key)
	}
	return v
}

// add adds a state for a key that has none. It panics if the key is not equal to itself,
// like NaN, because such a key could not be found again.
func (t *table[K, V]) add(key K) *V {
	if key != key { //nolint:gocritic // this is how to tell NaN
		panic(fmt.Sprintf("queue: the key %v is not equal to itself", key))
	}
	var v *V
	if last := len(t.spare) - 1; last >= 0 {
		v, t.spare[last] = t.spare[last], nil
		t.spare = t.spare[:last]
	} else {
		v = new(V)
	}
	if t.states == nil {
		t.states = make(map[K]*V)
	}
	t.states[key] = v
	t.peak = max(t.peak, len(t.states))
	return v
}

// wake counts a state that becomes active.
func (t *table[K, V]) wake() { t.active++ }

// rest counts a state that comes to rest. The function resting reports whether a state is
// at rest.
func (t *table[K, V]) rest(resting func(*V) bool) {
	t.active--
	if len(t.states) >= minStates+4*t.active {
		t.sweep(resting)
	}
}

// sweep deletes the states at rest.
func (t *table[K, V]) sweep(resting func(*V) bool) {
	for key, v := range t.states {
		if !resting(v) {
			continue
		}
		delete(t.states, key)
		if len(t.spare) < maxSpareStates {
			*v = *new(V)
			t.spare = append(t.spare, v)
		}
	}
	if n := max(len(t.states), minStates); t.peak > 16*n { // a map does not shrink
		states := make(map[K]*V, n)
		maps.Copy(states, t.states)
		t.states, t.peak = states, len(states)
	}
}
