package scale

import (
	"errors"
	"slices"
)

// Timed is an optional interface of a [Scaler]. It tells the pool whether the scaler
// reads the fields of [Snapshot] that need a clock. A pool whose scaler does not read
// them measures no time, which makes each dispatch cheaper.
type Timed interface {
	// NeedsTime is called once, when the pool is made.
	NeedsTime() bool
}

// NeedsTime reports whether s reads the fields of [Snapshot] that need a clock. It
// returns true for a scaler that does not implement [Timed]. Pools call it once.
func NeedsTime(s Scaler[Snapshot]) bool {
	t, ok := s.(Timed)
	return !ok || t.NeedsTime()
}

// Validate returns an error if s is nil or was constructed with invalid arguments. A
// scaler reports its own arguments, and those of the scalers that it wraps, through a
// method Validate() error. Pools call it once, when they are made.
func Validate[S any](s Scaler[S]) error {
	if s == nil {
		return errors.New("scale: a scaler is nil; Demand(1) is the default")
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// Trusted reports whether s, and each scaler that it wraps, belongs to this package. A
// trusted scaler never panics and never calls [runtime.Goexit], so a pool calls it
// directly. A pool calls any other scaler on a separate goroutine. A scaler made by
// [WithSignals] is not trusted, because it calls functions of the user.
func Trusted(s Scaler[Snapshot]) bool {
	switch s := s.(type) {
	case fixed, demand, *step, *targetWait, *utilisation, *probe:
		return true
	case interface{ wraps() []Scaler[Snapshot] }:
		return !slices.ContainsFunc(s.wraps(), func(inner Scaler[Snapshot]) bool { return !Trusted(inner) })
	}
	return false
}
