package scheduler

// sweepDueLocked reports whether the queue has so many withdrawn items that a sweep costs
// O(1) for each of them. Fewer suffice if they keep other items from running, because they
// count for the limit of their key.
func (p *Pool[T]) sweepDueLocked() bool {
	if !p.sweeps() {
		return false
	}
	n := p.queue.Len() + p.inboxLenLocked()
	if p.holder != nil {
		return 8*p.withdrawn >= n
	}
	return p.withdrawn == n || p.withdrawn > 16 && p.withdrawn > n/2
}

// sweeps reports whether the pool can find withdrawn items in its queue.
func (p *Pool[T]) sweeps() bool {
	return p.remover != nil && (p.cfg.Hooks.Withdrawn != nil || !p.early.Empty())
}

// sweepIfDueLocked removes the withdrawn items from the queue if there are many.
func (p *Pool[T]) sweepIfDueLocked() {
	if p.sweepDueLocked() {
		p.absorbInboxLocked()
		p.sweepLocked()
	}
}

// sweepRestLocked empties the queue if all items in it are withdrawn, since no worker comes
// for them.
func (p *Pool[T]) sweepRestLocked() {
	if p.withdrawn > 0 && p.withdrawn == p.queue.Len() && p.sweeps() {
		p.sweepLocked()
	}
}

// sweepLocked removes the withdrawn items from the queue.
func (p *Pool[T]) sweepLocked() {
	p.tickLocked()
	defer p.collectDiscardedLocked()
	if p.meter == nil {
		p.withdrawn -= p.remover.Remove(p.goneLocked)
		return
	}
	verdicts := make([]bool, 0, p.queue.Len())
	p.withdrawn -= p.remover.Remove(func(item T) bool {
		gone := p.goneLocked(item)
		verdicts = append(verdicts, gone)
		return gone
	})
	p.meter.sweep(verdicts)
}

// goneLocked reports whether an item in the queue was withdrawn or its submitter has given up.
// The caller must remove the item then.
func (p *Pool[T]) goneLocked(item T) bool {
	if e := p.early.First(item); e != nil && e.Value == nil {
		p.early.Remove(e)
		return true
	}
	if p.cfg.Hooks.Withdrawn == nil || !p.cfg.Hooks.Withdrawn(item) {
		return false
	}
	p.leftLocked(item) // its submitter may wait
	return true
}
