package nats

import "github.com/nats-io/nats.go/jetstream"

// The headers that a dead letter has in addition to those of its task.
const (
	headLevel        = "Task-Level"
	headDeadReason   = "Task-Dead-Reason"
	headDeadAttempts = "Task-Dead-Attempts"
	headDeadProcess  = "Task-Dead-Process"
)

// The errors of the server for a delete of a message that is not there.
const (
	codeNotFoundToDrop jetstream.ErrorCode = 10057
	codeNoSequence     jetstream.ErrorCode = 10043
)
