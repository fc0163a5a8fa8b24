// Package multiset implements a set that may contain equal keys several times.
package multiset

import (
	"reflect"

	"github.com/seed56799101/taskmanager/internal/capacity"
)

// Set is a multiset of keys, each with a value. The zero Set is empty. All methods take
// amortised constant time, for any number of equal keys. A Set is not safe for concurrent use.
type Set[V any] struct {
	// first has the first entry of each key. The entries of a key form a ring.
	first capacity.Map[any, *Entry[V]]
}

// Entry is one occurrence of a key. The zero Entry is in no set.
type Entry[V any] struct {
	Value      V
	key        any
	next, prev *Entry[V]
}

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
func (s *Set[V]) Empty() bool { return s.first.Len() == 0 }

// First returns the first entry of a key, or nil. The key can be any value, also one that a
// set cannot hold.
func (s *Set[V]) First(key any) *Entry[V] {
	if s.Empty() || !CanHold(key) {
		return nil
	}
	return s.first.Get(key)
}

// Add adds e, which is in no set, as the last entry of a key that the set can hold.
func (s *Set[V]) Add(e *Entry[V], key any, value V) {
	e.key, e.Value = key, value
	first := s.first.Get(key)
	if first == nil {
		s.first.Set(key, e)
		e.next, e.prev = e, e
		return
	}
	e.next, e.prev = first, first.prev
	e.prev.next, e.next.prev = e, e
}

// ToFront makes e, which is in the set, the first entry of its key.
func (s *Set[V]) ToFront(e *Entry[V]) {
	first := s.first.Get(e.key)
	if e == first {
		return
	}
	e.next.prev, e.prev.next = e.prev, e.next
	e.next, e.prev = first, first.prev
	e.prev.next, e.next.prev = e, e
	s.first.Set(e.key, e)
}

// Remove removes e from the set. It does nothing if e is in no set.
func (s *Set[V]) Remove(e *Entry[V]) {
	switch {
	case e.next == nil:
		return
	case e.next != e:
		e.next.prev, e.prev.next = e.prev, e.next
		if s.first.Get(e.key) == e {
			s.first.Set(e.key, e.next)
		}
	default:
		s.first.Delete(e.key)
	}
	*e = Entry[V]{}
}
