package nats

import (
	"strconv"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// asker sends requests and calls a function with each answer, without a goroutine, a channel or a timer for
// each of them. All answers come through one subscription.
type asker struct {
	nc     *natsgo.Conn
	prefix string
	sub    *natsgo.Subscription

	mu   sync.Mutex
	last uint64
	open map[uint64]ask // the requests without an answer; each leaves it once, and its function is called once then
}

// ask is a request that waits for its answer.
type ask struct {
	until time.Time
	// done gets the answer, or nil if none came in time or no server listens. It must not wait.
	done func(answer *natsgo.Msg)
}

func newAsker(nc *natsgo.Conn) (*asker, error) {
	a := &asker{nc: nc, prefix: nc.NewInbox() + ".", open: make(map[uint64]ask)}
	sub, err := nc.Subscribe(a.prefix+"*", a.answered)
	if err != nil {
		return nil, err
	}
	a.sub = sub
	return a, sub.SetPendingLimits(-1, -1)
}

// send sends a request. If it cannot be sent, done is called at once.
func (a *asker) send(m *natsgo.Msg, timeout time.Duration, done func(answer *natsgo.Msg)) {
	a.mu.Lock()
	a.last++
	n := a.last
	a.open[n] = ask{until: time.Now().Add(timeout), done: done}
	a.mu.Unlock()
	m.Reply = a.prefix + strconv.FormatUint(n, 36)
	if err := a.nc.PublishMsg(m); err != nil {
		a.finish(n, nil)
	}
}

func (a *asker) answered(m *natsgo.Msg) {
	n, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.prefix), 36, 64)
	if err != nil {
		return
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		m = nil
	}
	a.finish(n, m)
}

func (a *asker) finish(n uint64, m *natsgo.Msg) {
	a.mu.Lock()
	q, ok := a.open[n]
	delete(a.open, n)
	a.mu.Unlock()
	if ok {
		q.done(m)
	}
}

// expire ends the requests whose time is over. A zero time means all.
func (a *asker) expire(now time.Time) {
	var over []ask
	a.mu.Lock()
	for n, q := range a.open {
		if now.IsZero() || now.After(q.until) {
			over = append(over, q)
			delete(a.open, n)
		}
	}
	a.mu.Unlock()
	for _, q := range over {
		q.done(nil)
	}
}
