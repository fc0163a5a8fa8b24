package scheduler

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/queue"
)

// Scaler says how many workers there should be.
//
// It is deterministic and reads no clock: all that it may know is in the
// signals S, so the same strategy runs in a simulation, and the same signals
// give the same decisions. It may keep state, and so must not be shared by two
// pools. The pool serialises the calls. It holds no lock meanwhile that running
// items need, but a submit that finds no idle worker waits for the answer, so
// Scale has to be quick;
// of the pool that asks it, a scaler may call only Snapshot and Workers.
//
// A pool asks at a submit that finds no idle worker, when a worker has been
// idle for its timeout, and after the Again of the last decision. It keeps the
// target within its bounds and grows to it at once: the workers count from then on, and
// those above the minimum have goroutines as soon as there are items for them, one after
// another. It shrinks towards the target only by letting workers leave that had nothing
// to do for the timeout.
type Scaler[S any] interface {
	// Scale decides, given the state of things.
	Scale(signals S) Decision
}

// Decision is a Scaler's answer.
type Decision struct {
	Target int           // how many workers there should be
	Again  time.Duration // ask again after this time at the latest; 0: no need
	Reason string        // in a few words, for people
	// Firm makes workers above the target leave as soon as they have nothing in
	// hand, even while items wait, and lets the scaler alone say when it is asked
	// again. Otherwise workers leave only when they have been idle for their
	// timeout, since under load the next decision may well want them back.
	Firm bool
}

// Timed is an optional capability of a Scaler: to say whether it reads the
// signals that need a clock. A scaler without it is taken to need them.
type Timed interface {
	// NeedsTime is asked once, when the pool is made.
	NeedsTime() bool
}

// needsTime reports whether s wants the signals that need a clock.
func needsTime(s Scaler[Snapshot]) bool {
	t, ok := s.(Timed)
	return !ok || t.NeedsTime()
}

// setScaler takes stock of the scaler, or tells what is wrong with it: that it
// cannot even be asked, as a nil pointer, or how it was made.
func (p *Pool[T]) setScaler() (err error) {
	s := p.cfg.Scaler
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("scheduler: the NeedsTime or Validate method of %T panicked: %v", s, v)
		}
	}()
	if err := validateScaler(s); err != nil {
		return err
	}
	p.ownScaler = own(s)
	if needsTime(s) {
		p.meter = newMeter()
	}
	return nil
}

// WithSignals makes a scaler of a pool from one that decides by signals of its
// own, such as the memory in use or what a database says of itself. Each time
// that the pool asks, read turns the pool's state into those signals; it may
// look elsewhere and block for a moment, but of the pool it may call only
// Snapshot and Workers. The pool gathers the signals that need a clock, since
// read may use them.
func WithSignals[S any](read func(Snapshot) S, s Scaler[S]) Scaler[Snapshot] {
	return withSignals[S]{read: read, scaler: s}
}

type withSignals[S any] struct {
	read   func(Snapshot) S
	scaler Scaler[S]
}

// Validate reports bad arguments, and those of the scaler.
func (w withSignals[S]) Validate() error {
	if w.read == nil || w.scaler == nil {
		return errors.New("scheduler: WithSignals: the function or the scaler is nil; give both")
	}
	if v, ok := w.scaler.(queue.Validator); ok {
		return v.Validate()
	}
	return nil
}

func (w withSignals[S]) Scale(s Snapshot) Decision { return w.scaler.Scale(w.read(s)) }

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
	target = s.bound(d.Target)
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
func (p *Pool[T]) decide(s Snapshot) Decision {
	if p.ownScaler {
		return p.cfg.Scaler.Scale(s)
	}
	return p.decideApart(s) // a function of its own, or s would go to the heap each time
}

func (p *Pool[T]) decideApart(s Snapshot) Decision {
	answer := make(chan Decision, 1)
	go func() {
		d, answered := Decision{}, false
		defer func() {
			if !answered {
				d = Demand(1).Scale(s)
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
func (p *Pool[T]) record(s Snapshot, target int, reason string) *Decided {
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
