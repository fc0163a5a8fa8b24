// Package batch runs a function for each item of a sequence, as tasks of a manager.
//
//	for thumbnail, err := range batch.Map(ctx, m, "resize", slices.Values(files), resize) {
//		if err != nil {
//			return err
//		}
//		show(thumbnail)
//	}
//
// [Map] yields the results in the order of the items, each as soon as it and those before it are
// available. [ForEach] is for functions without a result. For a slice, pass [slices.Values]; for
// a channel or a query, a sequence of your own. The sequence may be infinite.
//
// Each item is a task with a unique name, such as "resize#17", and the kind "resize"; see
// [taskmanager.WithUniqueName]. So it is listed, traced, counted and cancelled like any other task,
// its panics become errors, and the manager's discipline, limits and restart policy apply.
// [WithTaskOptions] passes further options for all items.
//
// # Memory
//
// A batch reads items only as it needs them. At most a certain number of items are in flight,
// that is, have been read while their results have not yet been passed to the loop; see
// [WithInFlight]. Nothing else is kept in memory: neither items, nor results, nor handles.
//
// # Errors
//
// By default, a batch behaves as a loop that calls the function for one item after another and stops
// at the first error. The results of the items before come first, then the error, and nothing
// after it. But the error takes effect as soon as it occurs: no further item is read, and the items
// after the one that failed are cancelled. Those before it continue, since their results come
// first. If one of them fails too, the error is its error.
//
// With [WithCollect] the batch continues after an error. Map then yields a result or an error for
// each item, and ForEach returns all errors, joined.
//
// The error of an item is an [*ItemError] with its position. It wraps the error of the task, or
// that of its submit. The overflow policy of the manager (see [taskmanager.WithLimit]) applies to an
// item as to any task. Under [taskmanager.Block] and [taskmanager.CallerRuns] the batch waits for
// room. Under [taskmanager.Reject] an item that finds no room fails with
// [taskmanager.ErrQueueFull], and an item that is dropped with [taskmanager.ErrDropped]. By default
// no more items are in flight than may wait, so this happens only if the manager has other tasks too.
//
// Three faults end the batch even with WithCollect:
//   - The context ends. All items are cancelled, and the batch returns an error that wraps its cause.
//   - The submit of an item fails for a reason that holds for every item, such as
//     [taskmanager.ErrStopped]. The batch returns the results of the items before, and that error.
//   - The sequence panics or calls [runtime.Goexit], or the function of [WithProgress] panics. The error wraps
//     a [*taskmanager.PanicError] or [taskmanager.ErrGoexit]. It comes after the results of the items
//     that were read.
//
// # The end of a loop
//
// When a loop over the results ends, by break, return or panic too, the items in flight have been
// cancelled, and have ended, and no goroutine of the batch is left. So the end of the loop waits for
// items that ignore their context. It also waits for the sequence to return from the production of
// an item. A sequence that may block for long should end with a context, and the loop should cancel
// that context before it breaks.
//
// # Concurrency
//
// The sequence runs on a goroutine of its own, the function on the workers of the manager, and the
// body of the loop on the goroutine of the loop. Each range over the result of Map is a batch of
// its own and reads the sequence again.
//
// A task may run a batch on its own manager, even with a single worker: it lends its slot while it
// waits for results; see [taskmanager.Blocking]. Its batch waits for room in the queue too, where
// another submit of a task returns [taskmanager.ErrWouldDeadlock].
// An item, or a task for which an item waits, cannot wait for the task that runs the batch, since that one
// cannot end before its items: the wait returns ErrWouldDeadlock, even while the loop does not wait.
package batch
