package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

// Logger receives messages of the manager. The sugared logger of zap and the loggers of
// logrus implement it; package adapters/logging makes one from a slog.Logger. [WithLogger]
// sets it.
//
// The manager logs failures and restarts of tasks, and decisions of the scaler. It logs
// nothing for a task that succeeds without a restart.
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

// log passes messages to a Logger, if there is one, and recovers its panics.
type log struct {
	to     Logger
	prefix string
	calls  *calls
	task   string // that the messages are about; "": none
}

func newLog(to Logger, managerName string, calls *calls) log {
	l := log{to: to, prefix: "taskmanager: ", calls: calls}
	if managerName != "" {
		// The prefix is used as part of a format string.
		l.prefix = strings.ReplaceAll(fmt.Sprintf("taskmanager %q: ", managerName), "%", "%%")
	}
	return l
}

func (l log) infof(format string, args ...any) {
	if l.to != nil {
		defer l.begin()()
		l.to.Infof(l.prefix+format, args...)
	}
}

func (l log) errorf(format string, args ...any) {
	if l.to != nil {
		defer l.begin()()
		l.to.Errorf(l.prefix+format, args...)
	}
}

// taskLog logs messages about one execution of a task.
type taskLog struct {
	log

	context ContextLogger // nil: the Logger does not implement it
	ctx     context.Context
}

// logFor returns a log for the present execution of h, whose context is given. The log
// remains usable when the execution has ended.
func (m *TaskManager) logFor(h *Handle, of *taskContext) taskLog {
	l := m.log
	l.task = h.name
	to, ok := l.to.(ContextLogger)
	if !ok {
		return taskLog{log: l}
	}
	task, attempt := (*owner)(h).Identity()
	return taskLog{l, to, lazycontext.WithIdentity(context.WithoutCancel(of.Values()), task, attempt)}
}

func (l taskLog) infof(format string, args ...any) {
	if l.context == nil {
		l.log.infof(format, args...)
		return
	}
	defer l.begin()()
	l.context.InfofContext(l.ctx, l.prefix+format, args...)
}

func (l taskLog) errorf(format string, args ...any) {
	if l.context == nil {
		l.log.errorf(format, args...)
		return
	}
	defer l.begin()()
	l.context.ErrorfContext(l.ctx, l.prefix+format, args...)
}

// details formats an error for a log. A panic includes its stack, which may be reported
// nowhere else. The formatting calls methods of a task's error. It happens in String, which
// the Logger calls, so that a panic of those methods is recovered too.
type details struct{ err error }

// String returns the text of the error, and the stack of a panic.
func (d details) String() string {
	if p, ok := errors.AsType[*PanicError](d.err); ok {
		return fmt.Sprintf("%v\n%s", d.err, p.Stack)
	}
	return fmt.Sprint(d.err)
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
