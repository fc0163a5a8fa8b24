// Package observe defines how to observe the tasks of a manager, and provides an observer for
// OpenTelemetry.
//
// A program that installs an OpenTelemetry SDK as the global tracer or meter provider needs no
// further code: every manager emits spans or metrics through it, for each task that is submitted
// after that. A manager follows up to 250 changes of the providers. A task belongs to the providers
// that are installed at its submit, for all its events, and the metrics of the pool to the last
// ones. Without an SDK, there is no built-in observer. To change this:
//
//   - taskmanager.WithObserver adds observers. One made with [New] and options takes the place of
//     the built-in observer, so nothing is emitted twice. An observer of your own that contains an
//     [OTel] does not; combine it with WithoutTelemetry.
//   - taskmanager.WithoutTelemetry turns the built-in observer off.
//
// An observer implements one or more of the interfaces [SubmitObserver], [RunObserver],
// [RestartObserver], [EndObserver], [PoolObserver] and [DecisionObserver]. A panic in an observer is
// logged by the manager and does not affect the task.
//
// # Spans
//
// Kind is the kind of the task: the argument of taskmanager.WithKind, the result of its Kind
// method, or the name of its type. The number of span names is therefore small, however many
// tasks there are.
//
//	submit Kind    PRODUCER  the submit; child of the current span, and absent without one
//	run Kind       CONSUMER  one execution; child of the submit's span, or as WithPropagation says;
//	                         linked to the previous execution
//	restart Kind   INTERNAL  the wait before a restart; sibling of the executions, linked to the
//	                         execution that failed
//	end Kind       INTERNAL  the end of a task that waited for a worker, to become due for the first
//	                         time, or to run again after a postponed execution; related to the submit's span as an execution would be
//
// Other ends show in the span of the last execution or of the wait for a restart.
//
// The executions of a schedule are linked to the span that was current when the schedule was made.
// They are not its children, since that span has usually ended long before.
//
// Attributes of spans:
//
//	taskmanager.task.name            all spans
//	taskmanager.task.kind            all spans
//	taskmanager.pool.name            all spans, if the manager has a name
//	taskmanager.task.attempt         run, restart: the number of the execution, from 1
//	taskmanager.task.outcome         run: success, failure, cancelled or postponed; restart: cancelled,
//	                                 if it was; end: as in the metric taskmanager.task.ends
//	taskmanager.task.queue.duration  run, end: the time in the queue, in seconds
//	taskmanager.worker.id            run: the number of the worker; 0 if the submitter runs the task
//	taskmanager.restart.delay        restart: the delay, in seconds
//	error.type                       run, submit, end: the type of the error; restart: that of the
//	                                 failure before it
//
// A failed execution has the status Error and an event "exception" with the type, the text and,
// for a panic, the stack. A rejected submit has the status Error too, and so has an end with the
// outcome timed_out, dropped or shed. The value of error.type is
//
//   - panic, goexit or timeout, for an execution that failed in this way;
//   - or else the result of the ErrorType method of the error or of an error that it wraps. The
//     errors of package taskmanager have one: queue_full, already_exists, cancelled and so on;
//   - or else the name of the type of the error.
//
// A cancelled task is not an error, whether the user, the group or the end of the manager cancelled
// it. If it panics or calls [runtime.Goexit] after the cancellation, that is an error.
//
// An execution is postponed if it returned taskmanager.NotYet, which is no error. The wait that follows
// has no span; the next execution is linked to this one.
//
// A task that was stored elsewhere, and submitted with taskmanager.WithOrigin, has no span of the
// submit. Its executions are related to the span that is current in the context of the submit, which
// may be a remote one, as they otherwise are to the span of the submit. [ContextWithPrevious] links its
// next execution to the one before.
//
// A sampler receives the name of the span, which contains the kind, the parent and the links. The
// attributes are added after the sampling decision, and only to recorded spans.
//
// # Metrics
//
// Metrics are recorded in the context of the span, so their exemplars refer to the trace.
//
//	taskmanager.task.run.duration     histogram, s        kind, outcome, error.type
//	taskmanager.task.queue.duration   histogram, s        kind
//	taskmanager.task.submissions      counter             kind, taskmanager.submission.result: accepted, refused
//	taskmanager.task.restarts         counter             kind, error.type
//	taskmanager.task.ends             counter             kind, outcome, error.type
//	taskmanager.task.active           up-down counter     kind
//	taskmanager.queue.length          up-down counter
//	taskmanager.queue.limit           up-down counter     only if there is one
//	taskmanager.pool.worker.count     up-down counter     taskmanager.worker.state: busy, idle, lent
//	taskmanager.pool.worker.desired   up-down counter
//	taskmanager.pool.worker.min       up-down counter
//	taskmanager.pool.worker.max       up-down counter
//	taskmanager.scaler.decisions      counter             taskmanager.scaler.direction: up, down
//
// All of them have the attribute taskmanager.pool.name if the manager has a name. In a program with
// several managers, name each of them: without names their values are added up.
//
// Each accepted task adds one to taskmanager.task.ends when it ends, whether it has run or not. The
// outcome is
//
//   - success, if the task ended without an error;
//   - failure, if its last execution failed and it does not restart;
//   - cancelled, if the user, a linked context or the group cancelled it, or a later submit of its
//     name replaced it;
//   - stopped, if the end of the manager cancelled it;
//   - timed_out, if it exceeded a limit of an execution, of the wait for a worker, or its deadline;
//   - dropped, if the overflow policy gave it up, or the discipline failed to queue it;
//   - shed, if the discipline gave it up because it had waited for too long;
//   - handed_over, if it was submitted with taskmanager.WithOrigin and is to run again.
//
// A task of WithOrigin is not counted in taskmanager.task.submissions, and its hand-overs are not in
// taskmanager.task.restarts.
//
// The attribute error.type is absent for success, cancelled, stopped and handed_over. The method Counts of the
// manager returns the same numbers, without kinds.
//
// # Logs
//
// A [log/slog.Handler] made with [NewLogHandler] adds attributes to each record that is logged with
// the context of a task or a context derived from it:
//
//	trace_id                  of the current span
//	span_id                   of the current span
//	taskmanager.task.name     of the task, until the execution ends
//	taskmanager.task.attempt  the number of the execution, until it ends
//
// Records that the manager itself logs about a task have the same attributes, if its logger is a
// taskmanager.ContextLogger or a taskmanager.StructuredLogger, such as those of package
// adapters/logging. They also have them after the execution, and for an execution that did not take
// place. A StructuredLogger gets further attributes, such as the error.
//
// # Text
//
// Names and kinds of tasks, the name of the manager, errors, their types and panic values may hold any
// bytes. What the [OTel] observer, the log handler and the profiles pass on is valid UTF-8: each run
// of invalid bytes is replaced by U+FFFD. A longer text is truncated and then ends with "…":
//
//	names, kinds, types of errors  256 bytes
//	texts of errors                4 KiB
//	stacks                         16 KiB
//
// Other observers receive the texts as they are.
//
// # Profiles
//
// taskmanager.WithProfiling adds the labels [KindLabel] and [NameLabel] to profiles, and makes
// each execution a task of the execution trace.
//
// # Stability
//
// The names of spans, metrics and attributes are part of the API of the module: dashboards and
// alerts depend on them.
package observe
