package scheduler

// admissibleLocked returns nil if n more items may be pushed, and ErrStopped or ErrQueueFull
// otherwise. It may release mu and lock it again.
func (p *Pool[T]) admissibleLocked(n int) error {
	if p.phase != open {
		return ErrStopped
	}
	if p.cfg.Limit == 0 || p.waiters.Len() == 0 && p.hasRoomLocked(n) {
		return nil
	}
	for grown := p.heldLocked() < max(p.cfg.Limit, 1); grown && p.waiters.Len() == 0 && p.workers < p.ceiling && !p.haltedLocked(); {
		// Growth makes room, unless held items fill the pool. If another submit has taken
		// that room, further growth may make more.
		workers := p.workers
		p.growForLocked(n)
		if p.phase != open {
			return ErrStopped
		}
		if p.waiters.Len() == 0 && p.hasRoomLocked(n) {
			return nil
		}
		grown = p.workers > workers
	}
	return ErrQueueFull
}

// hasRoomLocked reports whether n more items fit under the limit, which counts waiting items
// beyond those for which a worker is free.
func (p *Pool[T]) hasRoomLocked(n int) bool {
	switch p.cfg.Limit {
	case 0:
		return true
	case HandOver:
		return p.heldLocked() == 0 && p.queuedLocked()+n <= p.freeLocked()
	default:
		return p.heldLocked() < p.cfg.Limit && p.queuedLocked()-p.freeLocked()+n <= p.cfg.Limit
	}
}

// heldLocked returns the number of waiting items that the queue holds back, accepted or not.
// The queue may count withdrawn items as held, so all of these are subtracted. The result may
// be too small, which costs a worker too many; a result too large would cost a worker too few.
func (p *Pool[T]) heldLocked() int {
	if p.holder == nil {
		return 0
	}
	return max(p.holder.Held()-p.withdrawn, 0)
}

// queuedLocked returns the number of accepted items that wait in the queue.
func (p *Pool[T]) queuedLocked() int { return p.lenLocked() - p.withdrawn - p.pending }

// demandLocked returns the number of items that need a worker: those in the queue, accepted or
// not, without held ones, and those that wait in line.
func (p *Pool[T]) demandLocked() int { return p.queuedLocked() + p.blocked - p.heldLocked() }

// busyLocked returns the number of workers that run an item and have a slot.
func (p *Pool[T]) busyLocked() int {
	return int(p.counts.started-p.counts.completed-p.rare.failed) - p.inline - p.lent
}

// freeLocked returns the number of workers that can take an item.
func (p *Pool[T]) freeLocked() int {
	if p.haltedLocked() {
		return 0
	}
	return p.workers - p.busyLocked()
}

// haltedLocked reports whether a pause keeps the workers from taking items.
func (p *Pool[T]) haltedLocked() bool { return p.paused && p.phase == open }
