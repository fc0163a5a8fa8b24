// Package taskmanager runs named background work in one process, on workers
// that are there in advance and whose number follows the load.
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
//		return err // for instance ErrAlreadyExists: it is being done
//	}
//	err = h.Wait(ctx)
//
// A task is a [Task], or a function with a name. Names are unique among the
// tasks that are outstanding: queued, running, or waiting to restart. A task may
// implement [TaskWithProgress] to show in [TaskManager.TaskStatus] how far it
// is, and [RestartableTask] to run again after a failure, when the restart
// policy says.
//
// # Which task runs next
//
// Tasks run in the order of their submits, unless [WithQueue] says otherwise:
// [LIFO], [Priority], [Deadline], [Fair] by key, at most so many of a key at once
// with [LimitByKey], or with load shedding, [CoDel]. What a discipline orders by a
// task tells by optional methods ([TaskWithPriority] and the like), or the submit by
// options. [WithLimit] bounds what waits, and says what happens beyond: the
// submit waits, fails, or runs the task itself, or some task is dropped.
//
// # Results and groups
//
// [Async] submits a function that has a result, and [Future.Result] waits for it.
// [TaskManager.Group] and [ResultGroup] hold tasks that are waited for, and fail,
// together. [TaskManager.SubmitAll] submits all of several tasks or none.
// [TaskManager.Every] and [TaskManager.Repeat] run a task over and over.
//
// # How a task ends
//
// [Handle.Done] is closed and [Handle.Err] says how: nil, or an error that wraps
// what Execute returned. A panic is a [*PanicError], a call of runtime.Goexit is
// [ErrGoexit]; both are failures like others, after which the task may restart
// and the worker goes on. A task that was cancelled ends with [ErrCancelled],
// one that Stop interrupted or dropped with [ErrStopped], one that the overflow
// policy gave up with [ErrDropped], one that the discipline gave up with [ErrShed],
// and one whose group failed with [ErrGroupFailed]. Limits in time end it with
// [ErrTimeout], after which it may restart, [ErrQueueTimeout] or
// [ErrDeadlineExceeded]. After a failure, only a cancellation by the manager or the handle keeps
// a task from being asked whether to restart; one that returns context.Canceled for
// reasons of its own is asked like any other.
//
// # Contexts
//
// The context given to Execute carries the values of the one given to Submit,
// but not its cancellation, unless [WithLinkedContext] is given. It is done when the
// task is cancelled, has exceeded a limit in time, or the manager stops, and
// context.Cause tells which; and when Execute has returned, so that nothing a task
// started outlives it unawares. Every execution has its own. [FromContext] finds the
// task.
//
// # Concurrency
//
// All of this package is safe for concurrent use. Methods of tasks are called
// with no lock held, so they may call the manager, even Status or Stop.
//
// A task may wait for others of its manager, however few workers there are: it lends
// the slot of its worker meanwhile; see [Blocking]. Where tasks would wait for each
// other, one gets [ErrWouldDeadlock].
//
// # Shutdown
//
// [TaskManager.Drain] runs all that there is and then stops; [TaskManager.Stop] cancels
// it. Both return nil when no task and no goroutine of the manager is left. The manager
// cannot end a task that ignores its context; Stop names it.
//
// # Time
//
// A manager started in a bubble of testing/synctest works in its virtual time.
package taskmanager
