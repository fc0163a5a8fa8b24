package scheduler

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// setScaler takes stock of the scaler, or tells what is wrong with it: that it
// cannot even be asked, as a nil pointer, or how it was made.
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
	p.ownScaler = scale.Trusted(s)
	if scale.NeedsTime(s) {
		p.meter = newMeter()
	}
	return nil
}

// growFor asks the scaler for workers on behalf of a submitter whose n items find no
// room. They count as waiting until it has answered: otherwise the workers that were
// started for them might be thought to be idle for too long before it is back. mu is
// held; it is let go of meanwhile.
func (p *Pool[T]) growFor(n int) {
	p.blocked += n
	p.scaleUnlocked(func() { p.blocked -= n })
}

// scaleUnlocked is scale for callers that hold mu. It lets go of it meanwhile, and then
// undoes what the caller has noted for that time.
func (p *Pool[T]) scaleUnlocked(undo func()) (target int) {
	p.mu.Unlock()
	returned := false
	defer func() {
		p.mu.Lock()
		undo()
		if !returned { // Decided has ended the goroutine, and nobody else will let go of the lock
			p.finishStop()
			p.mu.Unlock()
		}
	}()
	target = p.scale()
	returned = true
	return target
}

// scale asks the scaler and does what it says, unless the pool is paused. It returns
// the target. mu must not be held.
func (p *Pool[T]) scale() int {
	target, told := p.rescale()
	if told != nil && p.cfg.Decided != nil {
		guard("Decided", func() { p.cfg.Decided(*told) })
	}
	return target
}

// rescale is scale but for telling about it: the decision is returned if it
// changes the target.
func (p *Pool[T]) rescale() (target int, told *Decided) {
	p.scaling.Lock()
	defer p.scaling.Unlock()

	p.mu.Lock()
	s := p.snapshot()
	s.Queued -= min(p.held(), s.Queued) // workers would do nothing for those
	p.mu.Unlock()
	d := p.decide(s)

	p.mu.Lock()
	p.alarm.scaleAt = time.Time{}
	if p.phase != open && p.queue.Len() == 0 {
		p.mu.Unlock()
		return 0, nil // the workers are leaving, or gone
	}
	target = s.Bound(d.Target)
	target = max(min(target, p.max), p.min) // the bounds may have changed meanwhile
	told = p.record(s, target, d.Reason)
	var leaving []*worker[T]
	before := p.workers
	if !p.halted() {
		p.ceiling = p.max
		if d.Firm {
			p.ceiling = max(target, 1)
			leaving = p.dismissSpare(min(p.workers-p.ceiling, p.spare()))
		}
		p.giveSlots()
		p.growTo(target)
	}
	if p.workers < p.ceiling && p.closeInbox() && p.short() && d.Again == 0 {
		d.Again = 1 // what was in the inbox has had nobody ask for it
	}
	if d.Again > 0 {
		p.alarm.scaleAt = time.Now().Add(d.Again)
		p.alarm.set(p.alarm.scaleAt)
	}
	var next *worker[T]
	if p.workers > before { // or items that nobody may take would have workers woken for ever
		next = p.rouse()
	}
	p.mu.Unlock()
	p.signal(next)
	for _, w := range leaving {
		p.signal(w)
	}
	return target, told
}

// decide calls the scaler. One that panics, or calls runtime.Goexit, is replaced
// for this decision by Demand, so that work goes on. Scalers of others are
// called on a goroutine of their own: a Goexit there would otherwise end that of
// a submitter, a timer or a worker in the middle of something.
func (p *Pool[T]) decide(s scale.Snapshot) scale.Decision {
	if p.ownScaler {
		return p.cfg.Scaler.Scale(s)
	}
	return p.decideApart(s) // a function of its own, or s would go to the heap each time
}

func (p *Pool[T]) decideApart(s scale.Snapshot) scale.Decision {
	answer := make(chan scale.Decision, 1)
	go func() {
		d, answered := scale.Decision{}, false
		defer func() {
			if !answered {
				d = scale.Demand(1).Scale(s)
				d.Reason = fmt.Sprintf("the scaler crashed (%v); %s", recover(), d.Reason)
			}
			answer <- d
		}()
		d = p.cfg.Scaler.Scale(s)
		answered = true
	}()
	return <-answer
}

// Decided is a decision that changed the target of a pool.
type Decided struct {
	At      time.Time // when it was made
	Workers int       // that there were
	Target  int       // that there should be, within the bounds
	Reason  string    // as the scaler gave it
}

// decisionsKept is how many decisions a pool remembers.
const decisionsKept = 32

// record remembers a decision if it changes the target, and returns it then. mu is
// held.
func (p *Pool[T]) record(s scale.Snapshot, target int, reason string) *Decided {
	if n := len(p.decisions); n > 0 && p.decisions[n-1].Target == target {
		return nil
	}
	if len(p.decisions) == decisionsKept {
		p.decisions = append(p.decisions[:0], p.decisions[1:]...)
	}
	p.decisions = append(p.decisions, Decided{At: time.Now(), Workers: s.Workers, Target: target, Reason: reason})
	last := p.decisions[len(p.decisions)-1]
	return &last
}

// Decisions lists the last decisions that changed the target, the latest at the
// end, and no more than 32: why there are as many workers as there are.
func (p *Pool[T]) Decisions() []Decided {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Decided{}, p.decisions...)
}
