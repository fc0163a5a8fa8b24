package taskmanager

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// Together they bound how many entries wait to be removed: about three thousand.
	limboLots = 32 // as many workers can end tasks without meeting
	lotSize   = 32
	mostFull  = 64 // full lots that are left to submits
)

// limbo holds what is left of ended tasks: the links to their entries in the names, which are
// to be removed. (Deferred reclamation calls such a list a limbo list.)
//
// A worker that removed each entry itself would fetch the shard, its tags and its entry
// from the processor of the submitter, who would then have to fetch them back: with one
// producer on two processors that was more than a third of all the time spent. So the
// worker only notes the link, in a lot of its own, and the next submit after a lot is full
// removes all of it: 32 entries, from what is in its cache. Where nobody submits, workers
// empty the lots beyond mostFull.
type limbo struct {
	lots [limboLots]struct {
		mu  sync.Mutex // guards lot
		lot *lot       // nil: none yet
		_   [112]byte
	}
	full atomic.Int32 // len(waiting): every submit looks at it
	_    [124]byte

	mu      sync.Mutex // guards the rest
	waiting []*lot
	spare   []*lot
	_       [72]byte
}

// lot is a number of entries that are to be removed.
type lot struct {
	n    int
	left [lotSize]*link
}

// remove has h, which must have an entry, end with err, and so frees its name. Nobody can
// see the one without the other, as they are the same: whoever learns of the end may use
// the name at once, and who finds no task outstanding may rely on all ends.
func (n *names) remove(h *Handle, err error) {
	worker, left := h.conclude(err)
	left.h.Store(nil)
	l := &n.limbo.lots[uint32(worker)%limboLots]
	l.mu.Lock()
	full := l.lot
	if full == nil {
		full = n.limbo.empty()
		l.lot = full
	}
	full.left[full.n] = left
	full.n++
	if full.n < lotSize {
		l.mu.Unlock()
		return
	}
	l.lot = nil
	l.mu.Unlock()
	if !n.limbo.offer(full) {
		n.sweep(full)
	}
}

// empty is a lot without entries.
func (l *limbo) empty() *lot {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.spare) - 1
	if last < 0 {
		return new(lot)
	}
	e := l.spare[last]
	l.spare = l.spare[:last]
	return e
}

// offer leaves a full lot to the submitters, unless they have enough of them.
func (l *limbo) offer(full *lot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == mostFull {
		return false
	}
	l.waiting = append(l.waiting, full)
	l.full.Store(int32(len(l.waiting)))
	return true
}

// clearLimbo removes the entries of a full lot, if there is one.
func (n *names) clearLimbo() {
	if full := n.limbo.take(); full != nil {
		n.sweep(full)
	}
}

// take is the lot that has been full for longest, or nil.
func (l *limbo) take() *lot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return nil
	}
	full := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	l.full.Store(int32(len(l.waiting)))
	return full
}

// sweep removes the entries of a lot, which belongs to the caller, and makes it a spare one.
func (n *names) sweep(full *lot) {
	for _, l := range full.left {
		n.shards[l.shard].release(l)
	}
	*full = lot{}
	l := &n.limbo
	l.mu.Lock()
	l.spare = append(l.spare, full)
	l.mu.Unlock()
}
