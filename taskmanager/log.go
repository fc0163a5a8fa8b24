package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
	"github.com/seed56799101/taskmanager/internal/text"
)

// Logger receives messages of the manager. The sugared logger of zap and the loggers of
// logrus implement it; package adapters/logging makes one from a slog.Logger. [WithLogger]
// sets it.
//
// The manager logs failures and restarts of tasks, and decisions of the scaler. It logs
// nothing for a task that succeeds without a restart. Of the tasks that the overflow policy
// drops or the discipline sheds, it logs the first one, and then their number at most every
// ten seconds.
//
// A message is one line, followed by the stack if it is about a panic: names are quoted, and
// control characters in errors are escaped. Names and errors are truncated as package observe
// says.
//
// A Logger must be safe for concurrent use. A failure is logged after it has been handled,
// and a panic in the Logger is ignored, so neither affects the task. A Logger must not call
// [runtime.Goexit].
type Logger interface {
	// Infof formats and logs a message about a normal event.
	Infof(format string, args ...any)
	// Info logs the same kind of message, formatted as by [fmt.Print].
	Info(args ...any)
	// Errorf formats and logs a message about a failure.
	Errorf(format string, args ...any)
	// Error logs the same kind of message, formatted as by [fmt.Print].
	Error(args ...any)
}

// ContextLogger is an optional interface of a [Logger]. The manager uses it for messages
// about an execution of a task. The context carries the values of the execution's context,
// so the span of the execution is the current span. The loggers of package adapters/logging
// implement it.
type ContextLogger interface {
	Logger
	// InfofContext is Infof with the context of an execution.
	InfofContext(ctx context.Context, format string, args ...any)
	// ErrorfContext is Errorf with the context of an execution.
	ErrorfContext(ctx context.Context, format string, args ...any)
}

// StructuredLogger is an optional interface of a [Logger] that takes attributes, such as a
// [*slog.Logger]. The manager then calls only this method, with a short constant message and
// these attributes, as far as they apply:
//
//	pool     the name of the manager
//	task     the name of the task
//	attempt  the number of the execution, from 1
//	delay    the delay before a restart
//	failures the number of failures in a row
//	error    the text of the error
//	stack    the stack of a panic
//
// The loggers of package adapters/logging implement it.
type StructuredLogger interface {
	Logger
	// LogAttrs logs a message. ctx is as for a [ContextLogger].
	LogAttrs(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr)
}

// event is a message of the manager. Loggers that do not take attributes get the text.
type event struct {
	level   slog.Level
	message string // without the details
	attrs   []slog.Attr
	format  string // with the details; it and args make the text
	args    []any
}

// log passes messages to a Logger, if there is one, and recovers its panics.
type log struct {
	to     Logger
	name   string // of the manager
	prefix string
	calls  *calls
	task   string // that the messages are about; "": none
}

func newLog(to Logger, managerName string, calls *calls) log {
	l := log{to: to, name: text.Clean(managerName, text.NameLimit), prefix: "taskmanager: ", calls: calls}
	if managerName != "" {
		// The prefix is used as part of a format string.
		l.prefix = strings.ReplaceAll(fmt.Sprintf("taskmanager %q: ", l.name), "%", "%%")
	}
	return l
}

// write logs an event that does not belong to an execution.
func (l log) write(e event) { taskLog{log: l, ctx: context.Background()}.write(e) }

// fault logs an error that belongs to no execution. what describes it.
func (l log) fault(what string, err error) {
	l.write(event{
		level: slog.LevelError, message: what, attrs: errorAttrs(err), format: what + ": %v", args: []any{details{err}},
	})
}

// logCrash logs a panic in a call of user code.
func (m *TaskManager) logCrash(in userCall, err error) {
	if in.what != onEndCall {
		m.log.fault("an observer crashed", err)
		return
	}
	m.log.write(event{
		level: slog.LevelError, message: "a function of WithOnEnd crashed",
		attrs:  append(errorAttrs(err), slog.String("task", text.Clean(in.task, text.NameLimit))),
		format: "a function of WithOnEnd of task %v crashed: %v", args: []any{quoted(in.task), details{err}},
	})
}

// taskLog logs messages about one execution of a task.
type taskLog struct {
	log

	ctx     context.Context
	attempt int // 0: unknown, since the Logger does not need it
}

// logFor returns a log for the present execution of h, whose context is given. The log
// remains usable when the execution has ended.
func (m *TaskManager) logFor(h *Handle, of taskContext) taskLog {
	l := taskLog{log: m.log, ctx: context.Background()}
	l.task = h.name
	switch l.to.(type) {
	case StructuredLogger, ContextLogger:
		_, l.attempt = (*owner)(h).Identity()
		l.ctx = lazycontext.WithIdentity(context.WithoutCancel(of.Lazy().Values()), h.name, l.attempt)
	}
	return l
}

