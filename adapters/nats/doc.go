// Package nats shares the tasks of a program among processes: any process submits tasks, and worker
// processes run them, each through its own [taskmanager.TaskManager]. NATS JetStream stores the
// tasks. The NATS server can be a separate process, a cluster of servers, or a part of the program;
// see package embed.
//
// A submitter:
//
//	nc, err := natsgo.Connect(url, nats.ConnOptions(logger)...)
//	c, err := nats.Open(ctx, nc)
//	task, err := nats.Submit(ctx, c, "thumbnails/42", Thumbnail{ID: 42}, nats.WithKind("thumbnail"))
//
// A worker:
//
//	m, err := taskmanager.Start()
//	w, err := nats.NewWorker(c, m)
//	err = nats.Handle(w, "thumbnail", func(ctx context.Context, in Thumbnail) error { … })
//	err = w.Run(ctx) // blocks
//
// The guide in README.md leads from one process to a cluster.
//
// # Tasks
//
// A task has a name, a kind and a payload. Each run of a task is an execution.
//
//   - The name is unique among the outstanding tasks of a namespace, whatever their kinds. A task
//     is outstanding from its submit until it has ended, also while it waits to run again.
//   - The kind selects the handler.
//   - The payload is encoded by a [Codec]. Its size is limited by the maximum payload of the
//     server, 1 MiB by default, less 8 KiB and the headers. Pass a reference to larger data.
//
// A submit of a kind that no process handles succeeds, and the task waits. A worker of the
// namespace logs this about every minute, [Client.Audit] returns it, and the dashboard shows it.
//
// A failed task runs again if the restart policy of its handler says so; see [WithRestart]. A task
// that fails for good, or whose deadline or queue timeout passes, becomes a dead letter. Dead
// letters can be listed, retried and deleted. Outcomes are stored only on request; see
// [WithResult].
//
// # Leases
//
// The server delivers a task to one worker and reserves it for the duration of a lease; see
// [WithLease]. The worker extends the lease while it has the task. When a lease expires, because
// the worker has died, was paused or cannot reach the server, the server delivers the task to
// another worker. A worker that cannot extend a lease in time cancels the execution with the cause
// [ErrLeaseLost], before the lease expires.
//
// A worker gives a task back when it cannot finish it, for example because it drains. The server
// then delivers the task again without waiting for the end of the lease.
//
// When a task has ended, the worker stores its outcome or its dead letter, and removes the task. It
// repeats each of these requests for up to a minute while the server does not answer or a cluster
// elects a leader, and for up to ten seconds while the server refuses it. If the lease is lost
// before, another worker runs the task.
//
// # Guarantees
//
//   - A task that Submit has accepted is stored, as durably as the server stores. It stays until it
//     has succeeded, was cancelled or is a dead letter, whatever happens to the processes.
//   - There is at most one outstanding task of a name.
//   - A task runs at least once. It runs again if its worker dies or loses its lease, or if the
//     acknowledgement of its end is lost. [TaskID] is the same for all executions of a task, so it
//     can serve as an idempotency key.
//   - A repeated submit with the same [WithID] is the same task while that task is outstanding, and
//     for two minutes after it was first submitted unless the server is restarted.
//   - The limits of [WithKindLimit] and [WithKeyLimit] hold while leases hold. There are two
//     exceptions. If the end of an execution reaches the server after the lease, while another
//     worker runs the task again, that other execution does not count towards WithKindLimit any
//     more. If an audit re-creates a consumer, running tasks may run a second time at the same
//     time; see [Client.Audit].
//   - [SubmitAll] stores all of its tasks, or none.
//   - Each time of a schedule is submitted at most once, by one of the processes that run the
//     schedule; see [Repeat]. There is one exception: the process dies before it has recorded the
//     submit, the task ends, and another process comes more than two minutes later.
//
// # What is not guaranteed
//
//   - Exactly one execution. There is no fencing token: a handler that is paused for longer than
//     its lease overlaps with the next execution of the task when it continues. Its context has
//     ended by then, with the cause [ErrLeaseLost].
//   - Order. Tasks of a kind and a level are first delivered in the order of their submits, but
//     several workers run them at once, and tasks that run again come later.
//   - Strict priority. The levels of [WithPriority] are separate queues that workers poll in turn,
//     the highest first. Many tasks of a high level may starve the lower levels. Within a process,
//     the discipline of the manager orders the tasks that the worker has taken; see [WithAhead].
//   - Fairness between keys, and short waits, under WithKeyLimit: a task that finds no free slot
//     tries again after up to 5 seconds.
//   - Groups, linked contexts, restart budgets and deadlock detection across processes.
//
// Tasks with a delay, and tasks that wait to run again, count towards WithKindLimit.
//
// # Time
//
// Stored times are times of the server's clock. Each process measures the difference to its own
// clock when it opens the namespace, and again about once a minute when it needs it. Leases and
// timeouts are durations, and do not depend on wall clocks.
//
// # Observability
//
// Submits are reported to the observers of [WithObserver], and executions to those of the manager
// that runs them. The trace context and the baggage of a submit are stored with the task, so its
// executions belong to the trace of the submitter, in any process. Each run of a schedule is a
// trace of its own.
//
// [Client.TaskStatus], [Client.Lookup], [Client.List], [Client.Processes] and [Client.Kinds] return
// the present state. Package cluster shows it in the dashboard.
//
// # Concurrency
//
// Clients, workers, tasks, futures and schedules are safe for concurrent use. A process needs one
// client per namespace, and several clients may share a connection. Calls that wait take a context.
// Without a deadline, a submit gives up after 30 seconds and other requests after ten, except waits
// for results. No method of the values that this package returns panics. Panics in codecs,
// handlers, observers, loggers and timetables are caught.
//
// # Shutdown
//
// [Worker.Drain] ends a worker: it takes no more tasks, and waits for the running ones until its
// context ends. Then it cancels them with the cause [ErrDraining] and gives them back. Another
// worker runs them at once, and this does not count as a failure. After that, drain or stop the
// manager, call [Client.Close], and close the connection. A process that is killed loses no task:
// its tasks run elsewhere when their leases have expired.
//
// # Errors
//
// Test errors with [errors.Is] and [errors.As]:
//
//	taskmanager.ErrAlreadyExists  the name is taken; the error is a *taskmanager.TaskError
//	taskmanager.ErrQueueFull      a limit of the namespace or of the server is reached, or its disk is full
//	taskmanager.ErrEmptyName      the task has no name
//	ErrNoKind                     the task has no kind
//	ErrTooLarge                   a payload, a name or an attribute is too large
//	ErrUnknownOutcome             the server did not answer: the task may be stored; submit it again with WithID
//	ErrNotFound                   there is no such task or dead letter, or a stream was deleted
//	ErrLayout                     the streams are those of a newer version, or of something else
//	ErrNoJetStream                the server or the account has no JetStream
//	ErrNoResult                   the outcome was not stored, or has expired
//	ErrClosed                     the client is closed
//	*ResultError                  the task of Wait or Result failed for good
//	*PartialError                 some processes did not answer; the result has what is known
//	ErrLeaseLost, ErrDraining     causes of the end of a task's context
//	natsgo.ErrPermissionViolation the credentials do not suffice; see Permissions
//
// Error texts begin with "nats: " or "taskmanager: " and say what to do. Text from tasks is quoted
// and truncated. Payloads appear neither in errors nor in logs.
package nats
