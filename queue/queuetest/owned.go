package queuetest

import (
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// owned is a queue with its optional interfaces, nil if the queue does not implement them.
// Its methods call the queue as an owner has to.
type owned struct {
	queue.Queue[*Item]
	remover   queue.Remover[*Item]
	evictor   queue.Evictor[*Item]
	finisher  queue.Finisher[*Item]
	holder    queue.Holder
	discarder queue.Discarder[*Item]
	drainer   queue.Drainer
	lender    queue.Lender[*Item]
	fronter   queue.Fronter[*Item]   // nil also if it cannot put items first
	previewer queue.Previewer[*Item] // nil also if it cannot tell its order
	clock     queue.Clocked          // nil also if the queue needs no time
	now       time.Time
}

func own(q queue.Queue[*Item]) *owned {
	o := &owned{Queue: q, now: time.Unix(0, 0)}
	o.remover, _ = q.(queue.Remover[*Item])
	o.evictor, _ = q.(queue.Evictor[*Item])
	o.finisher, _ = q.(queue.Finisher[*Item])
	o.holder, _ = q.(queue.Holder)
	o.discarder, _ = q.(queue.Discarder[*Item])
	o.drainer, _ = q.(queue.Drainer)
	o.lender, _ = q.(queue.Lender[*Item])
	if c, ok := q.(queue.Clocked); ok && c.NeedsTime() {
		o.clock = c
	}
	if f, ok := q.(queue.Fronter[*Item]); ok && f.CanPushFront() {
		o.fronter = f
	}
	if p, ok := q.(queue.Previewer[*Item]); ok && p.CanPreview() {
		o.previewer = p
	}
	return o
}

// canEvict reports whether the queue can find the victim.
func (o *owned) canEvict(v queue.Victim) bool { return o.evictor != nil && o.evictor.CanEvict(v) }

func (o *owned) tick() {
	if o.clock != nil {
		o.clock.Tick(o.now)
	}
}

func (o *owned) Push(item *Item) {
	o.tick()
	o.Queue.Push(item)
}

// PushFront requires that the queue can put items first.
func (o *owned) PushFront(item *Item) {
	o.tick()
	o.fronter.PushFront(item)
}

// Lent does nothing if the queue is not a queue.Lender.
func (o *owned) Lent(item *Item, lends bool) {
	if o.lender != nil {
		o.tick()
		o.lender.Lent(item, lends)
	}
}

// Preview requires that the queue is a queue.Previewer.
func (o *owned) Preview(n int) []*Item {
	o.tick()
	return o.previewer.Preview(n)
}

// Pop also returns the items that the queue has discarded.
func (o *owned) Pop() (item *Item, ok bool, given []discarded) {
	o.tick()
	item, ok = o.Queue.Pop()
	return item, ok, o.discarded()
}

// tellsEnds reports whether the ends of items matter: to a queue.Lender too, since an item continues
// before its end.
func (o *owned) tellsEnds() bool { return o.finisher != nil || o.lender != nil }

// Finish does nothing if the queue is not a queue.Finisher.
func (o *owned) Finish(item *Item, ran bool) {
	if o.finisher != nil {
		o.tick()
		o.finisher.Finish(item, ran)
	}
}

// Evict requires that canEvict is true.
func (o *owned) Evict(v queue.Victim) (*Item, bool) {
	o.tick()
	return o.evictor.Evict(v)
}

// Remove requires that the queue is a queue.Remover.
func (o *owned) Remove(gone func(*Item) bool) int {
	o.tick()
	return o.remover.Remove(gone)
}

// discarded is an item that the queue has given up, with the reason.
type discarded struct {
	item   *Item
	reason error
}

// discarded returns all items that the queue has given up.
func (o *owned) discarded() (given []discarded) {
	for o.discarder != nil {
		item, ok, reason := o.discarder.Discarded()
		if !ok {
			break
		}
		given = append(given, discarded{item, reason})
	}
	return given
}
