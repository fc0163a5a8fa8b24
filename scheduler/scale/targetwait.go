package scale

import (
	"fmt"
	"math"
	"time"
)

// TargetWaitConfig adjusts [TargetWait]. Zero values mean the defaults.
type TargetWaitConfig struct {
	// Wait is how long an item may wait for a worker. The default is 100 ms.
	Wait time.Duration
	// Share is how many of the items are to wait no longer than that, from 0 to 1.
	// The default is 0.95.
	Share float64
	// Window is how far back the load is measured, or five times as far as an item
	// takes, if that is more. The default is 5 s. A shorter one follows the load
	// faster, a longer one fluctuates less.
	Window time.Duration
}

// TargetWait has as many workers as it takes for a share of the items to wait no
// longer than a given time. It measures the rate of arrivals λ and the mean
// service time S, and asks for the larger of
//
//   - λS + waiting·S/Wait workers, which work off what waits now in that time, and
//   - the least number c for which an M/M/c queue keeps the promise in the long run:
//     ErlangC(c, λS)·exp(−(c−λS)·Wait/S) ≤ 1 − Share.
//
// The second is the staffing rule of call centres (Gans, Koole and Mandelbaum,
// Telephone call centers, M&SOM 5, 2003). The offered load λS is measured as the
// mean number of busy workers plus the growth of what waits times S, which is the
// same by Little's law (A proof for the queuing formula L = λW, 1961). Until an item
// has ended it acts as Demand(1). Bad values of the configuration are an error of
// NewPool.
func TargetWait(cfg TargetWaitConfig) Scaler[Snapshot] {
	if cfg.Wait == 0 {
		cfg.Wait = 100 * time.Millisecond
	}
	if cfg.Share == 0 {
		cfg.Share = 0.95
	}
	if cfg.Window == 0 {
		cfg.Window = 5 * time.Second
	}
	return &targetWait{cfg: cfg, window: window{length: cfg.Window}}
}

type targetWait struct {
	cfg    TargetWaitConfig
	window window
}

// Validate reports bad values of the configuration.
func (t *targetWait) Validate() error {
	if t.cfg.Wait < 0 || t.cfg.Window < 0 || !(t.cfg.Share > 0 && t.cfg.Share < 1) {
		return fmt.Errorf("scale: TargetWait: the wait is %v, the share %v and the window %v; "+
			"the times must be positive, and the share between 0 and 1", t.cfg.Wait, t.cfg.Share, t.cfg.Window)
	}
	return nil
}

// NeedsTime reports that it reads the signals that need a clock.
func (t *targetWait) NeedsTime() bool { return true }

// Scale decides.
func (t *targetWait) Scale(s Snapshot) Decision {
	var again time.Duration
	if s.waiting() > 0 {
		again = max(t.cfg.Wait/2, 1) // if nothing else happens; the wait must not pass unnoticed
	}
	r, ok := measure(t.window.since(s), s)
	if !ok || r.service <= 0 {
		return Decision{Target: s.Bound(s.Busy + s.waiting()), Again: again, Reason: "nothing measured yet: demand"}
	}
	// Fewer items tell more about chance than about the load.
	t.window.length = max(t.cfg.Window, time.Duration(5*r.service*float64(time.Second)))
	load := max(0, r.busy+r.growth*r.service)
	patience := t.cfg.Wait.Seconds() / r.service // the wait, in service times
	backlog := ceil(load + float64(s.waiting())/patience)
	steady := t.staff(load, patience, s.Max)
	return Decision{
		Target: s.Bound(max(backlog, steady)), Again: again,
		Reason: fmt.Sprintf("a load of %.3g, items of %.3gs: %d to clear %d waiting, %d in the long run", load, r.service, backlog, s.waiting(), steady),
	}
}

// staff is the least number of workers with which the share waits no longer than
// the patience, but at most the given one.
func (t *targetWait) staff(load, patience float64, most int) int {
	e := newErlang()
	for c := 1; c < most; c++ {
		e.addServer(load)
		if excess := float64(c) - load; excess > 0 && e.waits(load)*math.Exp(-excess*patience) <= 1-t.cfg.Share {
			return c
		}
	}
	return most
}

// ErlangC is the probability that an arrival has to wait in an M/M/c queue with c
// servers and an offered load of a (arrival rate times mean service time), by
// Erlang's second formula (Solution of some problems in the theory of
// probabilities, 1917). With a ≥ c the queue has no steady state, and every
// arrival waits: 1. With no servers it is 1 too, and without load 0. It takes O(c)
// and does not overflow.
func ErlangC(c int, a float64) float64 {
	switch {
	case !(a < float64(c)):
		return 1
	case a <= 0:
		return 0
	}
	e := newErlang()
	for range c {
		e.addServer(a)
	}
	return e.waits(a)
}

// erlang is a system of servers without a queue. Its blocking probability is that
// of Erlang's first formula, which the recursion gets for one server more without
// the powers and factorials in it, all of which would overflow.
type erlang struct {
	servers  int
	blocking float64
}

func newErlang() *erlang { return &erlang{blocking: 1} }

// addServer adds a server, for the same offered load a.
func (e *erlang) addServer(a float64) {
	e.servers++
	e.blocking = a * e.blocking / (float64(e.servers) + a*e.blocking)
}

// waits is the probability that an arrival waits if there is a queue, for a below
// the number of servers.
func (e *erlang) waits(a float64) float64 {
	utilisation := a / float64(e.servers)
	return e.blocking / (1 - utilisation*(1-e.blocking))
}

// ceil rounds up, but not for what is more than a whole number only by the
// rounding of floating point. It fits into an int, whatever it is given.
func ceil(x float64) int {
	return int(min(max(math.Ceil(x-1e-9), 0), math.MaxInt32))
}
