package queue

import (
	"fmt"
	"maps"
)

// table holds a state of type V for each key. A state that has come to rest
// could be dropped, as it is like new, but most keys come again: it stays until
// those at rest are the great majority and are swept out together, at a cost of
// O(1) for each time that one came to rest. So the keys of the past take no
// memory for long, and a key that comes and goes costs one look-up a time.
type table[K comparable, V any] struct {
	states map[K]*V
	active int  // states not at rest
	spare  []*V // swept out, to be used again
	peak   int  // the most states since the map was made
}

const (
	minStates      = 64
	maxSpareStates = 1024
)

// at returns the state of a key.
func (t *table[K, V]) at(key K) *V {
	v := t.states[key]
	if v == nil {
		v = t.add(key)
	}
	return v
}

// add makes a state for a key that has none. A key that is not equal to itself, and
// so could never be found again, is as impossible as one that cannot be compared.
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

// wake says that a state comes out of its rest.
func (t *table[K, V]) wake() { t.active++ }

// rest says that a state has come to rest. The function tells those that have.
func (t *table[K, V]) rest(resting func(*V) bool) {
	t.active--
	if len(t.states) >= minStates+4*t.active {
		t.sweep(resting)
	}
}

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
	if n := max(len(t.states), minStates); t.peak > 16*n { // maps do not shrink
		states := make(map[K]*V, n)
		maps.Copy(states, t.states)
		t.states, t.peak = states, len(states)
	}
}
