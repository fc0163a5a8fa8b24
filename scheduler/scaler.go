package scheduler

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// setScaler checks the scaler, whose methods may panic, for example on a nil pointer, and
// makes a meter if it needs time or the configuration asks for one.
func (p *Pool[T]) setScaler() (err error) {
	s := p.cfg.Scaler
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("scheduler: the NeedsTime or Validate method of %T panicked: %v", s, v)
		}
	}()
	if err := scale.Validate(s); err != nil {
		return fmt.Errorf("scheduler: %w", err)
	}
	p.ownScaler = scale.Trusted(s) && p.cfg.Hooks.Settle == nil
	if !p.ownScaler {
		p.scaling.one = make(chan struct{}, 1)
	}
	if scale.NeedsTime(s) || p.cfg.Times {
		p.meter = newMeter()
	}
	return nil
}

// turns lets one goroutine at a time call the scaler. For a trusted scaler, which never
// blocks, it is a mutex. For any other one it is a channel, because a goroutine that waits
// for a mutex does not count as blocked in a bubble of testing/synctest: the time would stand
// still while the scaler sleeps.
type turns struct {
	mu  sync.Mutex
	one chan struct{} // of capacity 1; nil for a trusted scaler
}

func (t *turns) begin() {
	if t.one == nil {
		t.mu.Lock()
	} else {
		t.one <- struct{}{}
	}
}

func (t *turns) end() {
	if t.one == nil {
		t.mu.Unlock()
	} else {
		<-t.one
	}
}

