package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed56799101/taskmanager/internal/lazycontext"
)

// Logger is told what happens. The sugared logger of zap and the loggers of
// logrus fit as they are; package adapters/logging makes one of a slog logger.
// It must be safe for concurrent use. Nothing is logged for a task that does
// what it should. A failure is logged when the task has been dealt with, so a
// logger that panics or calls runtime.Goexit loses nothing.
type Logger interface {
	// Infof formats and logs what is worth knowing.
	Infof(format string, args ...any)
	// Info logs the same kind, as fmt.Print would format it.
	Info(args ...any)
	// Errorf formats and logs what somebody should look into.
	Errorf(format string, args ...any)
	// Error logs the same kind, as fmt.Print would format it.
	Error(args ...any)
}

// ContextLogger is an optional interface of a Logger that is told for which task it
// logs: with a context that has the values of the task's own, so the span of the execution
// is current in it. The loggers of package adapters/logging implement it.
type ContextLogger interface {
	Logger
	// InfofContext is Infof with the context of a task.
	InfofContext(ctx context.Context, format string, args ...any)
	// ErrorfContext is Errorf with the context of a task.
	ErrorfContext(ctx context.Context, format string, args ...any)
}

// log passes messages to a Logger, if there is one, and survives its panics.
type log struct {
	to     Logger
	prefix string
}

func newLog(to Logger, managerName string) log {
	l := log{to: to, prefix: "taskmanager: "}
	if managerName != "" {
		// The prefix becomes part of formats.
		l.prefix = strings.ReplaceAll(fmt.Sprintf("taskmanager %q: ", managerName), "%", "%%")
	}
	return l
}

func (l log) infof(format string, args ...any) {
	if l.to != nil {
		defer ignorePanic()
		l.to.Infof(l.prefix+format, args...)
	}
}

func (l log) errorf(format string, args ...any) {
	if l.to != nil {
		defer ignorePanic()
		l.to.Errorf(l.prefix+format, args...)
	}
}

// taskLog logs for an execution of a task.
type taskLog struct {
	log

	context ContextLogger // nil: the logger is none
	ctx     context.Context
}

// logFor is the log for the present execution of a task, which has a context. It may be used
// when the execution is over.
func (m *TaskManager) logFor(h *Handle, of *taskContext) taskLog {
	to, ok := m.log.to.(ContextLogger)
	if !ok {
		return taskLog{log: m.log}
	}
	task, attempt := (*owner)(h).Identity()
	return taskLog{m.log, to, lazycontext.WithIdentity(context.WithoutCancel(of.Values()), task, attempt)}
}

func (l taskLog) infof(format string, args ...any) {
	if l.context == nil {
		l.log.infof(format, args...)
		return
	}
	defer ignorePanic()
	l.context.InfofContext(l.ctx, l.prefix+format, args...)
}

func (l taskLog) errorf(format string, args ...any) {
	if l.context == nil {
		l.log.errorf(format, args...)
		return
	}
	defer ignorePanic()
	l.context.ErrorfContext(l.ctx, l.prefix+format, args...)
}

// details is an error as it is logged: with the stack if it was a panic, which
// nobody may ever learn otherwise. It is made a text only by a logger that wants
// one, under its guard, since that calls methods of the error.
type details struct{ err error }

// String is the text.
func (d details) String() string {
	if p, ok := errors.AsType[*PanicError](d.err); ok {
		return fmt.Sprintf("%v\n%s", d.err, p.Stack)
	}
	return fmt.Sprint(d.err)
}

// ignorePanic keeps a broken logger from breaking tasks. There is nobody left
// to tell.
func ignorePanic() { _ = recover() }
