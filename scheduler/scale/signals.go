package scale

import "errors"

// WithSignals returns a scaler of a pool that decides by signals of your own, such as
// the memory in use or the load of a database. Each time the pool asks, read converts
// the state of the pool to those signals, and s decides.
//
// The function read may call other systems and block briefly, but a submitter waits for
// it. Of the methods of its own pool it may call only Snapshot and Workers. The fields
// of [Snapshot] that need a clock are set.
//
// A nil read or s is an error of [Validate].
func WithSignals[S any](read func(Snapshot) S, s Scaler[S]) Scaler[Snapshot] {
	return withSignals[S]{read: read, scaler: s}
}

type withSignals[S any] struct {
	read   func(Snapshot) S
	scaler Scaler[S]
}

func (w withSignals[S]) Validate() error {
	if w.read == nil || w.scaler == nil {
		return errors.New("scale: WithSignals: the function or the scaler is nil; give both")
	}
	return Validate(w.scaler)
}

func (w withSignals[S]) Scale(s Snapshot) Decision { return w.scaler.Scale(w.read(s)) }
