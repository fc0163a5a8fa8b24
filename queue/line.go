package queue

import (
	"unsafe"
)

// line is a list of the items of one key, in the order of arrival. Disciplines
// that sort items by key have one for each. Its nodes come from the
// discipline's [nodes].
type line[T any] struct {
	front, back *node[T]
	n           int
}

// node is an item in a line.
type node[T any] struct {
	item       T
	seq        int64 // the place of the item in the order of arrival
	cost       int64 // what the item costs, in a discipline that wants to know
	next, prev *node[T]
}

// push adds a node at the back.
func (l *line[T]) push(e *node[T]) {
	e.prev = l.back
	if l.back == nil {
		l.front = e
	} else {
		l.back.next = e
	}
	l.back = e
	l.n++
}

// remove takes out a node of the line.
func (l *line[T]) remove(e *node[T]) {
	if e.prev == nil {
		l.front = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.back = e.prev
	} else {
		e.next.prev = e.prev
	}
	l.n--
}

// nodes keeps the nodes that lines have no use for, to be used again: a
// discipline of steady depth allocates nothing. As in a [FIFO], what a burst
// took is given back in two steps.
type nodes[T any] struct {
	spare  *node[T]
	spares int
}

const minSpareNodes = 1024

// of returns a node for an item.
func (p *nodes[T]) of(item T, seq, cost int64) *node[T] {
	e := p.spare
	if e == nil {
		e = new(node[T])
	} else {
		p.spare = e.next
		p.spares--
	}
	*e = node[T]{item: item, seq: seq, cost: cost}
	return e
}

// free takes back a node that is in no line any more, and returns its item.
func (p *nodes[T]) free(e *node[T]) T {
	item := e.item
	*e = node[T]{} // the item can be collected
	if p.spares < max(minSpareNodes, maxSpareBytes/int(unsafe.Sizeof(*e))) {
		e.next, p.spare = p.spare, e
		p.spares++
	}
	return item
}

// dwindle lets some spare nodes go. Disciplines call it when they run empty.
func (p *nodes[T]) dwindle() {
	for range min(segmentLen, p.spares-minSpareNodes) {
		p.spare = p.spare.next
		p.spares--
	}
}
