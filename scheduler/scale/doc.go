// Package scale decides how many workers a pool has.
//
// A [Scaler] maps the state of a pool, a [Snapshot], to a [Decision]: the number of
// workers that the pool should have.
//
//	Fixed        a constant number
//	Demand       one worker per running item, and one per backlog of waiting items
//	Step         half-way to the maximum when an item has waited too long
//	TargetWait   enough workers that a share of the items waits no longer than a target
//	Utilisation  enough workers that each is busy for a share of its time
//	Probe        the number of workers with the highest throughput
//
// Decorators change the decisions of another scaler:
//
//	Stabilise    shrink slowly
//	Tolerance    ignore small changes
//	RateLimit    grow slowly
//	Max          the largest of several targets
//	WithSignals  decide by signals of your own
//
// # Concurrency
//
// A scaler holds no lock, reads no clock and starts no goroutine. The same scaler
// therefore runs in a pool, in a test and in a simulation. A pool serialises its calls
// of Scale. A scaler may keep state between calls, so each pool needs its own. The
// constructors of this package may be called from several goroutines at once.
//
// # Errors
//
// Constructors accept any arguments. A pool calls [Validate] when it is made and returns
// an error for each invalid argument. The text of an error starts with "scale: ". A
// scaler that panics or calls [runtime.Goexit] does not harm the pool: [Demand] takes
// its place for that decision.
//
// # Testing
//
// Package scaletest is a conformance suite for scalers of your own.
package scale
