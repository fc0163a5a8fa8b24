package dashboard

import (
	"maps"
	"sync"
	"time"
)

// Bounds on calls of foreign code.
const (
	answerTime  = 50 * time.Millisecond  // for one call
	askingTime  = 250 * time.Millisecond // for all calls of a page; the rest is not asked
	silenceTime = 30 * time.Second       // for which code that did not answer is left alone
	callLimit   = 64                     // calls at the same time, those that do not return included
)

// asker calls foreign code, such as the Progress method of a task: each call on a goroutine of its
// own, which is left behind if the call does not return in time. It is safe for concurrent use.
type asker struct {
	mu    sync.Mutex // guards the rest
	calls int        // that have not returned
	mute  map[any]*silence
}

// silence is that of code that did not answer in time.
type silence struct {
	returned bool // the call has returned, in time or since
	until    time.Time
}

// over reports whether the code may be asked again.
func (s *silence) over(now time.Time) bool { return s.returned && !now.Before(s.until) }

// verdict says how a call went.
type verdict int

const (
	answered verdict = iota
	mute             // the code does not answer
	unasked          // the code was not called: there is no time, or too many calls do not return
)

// String returns the text that the page shows if the code gave none.
func (v verdict) String() string {
	switch v {
	case mute:
		return "(no answer)"
	case unasked:
		return "(not asked)"
	case answered:
	}
	return ""
}

// ask returns the result of a call of foreign code that belongs to whom, which must be comparable.
// A panic and a Goexit count as an answer: the zero value.
func ask[V any](a *asker, whom any, until time.Time, call func() V) (v V, how verdict) {
	now := time.Now()
	s, how := a.begin(whom, now, until)
	if how != answered {
		return v, how
	}
	result := make(chan V, 1)
	go func() {
		var v V
		defer func() {
			_ = recover()
			a.end(s)
			result <- v
		}()
		v = call()
	}()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case v = <-result:
		return v, answered
	case <-timer.C:
	}
	a.silence(whom, s, now)
	return v, mute
}

// begin counts a call, or says why there is none.
func (a *asker) begin(whom any, now, until time.Time) (*silence, verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.mute[whom]; s != nil && !s.over(now) {
		return nil, mute
	}
	if a.calls >= callLimit || now.After(until) {
		return nil, unasked
	}
	a.calls++
	delete(a.mute, whom)
	return new(silence), answered
}

// silence notes that code did not answer the call that began now.
func (a *asker) silence(whom any, s *silence, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.mute, func(_ any, s *silence) bool { return s.over(now) })
	if a.mute == nil {
		a.mute = make(map[any]*silence)
	}
	s.until = now.Add(silenceTime)
	a.mute[whom] = s
}

// end counts a call that has returned.
func (a *asker) end(s *silence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls--
	s.returned = true
}
