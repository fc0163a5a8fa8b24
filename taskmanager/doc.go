// Package taskmanager runs named background tasks on a worker pool that scales with load.
//
//	m, err := taskmanager.Start(taskmanager.WithWorkers(2, 100))
//	if err != nil {
//		return err
//	}
//	defer m.Stop(context.Background())
//
//	h, err := m.SubmitFunc(ctx, "thumbnails/42", func(ctx context.Context) error {
//		return resize(ctx, 42)
//	})
//	if err != nil {
//		return err // for example ErrAlreadyExists: the task is already outstanding
//	}
//	err = h.Wait(ctx)
//
// A task is a [Task] or a function with a name. Submitting it returns a [Handle], which
// waits for the task, cancels it and reports its status. A name belongs to one outstanding
// task at a time; it is free again as soon as that task has ended. [WithUniqueName] appends a
// number, for tasks that need no name of their own. With [WithRerun], [WithReplace] and
// [WithDebounce] a second task may wait for the name.
//
// A Task may implement further interfaces. [TaskWithProgress] reports progress in
// [TaskManager.TaskStatus], and [RestartableTask] runs again after a failure. Any task may return
// [NotYet] to run again later without having failed.
// [TaskWithPriority], [TaskWithKey], [TaskWithCost] and [TaskWithDeadline] provide the
// attributes that a discipline orders by, and [TaskWithKind] the kind shown in telemetry.
//
// # Overview
//
// Options of [Start] configure the manager. Options of a submit configure one task.
//
//   - Order: [WithQueue] selects the discipline: [FIFO] (the default), [LIFO], [Priority],
//     [Deadline], [Fair], [LimitByKey], [LimitBy], [Resources], [CoDel] or [Custom]. With
//     [WithInherit] a task takes over the attributes of the task that submits it.
//   - Workers: [WithWorkers] bounds their number, and [WithScaler] chooses it within these
//     bounds. [TaskManager.Resize] changes the bounds.
//   - Load: [WithLimit] bounds the number of waiting tasks and selects what a submit does
//     when the queue is full. [WithKeyQueueLimit] does so for the tasks of each key.
//   - Failures: [WithRestart] decides whether and when a failed task restarts, and
//     [WithRestartAtFront] where it is queued. [NotYet] postpones a task that has not failed.
//   - Time: [WithDelay] and [WithNotBefore] delay a task; [WithTimeout], [WithQueueTimeout]
//     and [WithDeadline] limit it. [TaskManager.Every] and [TaskManager.Repeat] run a task
//     periodically, as a [Schedule], and [TaskManager.Schedules] lists the schedules.
//   - Names: a submit whose name is taken fails. With [WithRerun] the task runs once more,
//     [WithReplace] replaces a task that has yet to run, and [WithDebounce] also restarts the
//     delay.
//   - Results: [Async] runs a function with a result. [TaskManager.Group] and
//     [NewResultGroup] handle tasks that succeed or fail together, and
//     [TaskManager.SubmitAll] submits several tasks or none. Package batch runs a function for
//     each item of a sequence. [WithOnEnd] calls a function at the end of a task.
//   - Insight: [TaskManager.Status], [TaskManager.TaskStatus] and [TaskManager.History] show
//     the state. [WithLogger] logs failures. [WithObserver] adds observers; the built-in
//     telemetry uses OpenTelemetry if the program has installed it, before or after the start
//     of the manager. [TaskManager.Page] lists tasks in pages, and [Handle.Peek] is the status
//     without calls of the methods of a task. [TaskManager.Counts] counts tasks by their outcome
//     and their state, and [TaskManager.Describe] returns the state and the configuration of the
//     manager.
//   - Extension: [WithMiddleware] wraps each execution. [WithOrigin] and [TaskManager.WaitRoom]
//     serve programs that fetch their tasks from a queue which several processes share.
//
// # Glossary
//
//   - Outstanding: a task is outstanding from its submit until it ends, that is, while it is
//     queued, running, or waiting to start or to run again.
//   - Submitter: the goroutine that submits a task.
//   - Discipline: the order of the queue. It decides which waiting task runs next.
//   - Slot: the right to run one task. There are as many slots as the maximum of
//     [WithWorkers], and a worker needs one while it runs a task.
//   - Lend: a task that waits for another task lends its slot. It gives the slot up during
//     the wait and gets one back before it continues.
//
// # How a task ends
//
// [Handle.Done] is closed when the task has ended, and [Handle.Err] then returns the reason:
//
//	nil                     Execute returned nil
//	the error of Execute    Execute returned an error, and the task did not restart
//	*PanicError, ErrGoexit  Execute panicked or called runtime.Goexit
//	ErrTimeout              an execution exceeded its WithTimeout
//	ErrRestartsExhausted    the restart policy gave up
//	ErrCancelled            the task was cancelled by name, handle or linked context
//	ErrReplaced             a later submit of its name replaced the task
//	ErrGroupFailed          the group of the task failed
//	ErrQueueTimeout         the task waited longer than its WithQueueTimeout
//	ErrDeadlineExceeded     the WithDeadline of the task passed
//	ErrStopped              the manager stopped
//	ErrDropped              the overflow policy dropped the task
//	ErrShed                 the discipline shed the task
//	*HandedOver             a task with WithOrigin is to run again, perhaps elsewhere
//
// An error, a panic, a Goexit and ErrTimeout are failures. After a failure the task may
// restart, even if Execute returned [context.Canceled] for a reason of its own. A task that
// was cancelled, by its handle or by the manager, does not restart. A task that returns [NotYet]
// neither fails nor ends; a middleware recognises its error by [ErrNotYet].
//
// # Errors
//
// Calls return the errors listed in their documentation. Compare them with [errors.Is], and
// use [errors.As] for [*TaskError], [*PanicError], [*StopError], [*DrainError], [*GroupError] and
// [*HandedOver]. Only [TaskManager.Go] and [TaskManager.GoFunc] promise errors that can be compared
// with ==.
// [Start] reports all invalid options at once.
//
// # Contexts
//
// The context that Execute receives carries the values of the context of the submit, but not
// its cancellation unless [WithLinkedContext] is given. It ends when the task is cancelled or
// exceeds a time limit, when the manager stops, and when Execute returns, so that goroutines
// started by the task learn that it is over. [context.Cause] tells the reason; for the end of
// a linked context, it is the cause of that context. Each execution has its own context, whose
// values remain after its end. A [Handle] or [Future] that is kept does not keep them in
// memory. [FromContext] returns the task of a context.
//
// # Concurrency
//
// All functions and methods of this package are safe for concurrent use. The manager holds
// no lock when it calls methods of tasks, restart policies, observers, loggers and functions of
// [WithOnEnd], so they may call the manager. It holds a lock when it calls a [Custom] discipline, which must not
// call the manager, or a scaler, which may call only [TaskManager.Snapshot] and
// [TaskManager.Workers].
//
// Tasks may wait for other tasks of the manager, even with a single worker, because a
// waiting task lends its slot; see [Blocking]. If tasks would wait for each other, the wait
// that closes the cycle returns [ErrWouldDeadlock]. Cycles through channels, mutexes and the
// like are not detected.
//
// # Lifecycle and shutdown
//
//	                     Pause              Close, Drain       Stop
//	new submits          as before          ErrStopped         ErrStopped
//	submits under Block  wait for room      accepted           ErrStopped
//	waiting tasks        stay queued        run                end with ErrStopped
//	running tasks        continue           run to their end   context cancelled
//	failed tasks         wait to restart    restart            do not restart
//	schedules            continue           end                end
//	returns              at once            Close at once,     when all ended
//	                                        Drain when all ended
//	error if ctx ends    (no context)       *DrainError        *StopError
//
// The second row is for submits that wait for room. [TaskManager.Pause] is undone by
// [TaskManager.Resume]. [TaskManager.Close], [TaskManager.Drain] and [TaskManager.Stop] end
// the manager for good. When Drain or Stop has returned nil, or [TaskManager.Done] is closed,
// no task and no goroutine of the manager is left. A Drain whose context ends cancels the
// remaining tasks, as Stop does. The manager cannot end an Execute that ignores its context,
// nor an observer, a logger, a timetable, a function of [WithOnEnd] or a scaler that does not
// return; the error of Stop names such tasks and calls, and Stop can be called again to continue
// waiting.
//
// [TaskManager.WaitIdle] waits until no task is outstanding, and [TaskManager.PauseWait] until none
// runs; the manager continues afterwards.
//
// Drain and Stop return when their context ends, however many tasks there are, and whatever
// tasks, observers and scalers do. The manager continues to end in the background.
//
// # Trust boundary
//
// The manager guards against failures of user code and continues:
//
//   - A panic or [runtime.Goexit] in Execute or in a middleware is a failure of that
//     execution.
//   - A panic or Goexit in Restart or in a restart policy ends that task.
//   - After a panic or Goexit in a scaler, [scale.Demand] makes that decision.
//   - A panic in Name or an attribute method (Kind, Priority, Key, Cost, Deadline, or the
//     weight function of [Fair]) makes the submit fail.
//   - A panic in Progress or Description is reported in the status.
//   - A panic in Push of a custom queue ends the task that was pushed.
//   - A panic in a [Timetable] ends that schedule, as does one in the source of [WithRand] that
//     [WithJitter] uses. After a panic in its String method, its type describes the timetable.
//   - A panic in an observer or in a function of [WithOnEnd] is logged. A panic in a logger is
//     ignored.
//
// The manager trusts other code, and may stay locked or lose a goroutine if that code fails:
// contexts and errors whose methods panic or call Goexit; observers, loggers, functions of
// [WithOnEnd], Name, Progress, Description and attribute methods that call Goexit; the other methods
// of a custom queue.
// A Goexit in Push of a custom queue ends the process.
//
// # Time in tests
//
// A manager that is started in a bubble of [testing/synctest] uses the virtual time of the
// bubble. Delays, time limits, schedules and idle timeouts then take no real time.
//
// # Examples
//
// The directory [taskmanager/examples] holds complete programs: an HTTP service with a clean
// shutdown, a batch with a progress bar, fair sharing between tenants, weighted limits, and several
// managers that pull tasks from one store.
//
// [taskmanager/examples]: https://github.com/seed56799101/taskmanager/tree/HEAD/taskmanager/examples
package taskmanager
