// Package capacity gives the memory of slices and maps back after a burst.
package capacity

import (
	"iter"
	"maps"
)

// Kept is the number of elements for which a slice keeps room in any case.
const Kept = 4096

// Shrink returns s with half of its capacity if at most an eighth is in use and the capacity is
// larger than [Kept]. Otherwise it returns s as it is. The slice must then grow by a factor of 4
// before the next reallocation, so the cost of Shrink after each removal is O(1) amortised.
func Shrink[S ~[]E, E any](s S) S {
	if c := cap(s); c > Kept && len(s) <= c/8 {
		return append(make(S, 0, c/2), s...)
	}
	return s
}

// Map is a map that gives memory back, as the maps of Go do not. Room for [Kept] elements stays in
// any case. The zero value is an empty map. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	elements map[K]V
	peak     int // the largest length since elements was made
}

// Len returns the number of elements.
func (m *Map[K, V]) Len() int { return len(m.elements) }

// Keys ranges over the keys, in no particular order.
func (m *Map[K, V]) Keys() iter.Seq[K] { return maps.Keys(m.elements) }

// Get returns the value of a key, or the zero value if there is none.
func (m *Map[K, V]) Get(key K) V { return m.elements[key] }

// Set sets the value of a key.
func (m *Map[K, V]) Set(key K, value V) {
	if m.elements == nil {
		m.elements = make(map[K]V)
	}
	m.elements[key] = value
	m.peak = max(m.peak, len(m.elements))
}

// Delete removes a key. It costs O(1) amortised, since the length must grow by a factor of 8 before
// Delete copies the elements again.
func (m *Map[K, V]) Delete(key K) {
	delete(m.elements, key)
	if n := len(m.elements); m.peak > Kept && n <= m.peak/8 {
		kept := make(map[K]V, n)
		maps.Copy(kept, m.elements)
		m.elements, m.peak = kept, n
	}
}
