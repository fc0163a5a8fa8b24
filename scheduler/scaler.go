package scheduler

import (
	"fmt"
	"time"
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
// target within its bounds, grows to it at once, and shrinks towards it only by
// letting idle workers leave after their timeout.
type Scaler[S any] interface {
	// Scale decides, given the state of things.
	Scale(signals S) Decision
}

// Decision is a Scaler's answer.
type Decision struct {
	Target int           // how many workers there should be
	Again  time.Duration // ask again after this time at the latest; 0: no need
	Reason string        // in a few words, for people
}

// Timed is an optional capability of a Scaler: to say whether it reads the
// signals that need a clock. A scaler without it is taken to need them.
type Timed interface {
	// NeedsTime is asked once, when the pool is made.
	NeedsTime() bool
}

// needsTime reports whether s wants the signals that need a clock, or that it
// cannot even be asked, as a nil pointer.
func needsTime(s Scaler[Snapshot]) (needs bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("scheduler: the NeedsTime method of %T panicked: %v", s, v)
		}
	}()
	t, ok := s.(Timed)
	return !ok || t.NeedsTime(), nil
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

func (w withSignals[S]) Scale(s Snapshot) Decision { return w.scaler.Scale(w.read(s)) }

// scale asks the scaler, with extra items counted as waiting already, and grows
// to its target, unless the pool is paused. It returns the target. mu must not be held.
func (p *Pool[T]) scale(extra int) int {
	p.scaling.Lock()
	defer p.scaling.Unlock()

	p.mu.Lock()
	s := p.snapshot()
	p.mu.Unlock()
	s.Blocked += extra
	d := p.decide(s)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.alarm.scaleAt = time.Time{}
	if p.phase != open && p.queue.Len() == 0 {
		return 0 // the workers are leaving, or gone
	}
	target := min(max(d.Target, p.min), p.max)
	if !p.halted() {
		p.growTo(target)
	}
	if d.Again > 0 {
		p.alarm.scaleAt = time.Now().Add(d.Again)
		p.alarm.set(p.alarm.scaleAt, p.ring)
	}
	return target
}

// decide calls the scaler. One that panics, or calls runtime.Goexit, is replaced
// for this decision by Demand, so that work goes on. Scalers of others are
// called on a goroutine of their own: a Goexit there would otherwise end that of
// a submitter, a timer or a worker in the middle of something.
func (p *Pool[T]) decide(s Snapshot) Decision {
	switch own := p.cfg.Scaler.(type) {
	case fixed, demand, *step:
		return own.Scale(s)
	}
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

// Fixed keeps n workers, or as many as the bounds allow. An n below 1 means the
// maximum.
func Fixed(n int) Scaler[Snapshot] { return fixed(n) }

type fixed int

func (f fixed) NeedsTime() bool { return false }

func (f fixed) Scale(s Snapshot) Decision {
	if f < 1 {
		return Decision{Target: s.Max, Reason: "fixed at the maximum"}
	}
	return Decision{Target: int(f), Reason: "fixed"}
}

// Demand has a worker for each item that runs and one more for each backlog
// items that wait, queued or for room: busy + ⌈waiting/backlog⌉. With a backlog of 1, the default of
// a pool, an item that finds no idle worker gets a new one at once. A backlog
// below 1 counts as 1.
func Demand(backlog int) Scaler[Snapshot] { return demand(max(backlog, 1)) }

type demand int

func (d demand) NeedsTime() bool { return false }

func (d demand) Scale(s Snapshot) Decision {
	return Decision{Target: s.Busy + ceilDiv(s.Queued+s.Blocked, int(d)), Reason: "demand"}
}

// DefaultStepWait is how long Step lets an item wait, and the pool settle, when
// nothing else was asked for.
const DefaultStepWait = 500 * time.Millisecond

// Step jumps half-way to the maximum, workers + ⌈(max−workers)/2⌉, when the
// oldest item has waited for wait and the last jump is at least as long ago. A
// wait that is not positive counts as DefaultStepWait. It suits work whose
// workers are dear to start and that comes in short bursts; Demand reacts
// faster and starts fewer.
func Step(wait time.Duration) Scaler[Snapshot] {
	if wait <= 0 {
		wait = DefaultStepWait
	}
	return &step{wait: wait}
}

type step struct {
	wait   time.Duration
	jumped time.Time // when it last jumped; zero: never
}

func (s *step) NeedsTime() bool { return true }

func (s *step) Scale(now Snapshot) Decision {
	if now.Queued+now.Blocked == 0 {
		return Decision{Target: now.Busy, Reason: "nothing waits"}
	}
	hold := s.wait - now.OldestWait
	if !s.jumped.IsZero() {
		hold = max(hold, s.wait-now.Now.Sub(s.jumped))
	}
	if hold > 0 || now.Workers >= now.Max {
		return Decision{Target: now.Workers, Again: max(hold, 0), Reason: "waiting before a jump"}
	}
	s.jumped = now.Now
	target := now.Workers + ceilDiv(now.Max-now.Workers, 2)
	return Decision{Target: target, Again: s.wait, Reason: fmt.Sprintf("the oldest item waited %v", now.OldestWait)}
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0, without overflow.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}