// write logs an event with the attributes of the manager and the task.
func (l taskLog) write(e event) {
	if l.to == nil {
		return
	}
	defer l.begin()()
	switch to := l.to.(type) {
	case StructuredLogger:
		var attrs []slog.Attr
		if l.name != "" {
			attrs = append(attrs, slog.String("pool", l.name))
		}
		if l.attempt > 0 {
			attrs = append(attrs, slog.String("task", text.Clean(l.task, text.NameLimit)), slog.Int("attempt", l.attempt))
		}
		to.LogAttrs(l.ctx, e.level, "taskmanager: "+e.message, append(attrs, e.attrs...)...)
	case ContextLogger:
		if e.level < slog.LevelError {
			to.InfofContext(l.ctx, l.prefix+e.format, e.args...)
		} else {
			to.ErrorfContext(l.ctx, l.prefix+e.format, e.args...)
		}
	default:
		if e.level < slog.LevelError {
			to.Infof(l.prefix+e.format, e.args...)
		} else {
			to.Errorf(l.prefix+e.format, e.args...)
		}
	}
}

// logFailure logs that a task has ended with the failure err.
func (m *TaskManager) logFailure(h *Handle, ctx taskContext, err error) {
	m.logFor(h, ctx).write(event{
		level: slog.LevelError, message: "task failed", attrs: errorAttrs(err),
		format: "task %v failed: %v", args: []any{quoted(h.name), details{err}},
	})
}

// quoted is a name in a text: quoted, and truncated if it is long.
type quoted string

// String returns the quoted name.
func (q quoted) String() string { return text.Name(string(q)) }

// errorAttrs are the attributes of an error.
func errorAttrs(err error) []slog.Attr {
	attrs := []slog.Attr{slog.Any("error", errorText{err})}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", text.Clean(string(p.Stack), text.StackLimit)))
	}
	return attrs
}

// errorText is an error as a value for slog, which calls LogValue only if the message is
// logged, and recovers panics.
type errorText struct{ err error }

// LogValue returns the text of the error.
func (e errorText) LogValue() slog.Value {
	return slog.StringValue(text.Clean(e.err.Error(), text.ErrorLimit))
}

// details formats an error for a text: on one line, since a line break in it could be used
// to forge messages. The stack of a panic, which may be reported nowhere else, follows on
// further lines. The formatting calls methods of a task's error. It happens in String, which
// the Logger calls, so that a panic of those methods is recovered too.
type details struct{ err error }

// String returns the text of the error, and the stack of a panic.
func (d details) String() string {
	line := text.Line(fmt.Sprint(d.err), text.ErrorLimit)
	if p, ok := errors.AsType[*PanicError](d.err); ok {
		return line + "\n" + text.Clean(string(p.Stack), text.StackLimit)
	}
	return line
}

// begin notes that the Logger is called. The caller must defer end. It recovers a panic of
// the Logger, so that it does not affect a task; there is no other logger to report it to.
func (l log) begin() (end func()) {
	shard, place := l.calls.begin(userCall{what: loggerCall, task: l.task})
	return func() {
		shard.end(place)
		_ = recover()
	}
}

// dropLog limits the messages about tasks that the pool gives up: the first one is logged
// at once, and those that follow only by their number, once in an interval.
type dropLog struct {
	mu   sync.Mutex // guards the rest
	busy bool       // an interval is under way
	more int        // tasks that were given up in it, except for the first one
}

// dropLogInterval is the time between two messages about tasks that were given up.
const dropLogInterval = 10 * time.Second

// add counts a task, and reports whether it is to be logged.
func (d *dropLog) add() (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy {
		d.more++
		return false
	}
	d.busy = true
	return true
}

// next ends an interval and returns the number of tasks that were not logged. If there are
// some, another interval begins.
func (d *dropLog) next() (more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	more, d.more = d.more, 0
	d.busy = more > 0
	return more
}

// logDropped logs to l, the log of a task, that the task was given up with the error err. A
// panic of the discipline is an error; the rest is what the manager was configured to do.
func (m *TaskManager) logDropped(l taskLog, err error) {
	level, limit := slog.LevelWarn, &m.drops
	if _, panicked := errors.AsType[*PanicError](err); panicked {
		level, limit = slog.LevelError, &m.lost
	}
	if l.to == nil || !limit.add() {
		return
	}
	l.write(event{
		level: level, message: "task will not run", attrs: errorAttrs(err),
		format: "task %v will not run: %v", args: []any{quoted(l.task), details{err}},
	})
	m.delayed.Add(func() { m.summarize(level, limit) }, dropLogInterval)
}

// summarize logs the number of tasks that were given up and not logged since the last
// message.
func (m *TaskManager) summarize(level slog.Level, limit *dropLog) {
	more := limit.next()
	if more == 0 {
		return
	}
	m.log.write(event{
		level: level, message: "more tasks will not run", attrs: []slog.Attr{slog.Int("tasks", more)},
		format: "%s will not run", args: []any{text.Count(more, "more task")},
	})
	m.delayed.Add(func() { m.summarize(level, limit) }, dropLogInterval)
}

// summarizeAll is summarize at the end of the manager.
func (m *TaskManager) summarizeAll() {
	m.summarize(slog.LevelWarn, &m.drops)
	m.summarize(slog.LevelError, &m.lost)
}
