package scale

import (
	"fmt"
	"time"
)

// UtilisationConfig adjusts [Utilisation]. Zero values mean the defaults.
type UtilisationConfig struct {
	// Target is how busy a worker is to be on average, above 0 and up to 1. The
	// default is 0.7: the rest is room for fluctuations.
	Target float64
	// Stable is the time over which the load is averaged. The default is 6 s.
	Stable time.Duration
	// Panic is the time over which it is averaged to notice a jump. The default
	// is 600 ms.
	Panic time.Duration
}

// Utilisation has as many workers as keep each busy for a given share of its
// time: the mean number of items that ran or waited, over that share. The mean is
// taken over a longer window; if over a shorter one it calls for twice the workers
// that there are, the scaler panics: it goes by the shorter window, and does not
// go back, until there was no reason to for the time of the longer one.
//
// These are the rules of Knative's autoscaler for pods (KPA). Bad values of the
// configuration are an error of NewPool.
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

// panicFactor is how many times the workers that there are the short window has
// to call for.
const panicFactor = 2

type utilisation struct {
	cfg           UtilisationConfig
	stable, short window
	panicEnds     time.Time // zero: no panic
	most          int       // workers asked for during the panic
}

// Validate reports bad values of the configuration.
func (u *utilisation) Validate() error {
	if !(u.cfg.Target > 0 && u.cfg.Target <= 1) || u.cfg.Panic < 0 || u.cfg.Stable < u.cfg.Panic {
		return fmt.Errorf("scale: Utilisation: the target is %v, the windows are %v and %v; the target must be above 0 and "+
			"up to 1, the windows positive, and the stable one no shorter", u.cfg.Target, u.cfg.Stable, u.cfg.Panic)
	}
	return nil
}

// NeedsTime reports that it reads the signals that need a clock.
func (u *utilisation) NeedsTime() bool { return true }

// Scale decides.
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

// want is the number of workers that the load over a window calls for, or, as
// long as there is none, the load of the moment.
func (u *utilisation) want(w *window, s Snapshot) int {
	load := float64(s.Busy + s.Queued)
	if r, ok := measure(w.since(s), s); ok {
		load = r.busy + r.queued
	}
	return ceil((load + float64(s.Blocked)) / u.cfg.Target)
}
