// Package logging makes the loggers of others fit the task manager.
package logging

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Slog returns a Logger that writes to l: Info and Infof at level info, Error
// and Errorf at level error. What concerns a task is logged with a context that has the
// values of the task's own, so a handler made by observe.NewLogHandler adds the ids of the
// span. The source of a record is the caller of the Logger. It is safe for concurrent use.
// A nil l means slog.Default(), as it is at each call.
func Slog(l *slog.Logger) taskmanager.Logger { return slogLogger{l} }

type slogLogger struct{ to *slog.Logger }

var _ taskmanager.ContextLogger = slogLogger{}

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

// InfofContext is Infof for a task.
func (s slogLogger) InfofContext(ctx context.Context, format string, args ...any) {
	s.log(ctx, slog.LevelInfo, func() string { return fmt.Sprintf(format, args...) })
}

// ErrorfContext is Errorf for a task.
func (s slogLogger) ErrorfContext(ctx context.Context, format string, args ...any) {
	s.log(ctx, slog.LevelError, func() string { return fmt.Sprintf(format, args...) })
}

// log formats the message only if somebody wants it.
func (s slogLogger) log(ctx context.Context, level slog.Level, message func() string) {
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
	_ = to.Handler().Handle(ctx, r) // as slog itself does: there is nobody to tell
}
