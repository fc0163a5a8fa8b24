package scheduler

// mostPreviewed bounds the time for which Next holds the lock of the pool.
const mostPreviewed = 1000

// Next returns at most n queued items, in the order in which the pool takes them if nothing else happens:
// no further submit, no change of the time, and no end of an item. It leaves out items that the queue holds
// back, and n above 1000 means 1000. It reports false if the queue cannot tell (see queue.Previewer); all
// disciplines of package queue can.
func (p *Pool[T]) Next(n int) (items []T, ok bool) {
	if p.previewer == nil {
		return nil, false
	}
	n = min(n, mostPreviewed)
	if n <= 0 {
		return nil, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickLocked()
	if p.fifo == nil {
		p.absorbInboxLocked()
	}
	items = p.waitingLocked(p.previewer.Preview(n + min(p.withdrawn, n)))
	if p.fifo != nil && p.inboxOpen && len(items) < n { // its items come after those of the queue
		p.inbox.mu.Lock()
		items = append(items, p.waitingLocked(p.inbox.items.Preview(n-len(items)))...)
		p.inbox.mu.Unlock()
	}
	return items[:min(n, len(items))], true
}

// waitingLocked returns the items that were not withdrawn. It changes the slice.
func (p *Pool[T]) waitingLocked(items []T) []T {
	if p.cfg.Hooks.Withdrawn == nil {
		return items
	}
	rest := items[:0]
	for _, item := range items {
		if !p.cfg.Hooks.Withdrawn(item) {
			rest = append(rest, item)
		}
	}
	return rest
}
