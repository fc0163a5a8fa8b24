package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/observe"
)

// puller asks the consumers for tasks. It sends its requests itself and has one subscription for all answers, which
// lasts until the worker drains: a task that comes late is taken or given back. With the pull calls of the
// client of NATS, each of which has its own subscription, a task that comes when the call has ended is lost until its
// lease ends, and counts as a crash.
//
// When there is room for tasks, the sources are polled in the order of their levels. When all are
// empty, each is asked to send a task as soon as it has one, and the worker is silent until then. These waits
// cannot be taken back, so a task may arrive when the room is used up; it is given back.
type puller struct {
	w     *Worker
	inbox string // the prefix of the subjects of answers
	sub   *natsgo.Subscription
	wake  chan struct{} // has a token if something has changed for the goroutine of run

	mu      sync.Mutex // guards the fields of the sources that change, and these:
	floor   time.Time  // whatever comes now, the server has sent after this time; see echo.go
	echoes  []echo     // that have not come back; the last one has the number echoed
	echoed  uint64
	sources []*source // from the highest level, the kinds of a level next to each other
	byName  map[string]int
	// Only the goroutine of run uses these.
	turn     int           // of the order of kinds
	patience time.Duration // how long a source counts as empty while others have tasks
}

const (
	// pollTimeout is when a poll without an answer is taken for lost.
	pollTimeout = 2 * time.Second
	// consumerTimeout bounds a request about a consumer.
	consumerTimeout = 5 * time.Second
	// waitBeat is how often the server shows a sign of life while a request waits.
	waitBeat = 5 * time.Second
)

// start subscribes for the answers. The sources are complete.
func (p *puller) start() error {
	p.inbox = p.w.c.nc.NewInbox() + "."
	p.wake = make(chan struct{}, 1)
	p.floor = time.Now() // nothing has been asked for
	sub, err := p.w.c.nc.Subscribe(p.inbox+"*", p.received)
	if err != nil {
		return fmt.Errorf("nats: subscribe for tasks: %w", err)
	}
	p.sub = sub
	return sub.SetPendingLimits(-1, -1)
}

// signal wakes the goroutine of run.
func (p *puller) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run pulls until ctx ends or the manager stops, and returns the reason.
func (p *puller) run(ctx context.Context) error {
	for {
		room, err := p.w.m.WaitRoom(ctx, p.w.cfg.ahead)
		if err != nil {
			return err
		}
		deaf := p.deaf()
		if deaf {
			p.lookAtAll(ctx)
		}
		if room = p.w.allowed(room); room <= 0 || !p.w.c.nc.IsConnected() || deaf {
			p.sleep(ctx, 100*time.Millisecond)
			continue
		}
		if room = p.round(ctx, room); room > 0 && ctx.Err() == nil {
			p.sleep(ctx, p.parkAll(room))
		}
	}
}

