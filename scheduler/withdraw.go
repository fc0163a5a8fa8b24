package scheduler

// Withdraw tells the pool that one item which waits was given up, so that
// Config.Withdrawn now reports true for it and Config.Claim false. The item no
// longer counts as queued and its room is free at once. Its memory is given back
// when it is popped, or earlier, if the queue can remove: when half of the queue has
// been withdrawn, an eighth of one that limits what runs, or all that is left.
//
// The mark on the item and this call are two steps, between which a worker may
// pop and skip the item: withdrawn is then below the true number for a moment,
// and this call makes up for it.
//
// An item may be withdrawn while it is being submitted. If the pool refuses it
// then, UndoWithdraw has to follow.
func (p *Pool[T]) Withdraw() {
	p.mu.Lock()
	if p.meter != nil {
		p.meter.advance(p)
	}
	p.withdrawn++
	p.rare.withdrawn++
	if p.sweepDue() {
		p.absorb()
		p.sweep()
	}
	p.admitWaiters()
	p.dispatch()
}

// sweepDue reports whether there are enough withdrawn items in the queue to take
// them out, at a cost that is O(1) for each. Where they keep others from running,
// since they count for the limit of their key, fewer are enough. mu is held.
func (p *Pool[T]) sweepDue() bool {
	if !p.sweeps() {
		return false
	}
	n := p.queue.Len() + p.inboxLen()
	if p.holder != nil {
		return 8*p.withdrawn >= n
	}
	return p.withdrawn == n || p.withdrawn > 16 && p.withdrawn > n/2
}

// sweeps reports whether withdrawn items can be found in the queue.
func (p *Pool[T]) sweeps() bool { return p.remover != nil && p.cfg.Hooks.Withdrawn != nil }

// sweepRest takes out what is left in the queue if all of it was withdrawn: no worker
// would come for that. mu is held.
func (p *Pool[T]) sweepRest() {
	if p.withdrawn > 0 && p.withdrawn == p.queue.Len() && p.sweeps() {
		p.sweep()
	}
}

// sweep takes the withdrawn items out of the queue. mu is held.
func (p *Pool[T]) sweep() {
	p.tick()
	defer p.collectDiscarded()
	if p.meter == nil {
		p.withdrawn -= p.remover.Remove(p.cfg.Hooks.Withdrawn)
		return
	}
	verdicts := make([]bool, 0, p.queue.Len())
	p.withdrawn -= p.remover.Remove(func(item T) bool {
		gone := p.cfg.Hooks.Withdrawn(item)
		verdicts = append(verdicts, gone)
		return gone
	})
	p.meter.sweep(verdicts)
}

// UndoWithdraw takes a Withdraw back, for an item that was withdrawn while it
// was being submitted, and then refused.
func (p *Pool[T]) UndoWithdraw() {
	p.mu.Lock()
	p.withdrawn--
	p.rare.withdrawn--
	p.mu.Unlock()
}
