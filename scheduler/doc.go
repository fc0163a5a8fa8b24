// Package scheduler decides how many run, and when again.
//
// [Pool] is a worker pool for items of any type. What runs next is up to a
// queue discipline (package queue), how many workers there are up to a
// scaler (package scale), and both are chosen in [Config]:
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
// With a Limit on what waits, an [Overflow] policy says what a submit does beyond
// it.
//
// A dispatch allocates nothing. A crash of the work (a panic, or a call of
// runtime.Goexit) costs the pool no worker and is reported.
//
// # Concurrency
//
// A Pool is safe for concurrent use. It calls the function that runs items from
// many goroutines at once. Queues and scalers need no locks of their own.
//
// # Shutdown
//
// Stop drops what waits and waits for what runs; Drain runs what waits first.
// Neither can interrupt an item: whoever needs that gives the items a context.
// No goroutine of the pool is left when either has returned nil.
//
// # Time
//
// A pool started inside a bubble of testing/synctest works in its virtual time.
//
// # Errors
//
// Calls return [ErrStopped], [ErrQueueFull], [ErrWouldDeadlock], [ErrNilContext], a
// [*BatchError], or the reason why a context ended. Crashes are a [*PanicError] or
// [ErrGoexit]. Items that were taken and never run are reported to Config.Dropped,
// with [ErrStopped], [ErrDropped], [ErrShed] or a [*PanicError].
//
// Package restart says when work that failed runs again; the pool itself never
// runs an item twice on its own.
package scheduler
