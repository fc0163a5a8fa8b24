package scale

import (
	"errors"
)

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
		return errors.New("scale: WithSignals: the function or the scaler is nil; give both")
	}
	if v, ok := w.scaler.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

func (w withSignals[S]) Scale(s Snapshot) Decision { return w.scaler.Scale(w.read(s)) }
