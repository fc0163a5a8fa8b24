package scale

import (
	"fmt"
	"math"
	"time"
)

// TargetWaitConfig configures [TargetWait]. The zero value of a field means its default.
type TargetWaitConfig struct {
	// Wait is the longest time that an item should wait for a worker. The default is
	// 100 ms. It must not be negative.
	Wait time.Duration
	// Share is the fraction of items that should wait no longer than Wait, between 0
	// and 1, both excluded. The default is 0.95.
	Share float64
	// Window is the time over which the load is measured, or five times the mean
	// service time of an item, whichever is longer. A shorter window follows the load
	// faster; a longer one fluctuates less. The default is 5 s. It must not be negative.
	Window time.Duration
}

// TargetWait returns a scaler that asks for enough workers that a share of the items
// waits no longer than a target. It measures the rate of arrivals λ and the mean service
// time S, and asks for the larger of
//
//   - λS + waiting·S/Wait workers, which clear the current backlog within Wait, and
//   - the smallest number c of workers with which an M/M/c queue meets the target in its
//     steady state: C(c, λS)·exp(−(c−λS)·Wait/S) ≤ 1 − Share, where C is Erlang's
//     delay formula.
//
// The second term is the staffing rule of call centres (Gans, Koole, Mandelbaum:
// Telephone Call Centers, Manufacturing & Service Operations Management 5, 2003). The
// offered load λS is measured as the mean number of busy workers plus the growth of the
// backlog times S, which is equal by Little's law (Little: A Proof for the Queuing
// Formula L = λW, 1961).
//
// Until the first item has ended, TargetWait acts as Demand(1). [Validate] reports
// values outside the ranges of [TargetWaitConfig].
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

func (t *targetWait) Validate() error {
	if t.cfg.Wait < 0 || t.cfg.Window < 0 || !(t.cfg.Share > 0 && t.cfg.Share < 1) {
		return fmt.Errorf("scale: TargetWait: the wait is %v, the share %v and the window %v; "+
			"the times must be positive, and the share between 0 and 1", t.cfg.Wait, t.cfg.Share, t.cfg.Window)
	}
	return nil
}

func (t *targetWait) NeedsTime() bool { return true }

func (t *targetWait) Scale(s Snapshot) Decision {
	var again time.Duration
	if s.waiting() > 0 {
		again = max(t.cfg.Wait/2, 1) // ask before Wait has passed, even if no item arrives or ends
	}
	r, ok := measure(t.window.since(s), s)
	if !ok || r.service <= 0 {
		return Decision{Target: s.Bound(s.Busy + s.waiting()), Again: again, Reason: "no item has ended yet: a worker for each that runs or waits"}
	}
	// In a shorter window too few items end to measure the load.
	t.window.length = max(t.cfg.Window, time.Duration(5*r.service*float64(time.Second)))
	load := max(0, r.busy+r.growth*r.service)
	patience := t.cfg.Wait.Seconds() / r.service // Wait in units of the service time
	backlog := ceil(load + float64(s.waiting())/patience)
	steady := t.staff(load, patience, s.Max)
	return Decision{
		Target: s.Bound(max(backlog, steady)), Again: again,
		Reason: t.reason(load, r.service, s.waiting(), backlog, steady),
	}
}

// reason explains a decision: either the backlog or the load asks for more workers.
func (t *targetWait) reason(load, service float64, waiting, backlog, steady int) string {
	if backlog > steady {
		return fmt.Sprintf("%d wait, and %.3g workers are busy on average: %d workers clear the queue in %v", waiting, load, backlog, t.cfg.Wait)
	}
	return fmt.Sprintf("%.3g workers are busy on average, for %.3gs an item: %d workers let %.4g %% start within %v", load, service, steady, 100*t.cfg.Share, t.cfg.Wait)
}

// staff returns the smallest number of workers, up to most, with which Share of the
// items wait no longer than patience, in units of the service time.
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

// erlang computes the probability of waiting in an M/M/c queue (Erlang: Solution of some
// Problems in the Theory of Probabilities of Significance in Automatic Telephone
// Exchanges, 1917). The recursion adds one server at a time. It avoids the powers and
// factorials of the closed formula, which overflow. The offered load a, the arrival rate
// times the mean service time, must be the same in all calls.
type erlang struct {
	servers  int
	blocking float64 // Erlang B: the probability that all servers are busy, without a queue
}

func newErlang() *erlang { return &erlang{blocking: 1} }

// addServer adds a server.
func (e *erlang) addServer(a float64) {
	e.servers++
	e.blocking = a * e.blocking / (float64(e.servers) + a*e.blocking)
}

// waits returns Erlang C: the probability that an arrival has to wait if there is a
// queue. It requires that a is less than the number of servers; otherwise the queue has
// no steady state.
func (e *erlang) waits(a float64) float64 {
	utilisation := a / float64(e.servers)
	return e.blocking / (1 - utilisation*(1-e.blocking))
}

// ceil returns ⌈x⌉ as an int, within 0 and [math.MaxInt32]. It tolerates a rounding
// error of 1e-9 above an integer.
func ceil(x float64) int {
	return int(min(max(math.Ceil(x-1e-9), 0), math.MaxInt32))
}
