// Package scheduler is a generic worker pool with pluggable queueing and scaling.
//
// A [Pool] runs items of any type. A queue discipline (package queue) decides which item
// runs next, and a scaler (package scale) decides how many workers there are. [Config]
// selects both:
//
//	pool, err := scheduler.NewPool(
//		scheduler.Config[Job]{Min: 2, Max: 100, Limit: 10_000},
//		func(worker int32, job Job) { job.Do() },
//	)
//	...
//	err = pool.Submit(ctx, job)
//	...
//	err = pool.Stop(ctx)
//
// With a Limit on the number of waiting items, an [Overflow] policy decides what a submit
// does when the pool is full. Under [Block] the discipline orders the items of submitters that
// wait for room together with the accepted ones.
//
// A dispatch does not allocate. The pool never runs an item twice; package restart decides
// when failed work runs again, and package taskmanager does so.
//
// # Concurrency
//
// A Pool is safe for concurrent use. It calls the run function from many goroutines at
// once. It serialises the calls of its queue and those of its scaler, so neither needs a
// lock.
//
// # Shutdown
//
// [Pool.Stop] drops the waiting items and waits for the running ones. [Pool.Drain] runs the
// waiting items first, and so does [Pool.Close], which does not wait. None of them interrupts
// an item; give the items a context if they must be interruptible. No goroutine of the pool
// is left when Stop or Drain has returned nil, and when [Pool.Done] is closed.
//
// [Pool.WaitIdle] and [Pool.PauseWait] wait for a pool that continues: until it has nothing to do,
// and until no item runs.
//
// Stop and Drain return when their context ends, whatever the scaler, Config.Dropped and the
// items do.
//
// # Errors
//
// Calls return [ErrStopped], [ErrQueueFull], [ErrWouldDeadlock], [ErrNilContext], a
// [*BatchError], or the cause of a context that ended. Config.Crashed gets a [*PanicError]
// or [ErrGoexit] for an item that crashed. Config.Dropped gets each item that the pool
// accepted and will never run, with [ErrStopped], [ErrDropped], [ErrShed] or a
// [*PanicError].
//
// # Trust boundary
//
// The pool guards against failures of the following code, and continues:
//
//   - The run function. A panic or [runtime.Goexit] ends the item only. The worker
//     continues, and Config.Crashed is called.
//   - The scaler. After a panic or Goexit, scale.Demand takes its place for that decision.
//   - Push of a queue. After a panic the item is dropped. A Goexit ends the process with a
//     message, because it would leave the pool locked.
//   - Config.Crashed, Config.Dropped and Config.Decided. A panic is logged. A Goexit is
//     guarded in Crashed only, where a framework decides about a restart.
//
// All other code is trusted: the other methods of a queue, the functions of [Hooks], and the
// methods of contexts. A panic in such code may leave the pool locked. On a worker it ends
// the process.
//
// # Time
//
// The pool measures time on the monotonic clock. The times that it displays, in a snapshot or
// a decision, are converted to the wall clock when they are displayed. A pool started in a
// bubble of testing/synctest uses the time of the bubble.
//
// # For frameworks built on the pool
//
// These methods serve a framework that gives items names, states and a lifecycle, such as
// package taskmanager. Other users need none of them.
//
//   - [Pool.Requeue] queues an item again, for a restart.
//   - [Pool.MarkFailed] counts an item as failed whose run function returns.
//   - [Pool.Withdraw] and [Pool.UndoWithdraw] account for items that were cancelled while
//     they waited. The pool skips them, as [Hooks] tells.
//   - [Pool.Lend] and [Pool.HasLent] free the slot of a worker while its item waits for
//     another item.
//   - [Pool.Caller] finds the item on whose behalf a goroutine runs.
package scheduler
