package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Bounds on calls of the source of a cluster.
const (
	turnTime     = time.Second     // from the begin of a call to that of the next one
	freshTime    = time.Second     // for which an answer serves all requests
	longestTurn  = 4 * time.Second // that a request waits for its turn
	sourceTime   = 5 * time.Second // for a call
	pendingLimit = 8               // calls that have begun or will, and those that do not return
)

// turns calls the source of a cluster, once in turnTime at most, and keeps the answers. It is safe for concurrent use.
type turns struct {
	ctx context.Context // ends with the dashboard

	mu      sync.Mutex // guards the rest; not held during a call
	next    time.Time  // before which no call begins
	pending int
	kept    map[any]*heard // by question
}

// heard is an answer of the source, which may not be there yet.
type heard struct {
	done   chan struct{} // closed when the rest is set
	at     time.Time
	answer any
	err    error
}

// ask returns the answer to a question, which must be comparable. Equal questions within freshTime have the same
// answer. ctx is that of the request: if it ends, others still get the answer.
func (t *turns) ask(ctx context.Context, question any, call func(ctx context.Context) (any, error)) (any, error) {
	h, err := t.turn(question, call)
	if err != nil {
		return nil, err
	}
	select {
	case <-h.done:
		return h.answer, h.err
	case <-ctx.Done():
		return nil, &failure{http.StatusServiceUnavailable, "the request has ended"}
	}
}

// turn returns the kept answer to a question, or arranges a call.
func (t *turns) turn(question any, call func(ctx context.Context) (any, error)) (*heard, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(t.kept, func(_ any, h *heard) bool { return isClosed(h.done) && now.Sub(h.at) >= freshTime })
	if h := t.kept[question]; h != nil {
		return h, nil
	}
	if err := t.fullLocked(); err != nil {
		return nil, err
	}
	begin := t.next
	if begin.Before(now) {
		begin = now
	}
	if begin.Sub(now) > longestTurn {
		return nil, &failure{http.StatusServiceUnavailable, "too many different requests for this cluster at the same time; try again"}
	}
	t.next = begin.Add(turnTime)
	t.pending++
	h := &heard{done: make(chan struct{})}
	if t.kept == nil {
		t.kept = make(map[any]*heard)
	}
	t.kept[question] = h
	go t.fetch(h, begin, call)
	return h, nil
}

// fullLocked returns an error if the source does not answer, or the dashboard is closed.
func (t *turns) fullLocked() error {
	switch {
	case t.ctx.Err() != nil:
		return &failure{http.StatusServiceUnavailable, "the dashboard is closed"}
	case t.pending >= pendingLimit:
		return errSilent
	}
	return nil
}

// errSilent is the failure of calls that do not return.
var errSilent = &failure{http.StatusGatewayTimeout, "the cluster does not answer; the page tries again"}

// fetch makes a call when its turn comes.
func (t *turns) fetch(h *heard, begin time.Time, call func(ctx context.Context) (any, error)) {
	timer := time.NewTimer(time.Until(begin))
	defer timer.Stop()
	select {
	case <-timer.C:
		h.answer, h.err = t.call(call)
	case <-t.ctx.Done():
		t.returned()
		h.err = &failure{http.StatusServiceUnavailable, "the dashboard is closed"}
	}
	h.at = time.Now()
	close(h.done)
}

// act calls the source at once, since a user waits for it. The kept answers are then old, and the next question has to
// wait for its turn.
func (t *turns) act(call func(ctx context.Context) error) error {
	t.mu.Lock()
	err := t.fullLocked()
	if err == nil {
		t.pending++
	}
	t.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = t.call(func(ctx context.Context) (any, error) { return nil, call(ctx) })
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.kept)
	if next := time.Now().Add(turnTime); t.next.Before(next) {
		t.next = next
	}
	return err
}

// call calls the source on a goroutine of its own, which is left behind if the call does not return in time.
// The caller has counted it.
func (t *turns) call(call func(ctx context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(t.ctx, sourceTime)
	defer cancel()
	result := make(chan heard, 1)
	go func() {
		defer t.returned()
		h := heard{err: &failure{http.StatusBadGateway, "the source of the cluster ended its goroutine"}} // by Goexit
		defer func() {
			if v := recover(); v != nil {
				slog.Error("dashboard: the source of a cluster panicked", "panic", v, "stack", string(debug.Stack()))
				h = heard{err: &failure{http.StatusBadGateway, "the source of the cluster panicked; the log of the program tells more"}}
			}
			result <- h
		}()
		h.answer, h.err = call(ctx)
	}()
	select {
	case h := <-result:
		if h.err != nil && ctx.Err() != nil { // the error is about the deadline
			return nil, errSilent
		}
		return h.answer, sourceFailure(h.err)
	case <-ctx.Done():
		return nil, errSilent
	}
}

// returned counts a call that has returned.
func (t *turns) returned() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending--
}

// sourceFailure returns the failure for an error of a source, which may be nil.
func sourceFailure(err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &failure{http.StatusBadGateway, "the cluster: " + errorText(err)}
}
