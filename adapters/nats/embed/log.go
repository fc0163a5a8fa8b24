package embed

import (
	"fmt"
	"sync"
)

// serverLog passes on what the server logs, and keeps why it failed to start, since the server has
// no other way to say it.
type serverLog struct {
	to       Logger        // may be nil
	broken   chan struct{} // of capacity 1; receives after a failed write
	disabled chan struct{} // of capacity 1; receives when the server ends JetStream after a failed write

	mu     sync.Mutex
	failed error // the first failure
}

func (l *serverLog) Noticef(format string, v ...any) { l.info(format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.Errorf(format, v...) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

// Errorf may be called with locks of the server held.
func (l *serverLog) Errorf(format string, v ...any) {
	if isDisabling(format) { // first, since heal looks for it
		signal(l.disabled)
	}
	if isWriteError(format) {
		signal(l.broken)
	}
	l.error(format, v)
}

// signal sends to a channel, unless what it says is known.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	if l.failed == nil {
		l.failed = fmt.Errorf("embed: the server cannot start: "+format, v...)
	}
	l.mu.Unlock()
	l.error(format, v)
}

// failure is why the server failed, or nil.
func (l *serverLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *serverLog) info(format string, v []any) {
	if l.to != nil {
		l.to.Infof("nats-server: "+format, v...)
	}
}

func (l *serverLog) error(format string, v []any) {
	if l.to != nil {
		l.to.Errorf("nats-server: "+format, v...)
	}
}

// report logs an error of this package.
func (l *serverLog) report(format string, v ...any) {
	if l.to != nil {
		l.to.Errorf(format, v...)
	}
}