// scaleSoon asks the scaler about the present state without waiting for a scaler that may
// block. It asks a trusted one itself, and any other one on a goroutine of the pool. While
// such a goroutine waits for its turn, it asks for all calls. mu must not be held.
func (p *Pool[T]) scaleSoon() {
	if p.ownScaler {
		p.scale()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.askSoonLocked()
}

// askSoonLocked asks the scaler on a goroutine of the pool.
func (p *Pool[T]) askSoonLocked() {
	if p.asking || p.ended() {
		return
	}
	p.asking = true
	p.goroutines++
	go func() {
		p.decide(p.rescale(true))
		p.mu.Lock()
		p.goroutines--
		p.finishStopLocked()
		p.mu.Unlock()
	}()
}

// scale asks the scaler and waits for its decision. It returns the target. mu must not be held.
func (p *Pool[T]) scale() (target int) {
	defer p.settle() // new workers take what waits before the caller goes on
	return p.decide(p.rescale(false))
}

// settle lets a simulator wait until all other goroutines wait. mu must not be held.
func (p *Pool[T]) settle() {
	if p.cfg.Hooks.Settle != nil {
		p.cfg.Hooks.Settle()
	}
}

// decide reports a decision that changes the target to Config.Decided, and returns the target.
func (p *Pool[T]) decide(target int, changed *Decided) int {
	if changed != nil && p.cfg.Decided != nil {
		guard("Decided", func() { p.cfg.Decided(*changed) })
	}
	return target
}

// rescale asks the scaler and applies its decision unless the pool is paused. It returns the
// target, and the decision if it changes the target. On behalf of scaleSoon it does nothing
// if another call has asked since. mu must not be held.
func (p *Pool[T]) rescale(soon bool) (target int, changed *Decided) {
	p.scaling.begin()
	defer p.scaling.end()
	p.settle() // so that s does not depend on which goroutine was faster

	p.mu.Lock()
	if soon && !p.asking {
		p.mu.Unlock()
		return 0, nil
	}
	p.asking = false // later changes are not in this snapshot
	s := p.snapshotLocked()
	held := p.heldLocked() // no worker could take those
	s.Blocked -= min(max(held-s.Queued, 0), s.Blocked)
	s.Queued -= min(held, s.Queued)
	p.deciding = true
	p.mu.Unlock()
	d := p.decideLocked(s)

	p.mu.Lock()
	p.deciding = false
	p.alarm.scaleAt = time.Time{}
	if p.phase != open && p.queue.Len() == 0 {
		p.mu.Unlock()
		return 0, nil // the workers are leaving or have left
	}
	target = max(min(s.Bound(d.Target), p.max), p.min) // the bounds may have changed meanwhile
	changed = p.recordLocked(s, target, d.Reason)
	var leaving []*worker[T]
	before := p.workers
	if !p.haltedLocked() {
		p.ceiling = p.max
		if d.Firm {
			p.ceiling = max(target, 1)
			leaving = p.dismissSpareLocked(min(p.workers-p.ceiling, p.spareLocked()))
		}
		p.giveSlotsLocked()
		p.growToLocked(target)
		p.tellRoomLocked()
	}
	if p.workers < p.ceiling && p.closeInboxLocked() && p.shortLocked() && d.Again == 0 {
		d.Again = 1 // the scaler has not seen the items from the inbox
	}
	if d.Again > 0 {
		p.alarm.scaleAt = time.Now().Add(d.Again)
		p.alarm.set(p.alarm.scaleAt)
	}
	var next *worker[T]
	if p.workers > before { // otherwise items that no worker may take would wake workers forever
		next = p.rouseLocked()
	}
	p.mu.Unlock()
	p.signal(next)
	for _, w := range leaving {
		p.signal(w)
	}
	return target, changed
}

// decideLocked calls the scaler. Only rescale calls it, with scaling held.
func (p *Pool[T]) decideLocked(s scale.Snapshot) scale.Decision {
	if p.ownScaler {
		return p.cfg.Scaler.Scale(s)
	}
	return askApart(p.cfg.Scaler, s) // a separate function, so that s escapes only here
}

// askApart calls a scaler that is not trusted on a separate goroutine. A Goexit
// would otherwise end the goroutine of a submitter, a worker or the alarm. If the scaler
// panics or calls runtime.Goexit, Demand takes its place for this decision.
func askApart(scaler scale.Scaler[scale.Snapshot], s scale.Snapshot) scale.Decision {
	answer := make(chan scale.Decision, 1)
	go func() {
		d, returned := scale.Decision{}, false
		defer func() {
			if !returned {
				d = scale.Demand(1).Scale(s)
				d.Reason = fmt.Sprintf("the scaler crashed (%v); %s", recover(), d.Reason)
			}
			answer <- d
		}()
		d = scaler.Scale(s)
		returned = true
	}()
	return <-answer
}

// growForLocked asks the scaler for workers on behalf of a submitter of n items for which there
// is no room. The items count as blocked meanwhile. Otherwise workers that were started
// for them could expire before the submitter is back. It requires mu, releases it and
// locks it again.
func (p *Pool[T]) growForLocked(n int) {
	p.blocked += n
	p.mu.Unlock()
	p.scale()
	p.mu.Lock()
	p.blocked -= n
	p.tellRoomLocked()
}

// Decided is a decision of the scaler that changed the target of a pool.
type Decided struct {
	Number  uint64    `json:"number"`      // of the decision, from 1; no number is left out
	At      time.Time `json:"at,omitzero"` // time of the decision
	Workers int       `json:"workers"`     // number of workers before it
	Target  int       `json:"target"`      // number of workers that the pool should have, within its bounds
	Reason  string    `json:"reason"`      // explanation by the scaler
}

// decisionsKept is the number of decisions that a pool keeps.
const decisionsKept = 32

// recordLocked keeps a decision that changes the target and returns it, or nil if it does not.
func (p *Pool[T]) recordLocked(s scale.Snapshot, target int, reason string) *Decided {
	if n := len(p.decisions); n > 0 && p.decisions[n-1].Target == target {
		return nil
	}
	if len(p.decisions) == decisionsKept {
		p.decisions = append(p.decisions[:0], p.decisions[1:]...)
	}
	p.decided++
	d := Decided{Number: p.decided, At: time.Now(), Workers: s.Workers, Target: target, Reason: reason}
	p.decisions = append(p.decisions, d)
	d.At = clock.Wall(d.At)
	return &d
}

// Decisions returns the last 32 decisions of the scaler that changed the target, the
// latest last. They explain the current number of workers. Their times are those that the
// wall clock shows now for these moments. A gap between the numbers of two calls is the number
// of decisions that the caller has missed; [Config].Decided gets each of them.
func (p *Pool[T]) Decisions() []Decided {
	p.mu.Lock()
	defer p.mu.Unlock()
	made := append([]Decided{}, p.decisions...)
	for i := range made {
		made[i].At = clock.Wall(made[i].At)
	}
	return made
}
