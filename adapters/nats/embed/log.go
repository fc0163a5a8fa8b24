package embed

import (
	"fmt"
	"sync"
)

// serverLog passes on what the server logs, and keeps why it failed to start, since the server has
// no other way to say it.
type serverLog struct {
	to Logger // may be nil

	mu     sync.Mutex
	failed error // the first failure
}

func (l *serverLog) Noticef(format string, v ...any) { l.info(format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.error(format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.error(format, v) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

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
