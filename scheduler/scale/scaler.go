package scale

import "time"

// Scaler decides how many workers a pool should have, based on the signals S. A pool
// takes a Scaler[Snapshot]; [WithSignals] builds one from a scaler of other signals.
//
// A scaler is deterministic: the same sequence of signals gives the same decisions. It
// reads no clock, since the signals include the time. It may keep state, so two pools
// must not share one.
//
// A pool calls its scaler
//
//   - when an item is submitted and no worker is idle,
//   - when an idle worker reaches its timeout,
//   - when [Decision.Again] has passed since the last decision, and
//   - when the pool is made, resized or resumed.
//
// The pool limits the target to its bounds. It grows to the target at once. The new
// workers count from then on; those above the minimum get their goroutines one after
// another, as items arrive for them. The pool shrinks towards the target by letting a
// worker exit once it has been idle for its timeout, unless the decision is Firm.
type Scaler[S any] interface {
	// Scale returns the number of workers that the pool should have.
	//
	// Calls are serialised. The pool holds no lock that running items need, but a
	// submitter that found no idle worker waits for the answer, so Scale must be
	// quick. Of the methods of its own pool, Scale may call only Snapshot and Workers.
	Scale(signals S) Decision
}

// Decision is the answer of a [Scaler].
type Decision struct {
	// Target is the number of workers that the pool should have.
	Target int
	// Again is the time after which the pool asks again at the latest. 0 means that
	// there is no need to.
	Again time.Duration
	// Reason explains the decision to people, in a few words.
	Reason string
	// Firm makes workers above the target exit as soon as they have finished their
	// item, even while other items wait. The pool then asks again only after Again, not
	// at each submit. Without Firm, a worker exits only when it has been idle for its
	// timeout, because under load the next decision may need the worker again.
	Firm bool
}
