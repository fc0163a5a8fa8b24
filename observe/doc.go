// Package observe says how the tasks of a manager are observed, and observes them by
// OpenTelemetry.
//
// A program that has installed an OpenTelemetry SDK as the global provider of spans or of
// metrics need do nothing: a manager that is started after that emits what there is a provider
// for. Without one a manager calls nothing. taskmanager.WithObserver takes observers of your
// own, or one that is made with [New] and has options; with taskmanager.WithoutTelemetry a
// manager has none.
//
// An observer implements one or more of the interfaces [SubmitObserver], [RunObserver],
// [RestartObserver] and [PoolObserver]. One that panics harms no task; the manager's log
// tells.
//
// # Spans
//
// Kind stands for the kind of the task: taskmanager.WithKind, its Kind method, or the name
// of its type. So the names of spans are few, however many tasks there are.
//
//	submit Kind    PRODUCER  child of the span that is current at the submit; only if there is one
//	run Kind       CONSUMER  one execution: child of the submit's span, or as WithPropagation
//	                         says; linked to the execution before it
//	restart Kind   INTERNAL  the wait before an execution, beside those; linked to the one that failed
//
// The runs of a schedule are not children of the span at its making, which has long ended,
// but are linked to it.
//
//	taskmanager.task.name            all spans
//	taskmanager.task.kind            all spans
//	taskmanager.pool.name            all spans, if the manager has a name
//	taskmanager.task.attempt         run, restart: the number of the execution, from 1
//	taskmanager.task.outcome         run: success, failure, cancelled; restart: cancelled, if it was
//	taskmanager.task.queue.duration  run: seconds in the queue
//	taskmanager.worker.id            run: 0 if the submitter runs it
//	taskmanager.restart.delay        restart: seconds
//	error.type                       run, submit: of a failure; restart: of the one before it
//
// A failure of a run sets the status Error, and an event "exception" has its type, text and,
// of a panic, stack. A submit that is refused has that status too. error.type is panic, goexit
// or timeout; what the ErrorType method of the error, or of one that it wraps, returns, which
// those of package taskmanager have (queue_full, already_exists, cancelled, …); or the type of
// the error. A task that is cancelled, by its user, its group or the end of the manager, is no
// error, unless it panics or calls runtime.Goexit then.
//
// A sampler sees the name of a span, with the kind in it, its parent and its links; the
// attributes are made for spans that are recorded.
//
// # Metrics
//
// They are recorded with the context of the span, so that exemplars lead to it.
//
//	taskmanager.task.run.duration     histogram, s        kind, outcome, error.type
//	taskmanager.task.queue.duration   histogram, s        kind
//	taskmanager.task.submissions      counter             kind, taskmanager.submission.result: accepted, refused
//	taskmanager.task.restarts         counter             kind, error.type
//	taskmanager.task.active           up-down counter     kind
//	taskmanager.queue.length          up-down counter
//	taskmanager.queue.limit           up-down counter     only if there is one
//	taskmanager.pool.worker.count     up-down counter     taskmanager.worker.state: busy, idle, lent
//	taskmanager.pool.worker.desired   up-down counter
//	taskmanager.pool.worker.min       up-down counter
//	taskmanager.pool.worker.max       up-down counter
//	taskmanager.scaler.decisions      counter             taskmanager.scaler.direction: up, down
//
// All have taskmanager.pool.name, if the manager has a name; give managers of one program
// names, or their points are added up.
//
// # Logs
//
// A handler for package slog that is made with [NewLogHandler] adds to each record that is
// logged with the context of a task, or one derived from it:
//
//	trace_id                  of the span that is current in the context
//	span_id                   likewise
//	taskmanager.task.name     until the end of the execution
//	taskmanager.task.attempt  likewise: its number, or that of the one which did not come about
//
// What a manager logs of a task has the same, if its logger is one of package
// adapters/logging, or another taskmanager.ContextLogger.
//
// # Profiles
//
// taskmanager.WithProfiling labels profiles with the kind and name of the task, and makes
// executions tasks of execution traces.
package observe
