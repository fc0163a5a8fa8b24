// Package logging provides loggers for [taskmanager.WithLogger].
//
//	m, err := taskmanager.Start(taskmanager.WithLogger(logging.Slog(slog.Default())))
//
// The sugared logger of zap and the loggers of logrus implement [taskmanager.Logger] themselves.
package logging

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Slog returns a logger that writes to l. Info and Infof log at [slog.LevelInfo], Error and Errorf at
// [slog.LevelError]. If l is nil, each call uses the result of [slog.Default] at that moment.
//
// The logger implements [taskmanager.StructuredLogger]: the messages of a manager have attributes, such
// as the name of the task. It also implements [taskmanager.ContextLogger]: messages about a task are
// logged with the values of its context, so a handler made with observe.NewLogHandler adds the ids of
// its span. The source of a record is the caller of the logger. The logger is safe for concurrent use.
func Slog(l *slog.Logger) taskmanager.Logger { return slogLogger{l} }

type slogLogger struct{ to *slog.Logger }

var (
	_ taskmanager.ContextLogger    = slogLogger{}
	_ taskmanager.StructuredLogger = slogLogger{}
)

// Infof formats a message and logs it at level info.
func (s slogLogger) Infof(format string, args ...any) {
	s.log(context.Background(), slog.LevelInfo, func() string { return fmt.Sprintf(format, args...) })
}

// Info logs a message at level info.
func (s slogLogger) Info(args ...any) {
	s.log(context.Background(), slog.LevelInfo, func() string { return fmt.Sprint(args...) })
}

// Errorf formats a message and logs it at level error.
func (s slogLogger) Errorf(format string, args ...any) {
	s.log(context.Background(), slog.LevelError, func() string { return fmt.Sprintf(format, args...) })
}

// Error logs a message at level error.
func (s slogLogger) Error(args ...any) {
	s.log(context.Background(), slog.LevelError, func() string { return fmt.Sprint(args...) })
}

// InfofContext is Infof with the context of a task.
func (s slogLogger) InfofContext(ctx context.Context, format string, args ...any) {
	s.log(ctx, slog.LevelInfo, func() string { return fmt.Sprintf(format, args...) })
}

// ErrorfContext is Errorf with the context of a task.
func (s slogLogger) ErrorfContext(ctx context.Context, format string, args ...any) {
	s.log(ctx, slog.LevelError, func() string { return fmt.Sprintf(format, args...) })
}

// LogAttrs logs a message with attributes.
func (s slogLogger) LogAttrs(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	s.log(ctx, level, func() string { return message }, attrs...)
}

// log logs a message. It formats the message only if the level is enabled.
func (s slogLogger) log(ctx context.Context, level slog.Level, message func() string, attrs ...slog.Attr) {
	to := s.to
	if to == nil {
		to = slog.Default()
	}
	if !to.Enabled(ctx, level) {
		return
	}
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:]) // skip Callers, log and the method of the interface
	r := slog.NewRecord(time.Now(), level, message(), pcs[0])
	r.AddAttrs(attrs...)
	_ = to.Handler().Handle(ctx, r) // slog ignores the error too
}
