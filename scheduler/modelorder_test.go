package scheduler_test

import (
	"cmp"
	"slices"
)

// order is the discipline of a pool.
type order int

const (
	fifo   order = iota
	lifoed       // newLIFO, which can only push and pop
	byLevel
)

// first returns the index of the item that runs next.
func (m *model) first() int {
	switch m.order {
	case lifoed:
		return len(m.queue) - 1
	case byLevel:
		return slices.Index(m.queue, slices.MaxFunc(m.queue, func(a, b *job) int { return cmp.Compare(a.level(), b.level()) }))
	default:
		return 0
	}
}

// worst returns the index of the item that ranks last.
func (m *model) worst() int {
	i := len(m.queue) - 1
	for k := i; m.order == byLevel && k >= 0; k-- {
		if m.queue[k].level() < m.queue[i].level() {
			i = k
		}
	}
	return i
}
