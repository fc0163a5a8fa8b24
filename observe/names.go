package observe

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed56799101/taskmanager/internal/text"
)

// The names of spans, instruments and attributes. The package documentation lists them, and a test
// compares the two.
const (
	submitSpan  = "submit "
	runSpan     = "run "
	restartSpan = "restart "
	endSpan     = "end "

	runDuration   = "taskmanager.task.run.duration"
	queueDuration = "taskmanager.task.queue.duration"
	submissions   = "taskmanager.task.submissions"
	restarts      = "taskmanager.task.restarts"
	ends          = "taskmanager.task.ends"
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

// NameLabel and KindLabel are the keys of the labels that taskmanager.WithProfiling sets.
const (
	NameLabel = string(nameKey)
	KindLabel = string(kindKey)
)

// The values of the field Type of [Result] and [Restart] for failures without an error of their own
// kind.
const (
	TypePanic   = "panic"
	TypeGoexit  = "goexit"
	TypeTimeout = "timeout"
)

// ErrorType returns the value of the attribute error.type for an error: the result of the ErrorType
// method of err or of an error that it wraps, or else the name of the type of err. It is valid
// UTF-8 of at most 256 bytes.
func ErrorType(err error) string {
	return text.Clean(semconv.ErrorType(err).Value.AsString(), text.NameLimit)
}

// clean returns a task with texts that may leave the process.
func (t Task) clean() Task {
	return Task{
		Manager: text.Clean(t.Manager, text.NameLimit),
		Name:    text.Clean(t.Name, text.NameLimit),
		Kind:    text.Clean(t.Kind, text.NameLimit),
	}
}

// message returns the text of an error that may leave the process.
func message(err error) string { return text.Clean(err.Error(), text.ErrorLimit) }

// errorType returns the given type or, if that is empty, the type of err.
func errorType(given string, err error) string {
	if given != "" {
		return text.Clean(given, text.NameLimit)
	}
	return ErrorType(err)
}
