package scale

import (
	"fmt"
	"time"
)

// UtilisationConfig configures [Utilisation]. The zero value of a field means its
// default.
type UtilisationConfig struct {
	// Target is the fraction of its time that a worker should be busy, above 0 and at
	// most 1. The default is 0.7. The rest is reserve for fluctuations.
	Target float64
	// Stable is the window over which the load is averaged in normal operation. It must
	// not be shorter than Panic. The default is 6 s.
	Stable time.Duration
	// Panic is the window over which the load is averaged to detect a burst. It must
	// not be negative. The default is 600 ms.
	Panic time.Duration
}

// Utilisation returns a scaler that asks for enough workers that each is busy for a
// fraction of its time: the mean number of items that run or wait, divided by Target.
//
// The mean is taken over the stable window. When the mean over the panic window calls
// for at least twice the current number of workers, the scaler enters panic mode: it
// uses the larger of both means and never lowers the target. Panic mode ends when the
// condition has not held for the length of the stable window.
//
// These are the rules of the Knative pod autoscaler (KPA), with windows of a tenth of
// its default lengths. [Validate] reports values outside the ranges of
// [UtilisationConfig].
func Utilisation(cfg UtilisationConfig) Scaler[Snapshot] {
	if cfg.Target == 0 {
		cfg.Target = 0.7
	}
	if cfg.Stable == 0 {
		cfg.Stable = 6 * time.Second
	}
	if cfg.Panic == 0 {
		cfg.Panic = 600 * time.Millisecond
	}
	return &utilisation{cfg: cfg, stable: window{length: cfg.Stable}, short: window{length: cfg.Panic}}
}

// panicFactor is the ratio of wanted workers to current workers that starts panic mode.
const panicFactor = 2

type utilisation struct {
	cfg           UtilisationConfig
	stable, short window
	panicEnds     time.Time // end of panic mode; zero if there was none
	most          int       // largest target in this panic mode
}

func (u *utilisation) Validate() error {
	if !(u.cfg.Target > 0 && u.cfg.Target <= 1) || u.cfg.Panic < 0 || u.cfg.Stable < u.cfg.Panic {
		return fmt.Errorf("scale: Utilisation: the target is %v, the windows are %v and %v; the target must be above 0 and "+
			"up to 1, the windows positive, and the stable one no shorter", u.cfg.Target, u.cfg.Stable, u.cfg.Panic)
	}
	return nil
}

func (u *utilisation) NeedsTime() bool { return true }

func (u *utilisation) Scale(s Snapshot) Decision {
	var again time.Duration
	if s.waiting() > 0 {
		again = max(u.cfg.Panic/2, 1)
	}
	steady := u.want(&u.stable, s)
	quick := u.want(&u.short, s)
	if quick >= panicFactor*max(s.Workers, 1) {
		u.panicEnds = s.Now.Add(u.cfg.Stable)
	}
	if !s.Now.Before(u.panicEnds) {
		u.most = 0
		return Decision{Target: s.Bound(steady), Again: again, Reason: "mean load over the stable window"}
	}
	u.most = max(u.most, quick, steady)
	return Decision{Target: s.Bound(u.most), Again: again, Reason: "panic: mean load over the short window"}
}

// want returns the number of workers that the mean load over a window calls for. It uses
// the current load until the window spans some time.
func (u *utilisation) want(w *window, s Snapshot) int {
	load := float64(s.Busy + s.Queued)
	if r, ok := measure(w.since(s), s); ok {
		load = r.busy + r.queued
	}
	return ceil((load + float64(s.Blocked)) / u.cfg.Target)
}
