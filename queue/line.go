package queue

import (
	"unsafe"
)

// line is a linked list of the items of one key, in the order in which they were pushed.
// Its nodes are allocated by the [nodes] of the discipline.
type line[T any] struct {
	front, back *node[T]
	n           int
}

// node is an item in a line.
type node[T any] struct {
	item       T
	seq        int64 // increases with each item pushed
	cost       int64 // only used by Fair
	next, prev *node[T]
}

// push appends a node.
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

// pushFront prepends a node.
func (l *line[T]) pushFront(e *node[T]) {
	e.next = l.front
	if l.front == nil {
		l.back = e
	} else {
		l.front.prev = e
	}
	l.front = e
	l.n++
}

// remove unlinks a node of the line.
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

// nodes allocates and reuses the nodes of lines. A discipline of steady length allocates
// nothing. As in a [FIFO], the memory kept after a burst is limited, and shrinks each time
// the discipline becomes empty.
type nodes[T any] struct {
	spare  *node[T] // a list of free nodes, linked by next
	spares int      // its length
}

// minSpareNodes is the number of free nodes that are kept in any case.
const minSpareNodes = 1024

// alloc returns a node for an item.
func (p *nodes[T]) alloc(item T, seq, cost int64) *node[T] {
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

// free takes a node that is no longer in a line, and returns its item.
func (p *nodes[T]) free(e *node[T]) T {
	item := e.item
	*e = node[T]{} // do not keep the item reachable
	if p.spares < max(minSpareNodes, maxSpareBytes/int(unsafe.Sizeof(*e))) {
		e.next, p.spare = p.spare, e
		p.spares++
	}
	return item
}

// shrink drops some free nodes. A discipline calls it when it becomes empty.
func (p *nodes[T]) shrink() {
	for range min(segmentLen, p.spares-minSpareNodes) {
		p.spare = p.spare.next
		p.spares--
	}
}
