package queue

// wrapped is a queue inside another one, with its optional interfaces, which are nil if it does
// not implement them.
type wrapped[T any] struct {
	Queue[T]

	remover   Remover[T]
	evictor   Evictor[T]
	finisher  Finisher[T]
	holder    Holder
	clock     Clocked
	discarder Discarder[T]
	drainer   Drainer
	fronter   Fronter[T]
	lender    Lender[T]
	previewer Previewer[T]
}

func wrap[T any](q Queue[T]) wrapped[T] {
	w := wrapped[T]{Queue: q}
	w.remover, _ = q.(Remover[T])
	w.evictor, _ = q.(Evictor[T])
	w.finisher, _ = q.(Finisher[T])
	w.holder, _ = q.(Holder)
	w.clock, _ = q.(Clocked)
	w.discarder, _ = q.(Discarder[T])
	w.drainer, _ = q.(Drainer)
	w.fronter, _ = q.(Fronter[T])
	w.lender, _ = q.(Lender[T])
	w.previewer, _ = q.(Previewer[T])
	return w
}

// needsTime reports whether the owner has to call Tick.
func (w *wrapped[T]) needsTime() bool { return w.clock != nil && w.clock.NeedsTime() }

// canPushFront reports whether the queue can put an item first.
func (w *wrapped[T]) canPushFront() bool { return w.fronter != nil && w.fronter.CanPushFront() }

// drain passes a call of Drain on.
func (w *wrapped[T]) drain() {
	if w.drainer != nil {
		w.drainer.Drain()
	}
}

// lent passes a call of Lent on.
func (w *wrapped[T]) lent(item T, lends bool) {
	if w.lender != nil {
		w.lender.Lent(item, lends)
	}
}

// put adds an item at the back or, if front is true, at the front.
func (w *wrapped[T]) put(item T, front bool) {
	if front {
		w.fronter.PushFront(item)
	} else {
		w.Push(item)
	}
}
