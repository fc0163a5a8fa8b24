package taskmanager_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/pprof"
	"strings"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// keyLimit limits, sometimes, how many tasks of a key are queued.
func (x *life) keyLimit(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(4) > 0 {
		return nil, ""
	}
	n := 1 + random.IntN(9)
	x.keyOverflow = []taskmanager.Overflow{taskmanager.Reject, taskmanager.DropNewest, taskmanager.DropOldest}[random.IntN(3)]
	x.keyed = true
	return taskmanager.WithKeyQueueLimit(n, x.keyOverflow), fmt.Sprintf("key limit %d %v", n, x.keyOverflow)
}

// drops reports whether the manager may drop tasks.
func (x *life) drops() bool {
	return x.bounded && x.overflow != taskmanager.Block && x.overflow != taskmanager.Reject && x.overflow != taskmanager.CallerRuns ||
		x.keyed && x.keyOverflow != taskmanager.Reject
}

func (x *life) naming(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	x.name = "soaked"
	return taskmanager.WithName(x.name), "named"
}

func (x *life) profiling(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(3) > 0 {
		return nil, ""
	}
	x.profiles = true
	return taskmanager.WithProfiling(), "profiled"
}

// checkLabels checks the labels of the profile of a task.
func (t *soakTask) checkLabels(ctx context.Context) {
	if !t.x.profiles {
		return
	}
	if name, _ := pprof.Label(ctx, observe.NameLabel); name != t.name {
		t.x.fail("the task %q is labelled %q", t.name, name)
	}
}

func (x *life) randomness(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	return taskmanager.WithRand(rand.NewPCG(random.Uint64(), 1)), "own source"
}

func (x *life) telemetry(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	return taskmanager.WithoutTelemetry(), "without telemetry"
}

// logger adds, half of the time, a logger that checks each message.
func (x *life) logger(random *rand.Rand) (taskmanager.Option, string) {
	plain := soakLogger{x}
	switch random.IntN(6) {
	case 0:
		return taskmanager.WithLogger(plain), "logged"
	case 1:
		return taskmanager.WithLogger(contextLogger{plain}), "logged with contexts"
	case 2:
		return taskmanager.WithLogger(structuredLogger{plain}), "logged with attributes"
	default:
		return nil, ""
	}
}

// soakLogger checks that a message is one line, unless it has a stack.
type soakLogger struct{ x *life }

func (l soakLogger) see(text string) {
	l.x.s.count("messages")
	line, stack, more := strings.Cut(text, "\n")
	if line == "" || !utf8.ValidString(text) || more && !strings.Contains(stack, "goroutine ") {
		l.x.fail("the message %q", text)
	}
	if !strings.Contains(line, l.x.name) {
		l.x.fail("the message %q does not have the name of the manager", text)
	}
}

func (l soakLogger) Infof(format string, args ...any)  { l.see(fmt.Sprintf(format, args...)) }
func (l soakLogger) Info(args ...any)                  { l.see(fmt.Sprint(args...)) }
func (l soakLogger) Errorf(format string, args ...any) { l.see(fmt.Sprintf(format, args...)) }
func (l soakLogger) Error(args ...any)                 { l.see(fmt.Sprint(args...)) }

// contextLogger checks that the context of a message leads log handlers to its task.
type contextLogger struct{ soakLogger }

func (l contextLogger) InfofContext(ctx context.Context, format string, args ...any) {
	l.seeContext(ctx, fmt.Sprintf(format, args...))
}

func (l contextLogger) ErrorfContext(ctx context.Context, format string, args ...any) {
	l.seeContext(ctx, fmt.Sprintf(format, args...))
}

func (l contextLogger) seeContext(ctx context.Context, text string) {
	l.see(text)
	if task := taskOf(ctx); !strings.Contains(text, task) {
		l.x.fail("the message %q has the context of %q", text, task)
	}
}

// taskOf returns the task that a log handler finds in a context.
func taskOf(ctx context.Context) string {
	var text strings.Builder
	slog.New(observe.NewLogHandler(slog.NewTextHandler(&text, nil))).InfoContext(ctx, "")
	_, after, _ := strings.Cut(text.String(), "task=")
	name, _, _ := strings.Cut(after, " ")
	return name
}

// structuredLogger checks that the attributes name the manager and the task.
type structuredLogger struct{ soakLogger }

func (l structuredLogger) LogAttrs(ctx context.Context, _ slog.Level, message string, attrs ...slog.Attr) {
	l.x.s.count("messages with attributes")
	values := make(map[string]string)
	for _, a := range attrs {
		values[a.Key] = a.Value.Resolve().String()
	}
	if message == "" || strings.ContainsAny(message, "\n\"%") || values["pool"] != l.x.name {
		l.x.fail("the message %q has the attributes %v", message, values)
	}
	if task := taskOf(ctx); task != "" && values["task"] != task {
		l.x.fail("the message %q has the context of %q and the attributes %v", message, task, values)
	}
}
