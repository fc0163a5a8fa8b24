package batch

import "iter"

// ring is a queue in a slice. The zero value is empty.
type ring[E any] struct {
	places []E // a power of two
	head   int
	n      int
}

// add adds an element at the end.
func (r *ring[E]) add(e E) {
	if r.n == len(r.places) {
		larger := make([]E, max(8, 2*r.n))
		for i := range r.n {
			larger[i] = r.places[(r.head+i)&(r.n-1)]
		}
		r.places, r.head = larger, 0
	}
	r.places[(r.head+r.n)&(len(r.places)-1)] = e
	r.n++
}

// first returns the first element, if there is one.
func (r *ring[E]) first() (e E, ok bool) {
	if r.n == 0 {
		return e, false
	}
	return r.places[r.head], true
}

// removeFirst removes the first element, which must exist.
func (r *ring[E]) removeFirst() {
	var none E
	r.places[r.head] = none
	r.head = (r.head + 1) & (len(r.places) - 1)
	r.n--
}

// all returns the elements in order.
func (r *ring[E]) all() iter.Seq[E] {
	return func(yield func(E) bool) {
		for i := range r.n {
			if !yield(r.places[(r.head+i)&(len(r.places)-1)]) {
				return
			}
		}
	}
}
