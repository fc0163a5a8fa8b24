package scale

import (
	"fmt"
	"strings"
)

// The scalers of this package have a String method, which returns the call that makes the scaler,
// with its most important arguments. Managers show it.

func (f fixed) String() string {
	if f < 1 {
		return "Fixed(max)"
	}
	return fmt.Sprintf("Fixed(%d)", int(f))
}

func (d demand) String() string { return fmt.Sprintf("Demand(%d)", int(d)) }

func (s *step) String() string { return fmt.Sprintf("Step(%v)", s.wait) }

func (t *targetWait) String() string {
	return fmt.Sprintf("TargetWait(p%.4g ≤ %v)", 100*t.cfg.Share, t.cfg.Wait)
}

func (u *utilisation) String() string { return fmt.Sprintf("Utilisation(%.4g%%)", 100*u.cfg.Target) }

func (p *probe) String() string { return fmt.Sprintf("Probe(%v)", p.interval) }

func (st *stabilise) String() string {
	return fmt.Sprintf("Stabilise(%v, %s)", st.length, nameOf(st.inner))
}

func (t *tolerance) String() string {
	return fmt.Sprintf("Tolerance(%v, %s)", t.fraction, nameOf(t.inner))
}

func (l *rateLimit) String() string {
	return fmt.Sprintf("RateLimit(%v, %s)", l.perSecond, nameOf(l.inner))
}

func (l largest) String() string {
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = nameOf(s)
	}
	return fmt.Sprintf("Max(%s)", strings.Join(names, ", "))
}

func (w withSignals[S]) String() string { return fmt.Sprintf("WithSignals(%s)", nameOf(w.scaler)) }

// nameOf returns the result of the String method of a scaler or, if it has none, its type. A
// panic of the method becomes part of the result.
func nameOf[S any](s Scaler[S]) string {
	if _, ok := s.(fmt.Stringer); ok {
		return fmt.Sprint(s)
	}
	return fmt.Sprintf("%T", s)
}
