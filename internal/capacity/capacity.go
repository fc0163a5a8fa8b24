// Package capacity gives the memory of slices back after a burst.
package capacity

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
