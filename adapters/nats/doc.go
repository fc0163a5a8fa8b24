// Package nats runs the tasks of a program on many machines: any process submits, and worker processes
// run what they pull through their own [taskmanager.TaskManager]. NATS JetStream stores the tasks. The server
// may be one of its own, a cluster, or part of a process; see package embed.
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
// The file README.md leads from one process to a cluster.
//
// # Tasks
//
// A task has a name, a kind and a payload. The name is unique among the outstanding tasks of a
// namespace, whatever their kinds, as in a TaskManager: it is taken from the submit until the task has ended, also
// while it waits to run again. The kind decides which handler runs the task. The payload is
// encoded by a [Codec], and has at most the size that the server allows, which is 1 MiB by default, less
// 8 KiB and the headers. Pass a reference to larger data.
//
// A submit of a kind that no process handles succeeds, and the task waits. A worker of the namespace logs that about
// every minute, [Client.Audit] returns it, and the dashboard shows it.
//
// A task that fails runs again as the restart policy of its handler says. One that fails for good, or whose
// deadline or queue timeout has passed, becomes a dead letter, which can be listed, submitted again and
// deleted. Outcomes are kept only on request, see [WithResult].
//
// # What is guaranteed
//
//   - A task that Submit has accepted is stored, as safely as the server stores. It is there until it has
//     succeeded, was cancelled, or is a dead letter, whatever happens to the processes.
//   - There is at most one outstanding task of a name.
//   - A task runs at least once. It runs again if its worker dies or loses its lease, and if the
//     acknowledgement of its end is lost. [TaskID] is the same for all its executions, so it can serve as an
//     idempotency key.
//   - A repeated submit with the same [WithID] is the same task, while that is outstanding and for two
//     minutes after it was first submitted, unless the server is restarted.
//   - The limits of [WithKindLimit] and [WithKeyLimit] hold as long as leases do. If a consumer is made
//     again, as an audit may have to, what runs may run a second time.
//   - [SubmitAll] stores all of its tasks, or none.
//   - Each time of a schedule ([Repeat]) is submitted at most once, by whichever process is first. It may be
//     submitted twice only if that process dies before it has recorded the submit, the task ends, and the next
//     process comes more than two minutes later.
//
// # What is not
//
//   - Exactly one execution. There is no fencing token: a handler that is frozen for longer than its lease, and
//     then goes on, overlaps with its successor. Its context has ended by then, with the cause [ErrLeaseLost].
//   - Order. Tasks of a kind and a level are first given to workers in the order of their submits, but several
//     workers run them at once, and what runs again comes later.
//   - Strict priorities. The levels of [WithPriority] are separate queues that workers look into in turn, the
//     highest first. Many tasks of a high level may starve the lower ones. Within a process, the
//     discipline of the manager orders what the worker has taken; see [WithAhead].
//   - Fairness between keys, and quick turns, under WithKeyLimit: a task that finds no free slot tries again
//     after at most 5 seconds.
//   - Groups, linked contexts, restart budgets and the detection of deadlocks, over processes.
//
// Tasks that wait for their time, or to run again, count for WithKindLimit.
//
// # Time
//
// Times that are stored are those of the clock of the server. Each process learns the difference to its own
// clock when it opens the namespace, and again once a minute if it needs it. Leases and timeouts do not depend on clocks.
//
// # Observability
//
// Submits are reported to the observers of [WithObserver], executions to those of the manager that runs them. The
// trace context and the baggage of a submit travel with the task, so that its executions, in any process, belong to the
// trace of the submitter. Runs of a schedule are traces of their own.
//
// [Client.TaskStatus], [Client.Lookup], [Client.List], [Client.Processes] and [Client.Kinds] tell what there is.
// Package cluster shows it in the dashboard.
//
// # Concurrency
//
// Clients, workers, tasks, futures and schedules are safe for concurrent use. A process needs one client for a
// namespace; several clients may share a connection. Calls that wait take a context. If it has no deadline, a
// submit gives up after 30 seconds, and other requests after ten, except waits for results. No method of what this package
// returns panics, and panics in codecs, handlers, observers, loggers and timetables are caught.
//
// # Shutdown
//
// [Worker.Drain] ends a worker: it takes no more tasks and waits for those that run, until its context ends. Then
// these are cancelled with the cause [ErrDraining] and given back, and another worker runs them at once, without
// counting as a failure. After that, drain or stop the manager, call [Client.Close], and close the connection. A
// process that is killed loses nothing: its tasks run elsewhere when their leases have ended, see [WithLease].
//
// # Errors
//
// Errors can be tested with [errors.Is] and [errors.As]:
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
//	ErrNoResult                   the outcome was not kept, or has expired
//	ErrClosed                     the client is closed
//	*ResultError                  the task for which Wait or Result has waited failed for good
//	*PartialError                 some processes did not answer; the result has what is known
//	ErrLeaseLost, ErrDraining     causes of the end of a task's context
//	natsgo.ErrPermissionViolation the credentials do not suffice; see Permissions
//
// Their texts begin with "nats: " or "taskmanager: " and say what to do. Text of tasks in them is quoted and
// truncated. Payloads appear neither in errors nor in logs.
package nats
