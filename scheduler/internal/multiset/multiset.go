// Package multiset implements a set that may contain equal keys several times.
package multiset

import "reflect"

// Set is a multiset of keys, each with a value. The zero Set is empty. All methods take
// constant time, for any number of equal keys. A Set is not safe for concurrent use.
type Set[V any] struct {
	// first has the first entry of each key. The entries of a key form a ring.
	first map[any]*Entry[V]
	most  int // the largest number of keys so far
}

// Entry is one occurrence of a key. The zero Entry is in no set.
type Entry[V any] struct {
	Value      V
	key        any
	next, prev *Entry[V]
}

// keptKeys is the number of keys up to which an empty set keeps its map. A map does not
// shrink.
const keptKeys = 64

// CanHold reports whether a set can hold a key: its dynamic type is comparable, and it is
// equal to itself, unlike NaN.
func CanHold(key any) bool {
	if t := reflect.TypeOf(key); t == nil || t.Kind() == reflect.Pointer {
		return true // Comparable allocates
	}
	other := key
	return reflect.ValueOf(key).Comparable() && key == other
}

// Empty reports whether the set is empty.
func (s *Set[V]) Empty() bool { return len(s.first) == 0 }

// First returns the first entry of a key, or nil. The key can be any value, also one that a
// set cannot hold.
func (s *Set[V]) First(key any) *Entry[V] {
	if len(s.first) == 0 || !CanHold(key) {
		return nil
	}
	return s.first[key]
}

// Add adds e, which is in no set, as the last entry of a key that the set can hold.
func (s *Set[V]) Add(e *Entry[V], key any, value V) {
	if s.first == nil {
		s.first = make(map[any]*Entry[V])
	}
	e.key, e.Value = key, value
	first := s.first[key]
	if first == nil {
		s.first[key] = e
		e.next, e.prev = e, e
		s.most = max(s.most, len(s.first))
		return
	}
	e.next, e.prev = first, first.prev
	e.prev.next, e.next.prev = e, e
}

// ToFront makes e, which is in the set, the first entry of its key.
func (s *Set[V]) ToFront(e *Entry[V]) {
	first := s.first[e.key]
	if e == first {
		return
	}
	e.next.prev, e.prev.next = e.prev, e.next
	e.next, e.prev = first, first.prev
	e.prev.next, e.next.prev = e, e
	s.first[e.key] = e
}

// Remove removes e from the set. It does nothing if e is in no set.
func (s *Set[V]) Remove(e *Entry[V]) {
	switch {
	case e.next == nil:
		return
	case e.next != e:
		e.next.prev, e.prev.next = e.prev, e.next
		if s.first[e.key] == e {
			s.first[e.key] = e.next
		}
	default:
		delete(s.first, e.key)
		if len(s.first) == 0 && s.most > keptKeys {
			*s = Set[V]{}
		}
	}
	*e = Entry[V]{}
}
