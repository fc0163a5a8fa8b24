package nats

import (
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// echoToken is the beginning of the last part of the subjects of echoes.
const echoToken = "echo-"

// echo is a message that comes back to the worker.
type echo struct {
	sent   time.Time
	source *source // that it goes to
}

// The server keeps the order of what a stream sends: tasks, and confirmations. So what comes after
// the confirmation of some message was sent by the server after the worker had sent that message.
// Nothing in a task tells when the server has delivered it; it may have been in a buffer for longer
// than the lease while the process was paused, or the network or the stream was blocked. A stream
// is blocked while it writes what has arrived: with a disk that is slow to sync, for seconds. A message to the
// worker's own inbox would overtake the tasks then.
//
// In a cluster, consumers have leaders of their own, and each asks the majority before it sends a
// task. The echo does not show what is blocked there for longer than a lease.

// echoSubject returns the subject of echoes by a consumer: that of settling a task that does not exist. An extension
// of its lease, which is confirmed like any other, does nothing.
func (w *Worker) echoSubject(durable string) string {
	return "$JS.ACK." + w.c.cfg.namespace + "." + durable + ".1." + strconv.FormatUint(1<<62, 10) + ".1.0.0"
}

// mostEchoes bounds the echoes that are remembered.
const mostEchoes = 64

// echo sends a message that comes back, by one consumer after the other.
func (p *puller) echo(now time.Time) {
	p.mu.Lock()
	s := p.sources[p.echoed%uint64(len(p.sources))]
	for i := range p.sources {
		if next := p.sources[(p.echoed+uint64(i))%uint64(len(p.sources))]; !next.gone {
			s = next
			break
		}
	}
	p.echoed++
	p.echoes = append(p.echoes, echo{sent: now, source: s})
	p.echoes = p.echoes[max(0, len(p.echoes)-mostEchoes):]
	number := p.echoed
	p.mu.Unlock()
	reply := p.inbox + echoToken + strconv.FormatUint(number, 36)
	if err := p.w.c.nc.PublishRequest(p.w.echoSubject(s.durable), reply, progressMark); err != nil {
		p.w.logs.errorf("echo", "nats: %s", clean(err.Error(), errorLimit))
	}
}

// heardEcho moves the floor, or notes that a consumer is gone.
func (p *puller) heardEcho(token string, m *natsgo.Msg) {
	number, err := strconv.ParseUint(token, 36, 64)
	p.mu.Lock()
	first := p.echoed - uint64(len(p.echoes)) + 1
	if err != nil || number < first || number > p.echoed {
		p.mu.Unlock()
		return
	}
	heard := p.echoes[number-first]
	if m.Header.Get("Status") == "503" { // nobody listens
		heard.source.gone = true
		p.mu.Unlock()
		p.signal()
		return
	}
	p.echoes = p.echoes[number-first+1:]
	old := p.floor
	p.floor = heard.sent
	p.mu.Unlock()
	if heard.sent.Sub(old) > share(p.w.c.cfg.lease, askUntil) {
		p.signal()
	}
}

// deaf reports whether the floor is so old that tasks which come now might be too old.
func (p *puller) deaf() bool {
	p.mu.Lock()
	age, unheard := time.Since(p.floor), len(p.echoes)
	p.mu.Unlock()
	if age > 2*p.w.c.cfg.lease && unheard > 8 && p.w.c.nc.IsConnected() {
		p.w.logs.errorf("floor", "nats: the worker takes no tasks, as the server does not confirm its messages in time: its disk or network is too slow for a lease of %v, its consumers have no leader, or the user of the worker lacks the right to extend leases, see Permissions", p.w.c.cfg.lease)
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
		d.acknowledge()
	}
}
