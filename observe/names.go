package observe

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The names of what is emitted; the table in the package's documentation lists them.
const (
	submitSpan  = "submit "
	runSpan     = "run "
	restartSpan = "restart "

	runDuration   = "taskmanager.task.run.duration"
	queueDuration = "taskmanager.task.queue.duration"
	submissions   = "taskmanager.task.submissions"
	restarts      = "taskmanager.task.restarts"
	active        = "taskmanager.task.active"
	queueLength   = "taskmanager.queue.length"
	queueLimit    = "taskmanager.queue.limit"
	workerCount   = "taskmanager.pool.worker.count"
	workerDesired = "taskmanager.pool.worker.desired"
	workerMin     = "taskmanager.pool.worker.min"
	workerMax     = "taskmanager.pool.worker.max"
	decisions     = "taskmanager.scaler.decisions"

	nameKey      = attribute.Key("taskmanager.task.name")
	kindKey      = attribute.Key("taskmanager.task.kind")
	attemptKey   = attribute.Key("taskmanager.task.attempt")
	outcomeKey   = attribute.Key("taskmanager.task.outcome")
	waitedKey    = attribute.Key("taskmanager.task.queue.duration")
	workerKey    = attribute.Key("taskmanager.worker.id")
	poolKey      = attribute.Key("taskmanager.pool.name")
	delayKey     = attribute.Key("taskmanager.restart.delay")
	resultKey    = attribute.Key("taskmanager.submission.result")
	stateKey     = attribute.Key("taskmanager.worker.state")
	directionKey = attribute.Key("taskmanager.scaler.direction")
	errorTypeKey = semconv.ErrorTypeKey
)

// NameLabel and KindLabel are the labels of profiles; see taskmanager.WithProfiling.
const (
	NameLabel = string(nameKey)
	KindLabel = string(kindKey)
)

// Failure types of Result and Restart.
const (
	TypePanic   = "panic"
	TypeGoexit  = "goexit"
	TypeTimeout = "timeout"
)

// ErrorType is the value of error.type for an error: what its ErrorType method returns, or
// that of one which it wraps, or else the name of its type.
func ErrorType(err error) string {
	return ask(func() string { return semconv.ErrorType(err).Value.AsString() }, fmt.Sprintf("%T", err))
}

// errorType is the given type, or that of err.
func errorType(given string, err error) string {
	if given != "" {
		return given
	}
	return ErrorType(err)
}

// textOf is the text of an error.
func textOf(err error) string {
	return ask(err.Error, fmt.Sprintf("%T, whose Error method did not return", err))
}

// ask calls a method of an error, which is foreign code, on a goroutine of its own: one that
// panics, as that of a nil pointer may, or calls runtime.Goexit must not keep a span from
// ending.
func ask(method func() string, otherwise string) string {
	answer := make(chan string, 1)
	go func() {
		text := otherwise
		defer func() {
			_ = recover()
			answer <- text
		}()
		text = method()
	}()
	return <-answer
}