// sleep waits until something has changed, for a time, or until ctx ends.
func (p *puller) sleep(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-p.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// round polls the sources for at most room tasks, and returns how much room is left. What was empty
// a moment ago is left out as long as other sources fill the room.
func (p *puller) round(ctx context.Context, room int) (left int) {
	p.turn++
	for i := range p.sources {
		if room > 0 && (i == 0 || p.sources[i].level != p.sources[i-1].level) {
			room -= p.probe(ctx, i, room)
		}
		s, index := p.pick(i)
		if room <= 0 || ctx.Err() != nil {
			break
		}
		if p.revive(ctx, s) {
			room -= p.poll(ctx, s, index, room)
		}
	}
	return room
}

// pick returns the source at a place of the order: by levels, and the kinds of a level in turn.
func (p *puller) pick(i int) (*source, int) {
	first := i
	for first > 0 && p.sources[first-1].level == p.sources[i].level {
		first--
	}
	n := 1
	for first+n < len(p.sources) && p.sources[first+n].level == p.sources[i].level {
		n++
	}
	index := first + (i-first+p.turn)%n
	return p.sources[index], index
}

// poll asks a source that had tasks for what it has at once, and waits for the answer. It returns how many
// tasks came. A source with a limit is only asked: its tasks come when the limit permits.
func (p *puller) poll(ctx context.Context, s *source, index, room int) int {
	now := time.Now()
	p.mu.Lock()
	if s.asking() || s.limited || !s.emptyAt.IsZero() {
		p.mu.Unlock()
		return 0
	}
	token := s.open(request{left: room, poll: true, sent: now, expires: now.Add(pollTimeout)}, index)
	p.mu.Unlock()
	p.ask(s, token, pullRequest{Batch: room, NoWait: true})
	return p.await(ctx, map[*source]string{s: token})
}

// probe asks those sources of a level for tasks that were empty a while ago, and returns how many
// tasks came. The level begins at a place of the order. With many kinds, most sources are empty as
// a rule, so many are asked before the first answer is awaited: as many as there is room, which
// they share.
func (p *puller) probe(ctx context.Context, first, room int) (got int) {
	begin := time.Now()
	probed := false
	for got < room && ctx.Err() == nil {
		asked := p.probeSome(begin, first, room-got)
		if len(asked) == 0 {
			break
		}
		probed = true
		got += p.await(ctx, asked)
	}
	if probed {
		// Probes take at most a tenth of the time, so that they do not slow down the sources that have tasks.
		p.patience = min(10*time.Since(begin), mostEmptyFor)
	}
	return got
}

// probeSome asks at most room sources that have been empty long enough at the begin. It returns the
// tokens of the requests.
func (p *puller) probeSome(begin time.Time, first, room int) map[*source]string {
	now := time.Now()
	var empty []int
	p.mu.Lock()
	for i := first; i < len(p.sources) && p.sources[i].level == p.sources[first].level && len(empty) < room; i++ {
		s, index := p.pick(i)
		old := !s.emptyAt.IsZero() && begin.Sub(s.emptyAt) >= max(p.patience, emptyFor)
		if old && !s.asking() && !s.limited && !s.gone && !now.Before(s.retryAt) {
			empty = append(empty, index)
		}
	}
	asked := make(map[*source]string, len(empty))
	for _, index := range empty {
		s := p.sources[index]
		asked[s] = s.open(request{left: room / len(empty), poll: true, sent: now, expires: now.Add(pollTimeout)}, index)
	}
	p.mu.Unlock()
	for s, token := range asked {
		p.ask(s, token, pullRequest{Batch: room / len(empty), NoWait: true})
	}
	return asked
}

// await waits for the answers to polls, and returns how many tasks came. It waits a little longer
// if the worker drains: in a cluster, a task that is under way when the subscription ends is lost
// until its lease ends. Without a connection nothing can come.
func (p *puller) await(ctx context.Context, asked map[*source]string) (got int) {
	sent := time.Now()
	for {
		p.mu.Lock()
		late := time.Since(sent) > pollTimeout || !p.w.c.nc.IsConnected()
		for s, token := range asked {
			if late && s.asking() {
				s.fail(time.Now())
			}
			if !s.asking() || s.request.token != token {
				got += s.request.got
				delete(asked, s)
			}
		}
		p.mu.Unlock()
		if len(asked) == 0 {
			return got
		}
		if ctx.Err() == nil {
			p.sleep(ctx, pollTimeout)
		} else {
			p.sleep(context.Background(), pollTimeout)
		}
	}
}

// parkAll asks each source that is not asked yet to send tasks when it has some. It returns how
// long there is nothing to do unless something happens.
func (p *puller) parkAll(room int) (idle time.Duration) {
	idle = time.Minute
	for i, s := range p.sources {
		now := time.Now()
		p.mu.Lock()
		switch {
		case s.asking():
			p.mu.Unlock()
			continue
		case s.gone || now.Before(s.retryAt):
			idle = min(idle, max(s.retryAt.Sub(now), time.Millisecond))
			p.mu.Unlock()
			continue
		}
		n := min(max(s.batch, 1), max(1, room/len(p.sources)))
		if s.limited {
			n = min(room, s.kind.limit)
		}
		wait := waitTime(len(p.sources))
		token := s.open(request{left: n, sent: now, beat: waitBeat, expires: now.Add(wait)}, i)
		p.mu.Unlock()
		p.ask(s, token, pullRequest{Batch: n, Expires: wait, Heartbeat: waitBeat})
	}
	return idle
}

// waitTime returns how long a request of one of n sources waits: a random time, so that the requests are not renewed
// together. All of them make at most one message in five seconds.
func waitTime(n int) time.Duration {
	least := max(150*time.Second, time.Duration(n)*5*time.Second)
	return least + rand.N(least)
}

// pullRequest is the body of a request to a consumer. Times are in nanoseconds.
type pullRequest struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires,omitempty"`
	NoWait    bool          `json:"no_wait,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
}

func (p *puller) ask(s *source, token string, r pullRequest) {
	body, err := json.Marshal(r)
	if err == nil {
		err = p.w.c.nc.PublishRequest(s.next, p.inbox+token, body)
	}
	if err == nil {
		return
	}
	p.mu.Lock()
	s.fail(time.Now())
	p.mu.Unlock()
	p.w.logs.errorf("pull", "nats: ask for tasks: %s", clean(err.Error(), errorLimit))
}

// received gets all answers: tasks, and status messages about requests.
func (p *puller) received(m *natsgo.Msg) {
	if token, ok := strings.CutPrefix(m.Subject, p.inbox); ok {
		if number, ok := strings.CutPrefix(token, echoToken); ok {
			p.heardEcho(number, m)
		} else {
			p.status(token, m)
		}
		return
	}
	now := time.Now()
	md, err := m.Metadata()
	if err != nil {
		return
	}
	p.mu.Lock()
	index, ok := p.byName[md.Consumer]
	if !ok {
		p.mu.Unlock()
		return
	}
	s := p.sources[index]
	polled, sure := s.arrived(now)
	if md.Sequence.Consumer < s.passed { // the consumer was made again, at some time before now
		s.created = p.w.c.clock.now()
	}
	s.passed = md.Sequence.Consumer
	// A consumer that is younger than the task has forgotten earlier deliveries.
	fresh := sure && md.NumDelivered == 1 && !md.Timestamp.Before(s.created)
	floor := p.floor
	done := !s.asking()
	anchor := s.anchor
	s.anchor = nil
	p.mu.Unlock()
	if anchor != nil {
		anchor.acknowledge()
	}
	d := &delivery{w: p.w, k: s.kind, source: s, msg: m, ack: m.Reply, seq: md.Sequence.Stream, delivered: md.NumDelivered, stored: md.Timestamp, fresh: fresh}
	d.lease = lease{length: p.w.c.cfg.lease, from: floor, sent: floor}
	if now.Sub(floor) < share(d.lease.length, staleAt) {
		p.w.take(d, polled)
	} else {
		p.w.stale(d)
	}
	if done {
		p.signal()
	}
}

func (p *puller) status(token string, m *natsgo.Msg) {
	text := m.Header.Get("Description")
	index := -1
	if _, err := fmt.Sscanf(token, "%d-", &index); err != nil || index < 0 || index >= len(p.sources) {
		return
	}
	p.mu.Lock()
	s := p.sources[index]
	meaning := s.status(token, m.Header.Get("Status"), text, time.Now())
	p.mu.Unlock()
	if meaning == answerIgnored {
		return
	}
	if meaning == answerFailed {
		p.w.logs.errorf("pull "+s.durable, "nats: the server cannot send tasks of kind %s now: %s", quote(s.kind.name), clean(text, errorLimit))
	}
	p.signal()
}

// reset takes all requests for lost, when the connection was lost.
func (p *puller) reset() {
	p.mu.Lock()
	for _, s := range p.sources {
		s.lose()
		s.retryAt, s.fails = time.Time{}, 0
	}
	p.mu.Unlock()
	p.echo(time.Now())
	p.signal()
}

// check takes the requests for lost of which nothing is heard, and sends an echo if it is time.
func (p *puller) check(now time.Time) {
	lost := false
	p.mu.Lock()
	last, pause := p.floor, echoAt
	if n := len(p.echoes); n > 0 {
		last, pause = p.echoes[n-1].sent, lateAt
	}
	for _, s := range p.sources {
		if s.silent(now) {
			s.fail(now)
			lost = true
		}
	}
	p.mu.Unlock()
	if now.Sub(last) >= share(p.w.c.cfg.lease, pause) && p.w.c.nc.IsConnected() {
		p.echo(now)
	}
	if lost {
		p.signal()
	}
}

// hasRoom reports whether a task that arrives without having been polled for can run.
func (w *Worker) hasRoom() bool {
	s := w.m.Snapshot()
	return s.Busy+s.Queued+s.Blocked+int(w.transit.Load()) < s.Max+w.cfg.ahead && w.m.Describe().State == observe.StateRunning
}
