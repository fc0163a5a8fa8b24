package nats

import (
	"strconv"
	"time"
)

// echoToken is the beginning of the last part of the subjects of messages to itself.
const echoToken = "echo-"

// echo sends a message to the worker itself. All messages of the connection keep their order, so what comes
// after it was sent by the server after the echo was sent by the worker. Nothing in a task tells when
// the server has delivered it; it may have been in a buffer for longer than the lease while the process or
// the network stood still.
//
// In a cluster, the echo turns round in the server of the connection, and a task comes from the server that leads its
// consumer. What stands still between these two for longer than a lease, the echo does not show.
func (p *puller) echo(now time.Time) {
	p.mu.Lock()
	p.echoed++
	p.echoes = append(p.echoes, now)
	number := p.echoed
	p.mu.Unlock()
	if err := p.w.c.nc.Publish(p.inbox+echoToken+strconv.FormatUint(number, 36), nil); err != nil {
		p.w.logs.errorf("echo", "nats: %s", clean(err.Error(), errorLimit))
	}
}

// heardEcho moves the floor.
func (p *puller) heardEcho(token string) {
	number, err := strconv.ParseUint(token, 36, 64)
	p.mu.Lock()
	first := p.echoed - uint64(len(p.echoes)) + 1
	if err != nil || number < first || number > p.echoed {
		p.mu.Unlock()
		return
	}
	at := p.echoes[number-first]
	p.echoes = p.echoes[number-first+1:]
	old := p.floor
	p.floor = at
	p.mu.Unlock()
	if at.Sub(old) > share(p.w.c.cfg.lease, askUntil) {
		p.signal()
	}
}

// deaf reports whether the floor is so old that tasks which come now might be too old.
func (p *puller) deaf() bool {
	p.mu.Lock()
	age, unheard := time.Since(p.floor), len(p.echoes)
	p.mu.Unlock()
	if age > 2*p.w.c.cfg.lease && unheard > 8 && p.w.c.nc.IsConnected() {
		p.w.logs.errorf("floor", "nats: the worker takes no tasks, as it does not receive the messages that it sends to itself; its user needs the right to publish to its inbox, see Permissions")
	}
	return age > share(p.w.c.cfg.lease, askUntil)
}

// anchorFor is how long an acknowledgement is held back, at most.
const anchorFor = 5 * time.Millisecond

// hold keeps the acknowledgement of a task back until its source has sent the next one, for a few
// milliseconds at most. It reports whether it does.
//
// The server looks for the next task of a consumer fast, except when it has removed all messages
// before: then it goes through all subjects of the stream, which takes it 50 ms with a million of tasks. One
// message that is not removed yet prevents that.
func (p *puller) hold(d *delivery) bool {
	s := d.source
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.full || s.anchor != nil {
		return false
	}
	s.anchor = d
	if s.raise == nil {
		s.raise = time.AfterFunc(anchorFor, func() { p.raise(s) })
	} else {
		s.raise.Reset(anchorFor)
	}
	return true
}

// raise acknowledges the anchor of a source.
func (p *puller) raise(s *source) {
	p.mu.Lock()
	d := s.anchor
	s.anchor = nil
	p.mu.Unlock()
	if d != nil {
		d.acknowledge(1)
	}
}
