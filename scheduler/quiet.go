package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed56799101/taskmanager/internal/cause"
	"github.com/seed56799101/taskmanager/internal/text"
)

// WaitIdle and PauseWait wait for a state that the pool reaches when an item ends. The path of an
// item knows nothing of them: a worker looks for calls that wait only when it parks or leaves,
// because it has found nothing to take. Whatever else may bring the state about looks too: the end
// of an inline item and of a report to Config.Dropped (finishStopLocked), a withdrawal, and a
// submitter that gives up its wait for room.

// quietWait is a call of WaitIdle or PauseWait.
type quietWait struct {
	pause bool       // of PauseWait, so the end of the pause ends it
	over  chan error // of capacity 1; receives the result
}

// errResumed is the error of a PauseWait whose pause ended before it.
var errResumed = errors.New("scheduler: the pool was resumed before the running items had ended; call PauseWait again to wait for them")

// WaitIdle waits until the pool has nothing to do: no item waits in the queue or for room in
// it, none runs, and [Config].Dropped is not being called. Items may be submitted meanwhile;
// WaitIdle waits for those too, and for the rest of a batch whose items run inline under
// [CallerRuns]. It returns nil for a pool that has ended. A paused pool with waiting items does
// not become idle.
//
// If ctx ends first, WaitIdle returns an error that wraps its cause. For an item of the pool it
// returns [ErrWouldDeadlock], if the pool knows its items by their goroutines: with a
// [Config].Limit under [Block], or with [Hooks]. An item of another pool waits until ctx ends.
func (p *Pool[T]) WaitIdle(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if p.inside(ctx) {
		return ErrWouldDeadlock
	}
	p.mu.Lock()
	return p.awaitQuietAndUnlock(ctx, false)
}

// PauseWait pauses the pool, as [Pool.Pause] does, and waits until no item runs. Inline items
// under [CallerRuns], with the rest of an accepted batch of them, and items that have lent their
// slot count as running. When it has returned nil, no item runs until [Pool.Resume]. In a pool
// that is paused it only waits.
//
// If ctx ends first, PauseWait returns an error that wraps its cause, and the pool stays paused. A
// Resume ends the wait with an error. Close, Drain and Stop end the pause, and the wait with
// [ErrStopped]. An item that waits for another one, which is queued, does not end during a
// pause. For an item of the pool the same holds as in [Pool.WaitIdle].
func (p *Pool[T]) PauseWait(ctx context.Context) error {
	if ctx == nil {
		return ErrNilContext
	}
	if p.inside(ctx) {
		return ErrWouldDeadlock
	}
	p.mu.Lock()
	if p.phase != open {
		p.mu.Unlock()
		return ErrStopped
	}
	p.pauseLocked()
	return p.awaitQuietAndUnlock(ctx, true)
}

// awaitQuietAndUnlock waits until the pool is idle or, for PauseWait, no item runs.
func (p *Pool[T]) awaitQuietAndUnlock(ctx context.Context, pause bool) error {
	w := &quietWait{pause: pause, over: make(chan error, 1)}
	p.quiet = append(p.quiet, w)
	p.noteQuietLocked()
	p.mu.Unlock()
	select {
	case err := <-w.over:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(w.over) > 0 { // just before ctx ended
		return <-w.over
	}
	p.quiet = slices.DeleteFunc(p.quiet, func(other *quietWait) bool { return other == w })
	return fmt.Errorf("scheduler: %s running and %d queued still: %w",
		text.Count(p.runningLocked(), "item"), max(p.queuedLocked()+p.inboxLenLocked()+p.detached, 0), cause.Of(ctx))
}

// noteQuietLocked ends the calls whose state has come.
func (p *Pool[T]) noteQuietLocked() {
	if len(p.quiet) == 0 || p.runningLocked()+p.batches > 0 {
		return
	}
	idle := p.idleLocked()
	p.endQuietLocked(nil, func(w *quietWait) bool { return w.pause || idle })
}

// endPauseWaitsLocked ends the calls of PauseWait, since the pause has ended.
func (p *Pool[T]) endPauseWaitsLocked(reason error) {
	if len(p.quiet) > 0 {
		p.endQuietLocked(reason, func(w *quietWait) bool { return w.pause })
	}
}

// endQuietLocked ends some calls with a result.
func (p *Pool[T]) endQuietLocked(result error, which func(*quietWait) bool) {
	p.quiet = slices.DeleteFunc(p.quiet, func(w *quietWait) bool {
		if !which(w) {
			return false
		}
		w.over <- result
		return true
	})
}

// runningLocked returns the number of items that run, on workers or inline, or have lent their
// slot.
func (p *Pool[T]) runningLocked() int {
	return int(p.counts.started - p.endedLocked()) //nolint:gosec // as many as fit into memory
}

// idleLocked reports whether a pool in which no item runs has nothing to do. It may be wrong
// only while an item is withdrawn before its submit has pushed it.
func (p *Pool[T]) idleLocked() bool {
	return p.waiters.Len() == 0 && p.queuedLocked()+p.inboxLenLocked()+p.detached <= 0 && p.dropping+len(p.discarded) == 0
}
