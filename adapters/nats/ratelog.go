package nats

import (
	"slices"
	"sync"
	"time"
)

// rateLog logs messages of a kind at most every ten seconds, and then how many it has left out: a
// fault of the server hits all tasks.
type rateLog struct {
	to logger

	mu   sync.Mutex
	last map[string]*logged
}

type logged struct {
	at   time.Time
	more int
}

const logEvery = 10 * time.Second

func (r *rateLog) errorf(what, format string, args ...any) {
	now := time.Now()
	r.mu.Lock()
	if r.last == nil || len(r.last) > 1000 { // users choose some of the kinds of messages
		r.last = make(map[string]*logged)
	}
	l := r.last[what]
	if l == nil {
		l = &logged{}
		r.last[what] = l
	}
	if !l.at.IsZero() && now.Sub(l.at) < logEvery {
		l.more++
		r.mu.Unlock()
		return
	}
	more := l.more
	l.at, l.more = now, 0
	r.mu.Unlock()
	if more > 0 {
		format, args = format+" (and %d more such messages before)", append(slices.Clip(args), more)
	}
	r.to.errorf(format, args...)
}
