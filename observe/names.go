package observe

import (
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

// ErrorType is the value of error.type for an error: what the ErrorType method of the error
// returns, or that of an error that it wraps, or else the name of its type.
func ErrorType(err error) string { return semconv.ErrorType(err).Value.AsString() }

// errorType is the given type, or that of err.
func errorType(given string, err error) string {
	if given != "" {
		return given
	}
	return ErrorType(err)
}
