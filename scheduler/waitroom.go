package scheduler

import (
	"context"
	"fmt"
	"math"

	"github.com/seed56799101/taskmanager/internal/cause"
)

// roomWait is the wait of one or more calls of WaitRoom. While there is one, the pool is not
// plain, so that the end of an item takes the path on which it tells of the room. The calls cost
// nothing at other times.
type roomWait struct {
	woken chan struct{} // closed when there may be room; nil: no call waits
	calls int           // that wait
	ahead int           // the largest argument of the calls
	plain bool          // what Pool.plain was before
}

// WaitRoom waits until an item that is submitted now would find a worker, or be among the
// first ahead items that wait for one, and returns for how many items that holds. Call it
// before you fetch work from elsewhere, so as not to fetch more than can be run. It reserves
// nothing: other goroutines may submit items meanwhile.
//
// Items that the queue holds back count as waiting, and so do those whose submitters wait for
// room. [Config].Limit bounds ahead. There is no room while the pool is paused, nor while items that
// the queue holds back fill the limit, since a submit is not accepted then even if a worker is free.
//
// The error is [ErrStopped] when the pool accepts no more items, the cause of the end of ctx,
// [ErrNilContext], or says that ahead is negative.
func (p *Pool[T]) WaitRoom(ctx context.Context, ahead int) (n int, err error) {
	switch {
	case ctx == nil:
		return 0, ErrNilContext
	case ahead < 0:
		return 0, fmt.Errorf("scheduler: WaitRoom: ahead is %d; it must be 0 or more", ahead)
	}
	for {
		if ctx.Err() != nil {
			return 0, cause.Of(ctx)
		}
		p.mu.Lock()
		if p.phase != open || p.keeps {
			p.mu.Unlock()
			return 0, ErrStopped
		}
		if n := p.roomLocked(ahead); n > 0 {
			p.mu.Unlock()
			return n, nil
		}
		woken := p.awaitRoomLocked(ahead)
		p.mu.Unlock()
		select {
		case <-woken:
		case <-ctx.Done():
			p.leaveRoom(woken)
		}
	}
}

// leaveRoom notes that a call no longer waits. Without calls the pool is plain again.
func (p *Pool[T]) leaveRoom(woken <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.room
	if r.woken != woken { // there is or was room
		return
	}
	if r.calls--; r.calls == 0 {
		p.plain = r.plain
		*r = roomWait{}
	}
}

// roomLocked returns for how many more items there are workers, or places among the first
// ahead that wait. It may be negative.
func (p *Pool[T]) roomLocked(ahead int) int {
	if p.paused {
		return 0
	}
	if p.cfg.Limit != 0 {
		if p.heldLocked() >= max(p.cfg.Limit, 1) {
			return 0
		}
		ahead = min(ahead, max(p.cfg.Limit, 0)) // the limit is negative for HandOver
	}
	ahead = min(ahead, math.MaxInt32) // so that the sum does not overflow
	waiting := p.queuedLocked() + p.inboxLenLocked() + p.blocked + p.returning.Len()
	return p.ceiling - p.busyLocked() - waiting + ahead
}

// awaitRoomLocked returns a channel that is closed when there may be room.
func (p *Pool[T]) awaitRoomLocked(ahead int) (woken <-chan struct{}) {
	r := &p.room
	if r.woken == nil {
		*r = roomWait{woken: make(chan struct{}), plain: p.plain}
		p.plain = false
	}
	r.calls++
	r.ahead = max(r.ahead, ahead)
	return r.woken
}

// tellRoomLocked wakes the calls of WaitRoom if there is room, or none will come. Each change
// that may make room calls it.
func (p *Pool[T]) tellRoomLocked() {
	r := &p.room
	if r.woken == nil || p.phase == open && !p.keeps && p.roomLocked(r.ahead) <= 0 {
		return
	}
	close(r.woken)
	p.plain = r.plain
	*r = roomWait{}
}
