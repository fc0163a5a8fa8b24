package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

var (
	// ErrNoKind is returned by a submit without a kind. Pass [WithKind], or give the payload a method
	// Kind() string.
	ErrNoKind = newError("no_kind", "nats: the task has no kind; pass WithKind, or give the payload a method Kind() string")

	// ErrTooLarge is returned for a payload, a name, a kind or an attribute above its limit. Pass a
	// reference to large data instead, such as the name of an object in a store.
	ErrTooLarge = newError("too_large", "nats: too large")

	// ErrNotFound means that the server does not have something: a stream of the namespace, because it
	// was deleted; a task, because it is not outstanding; or a dead letter, because it was deleted or
	// has expired.
	ErrNotFound = newError("not_found", "nats: not found")

	// ErrLeaseLost is the cause of the end of a task's context if the worker could not extend the
	// lease in time. Another worker may already run the task.
	ErrLeaseLost = newError("lease_lost", "nats: the lease of the task is lost; another worker may run it")

	// ErrDraining is the cause of the end of a task's context if the worker drains and gives the task
	// back. Another worker runs the task.
	ErrDraining = newError("draining", "nats: the worker drains; the task is given back")

	// ErrUnknownOutcome is returned by a submit that ended before the server had answered: the task
	// may or may not be stored. Submit it again with the same [WithID] to find out.
	ErrUnknownOutcome = newError("unknown_outcome", "nats: the server did not answer in time, so the task may be stored or not; submit it again with WithID and the same id")

	// ErrLayout is returned by [Open] if the streams of the namespace are not those of this version of
	// the package: a newer version made them, or something else did.
	ErrLayout = newError("layout", "nats: the streams of the namespace have another layout")

	// ErrNoJetStream is returned by [Open] if the server, or the account of the connection, has no
	// JetStream. Start the server with JetStream (nats-server -js), and enable it for the account.
	ErrNoJetStream = newError("no_jetstream", "nats: JetStream is not enabled; start the server with -js and enable it for the account")

	// ErrNoResult is returned by [Task.Wait] and [Result] if the task was submitted without
	// [WithResult], if the outcome has expired, or if the worker could not store the outcome; see
	// WithResult.
	ErrNoResult = newError("no_result", "nats: there is no result; submit the task with WithResult, and wait for it before the result expires")

	// ErrClosed is returned by calls that need the client, after [Client.Close].
	ErrClosed = newError("closed", "nats: the client is closed")
)

// mark is a sentinel error of this package.
type mark struct{ kind, text string }

func newError(kind, text string) error { return &mark{kind, text} }

// Error returns the text.
func (e *mark) Error() string { return e.text }

// ErrorType returns the attribute error.type for telemetry.
func (e *mark) ErrorType() string { return e.kind }

// wrapf is fmt.Errorf for errors that wrap others: the name of the package is not repeated in the
// text. Those of package natsgo begin with the same name.
func wrapf(format string, args ...any) error { return &wrapError{fmt.Errorf(format, args...)} }

type wrapError struct{ err error }

// Error returns the text.
func (e *wrapError) Error() string { return once(e.err.Error()) }

// Unwrap returns the error with the repetitions, which wraps the others.
func (e *wrapError) Unwrap() error { return e.err }

// rephrased is an error with a text of its own.
type rephrased struct {
	text string
	err  error
}

// Error returns the text.
func (e *rephrased) Error() string { return e.text }

// Unwrap returns the error that it is.
func (e *rephrased) Unwrap() error { return e.err }

// once leaves out the name of the package after a colon. What is quoted stays as it is.
func once(text string) string {
	const prefix, colon = "nats: ", ": "
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case quoted && text[i] == '\\' && i+1 < len(text):
			b.WriteByte(text[i])
			i++
		case !quoted && strings.HasPrefix(text[i:], colon+prefix):
			for strings.HasPrefix(text[i+len(colon):], prefix) {
				i += len(prefix)
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// PartialError is returned together with an incomplete result, if some processes did not answer in
// time.
type PartialError struct {
	// Silent holds the ids of the processes that did not answer, or not completely, sorted.
	Silent []string
}

// Error names the processes.
func (e *PartialError) Error() string {
	return fmt.Sprintf("nats: the answer is incomplete: no answer from %s", list(e.Silent))
}

// ResultError is returned by [Task.Wait], [Result] and [Future.Result] if the task failed for good.
type ResultError struct {
	// Name is the name of the task, and Process the process that ran it last.
	Name, Process string
	// Text is the text of the error in that process.
	Text string
}

// Error returns the text with the name of the task.
func (e *ResultError) Error() string { return fmt.Sprintf("nats: task %s: %s", quote(e.Name), e.Text) }

// The errors of the server that matter here. The server has no constants that a client can import.
const (
	codeAccountLimit   jetstream.ErrorCode = 10002 // limits of the account
	codeOverlap        jetstream.ErrorCode = 10065 // another stream has the subjects
	codeNoPeers        jetstream.ErrorCode = 10005 // fewer servers of the cluster run than replicas are wanted
	codeNoCluster      jetstream.ErrorCode = 10074 // replicas without a cluster
	codeUnavailable    jetstream.ErrorCode = 10008 // no leader of the cluster
	codeNotLeader      jetstream.ErrorCode = 10009
	codeServerLimit    jetstream.ErrorCode = 10023 // insufficient resources, after a full disk too
	codeMemoryLimit    jetstream.ErrorCode = 10028
	codeStorageLimit   jetstream.ErrorCode = 10047
	codeNoSequence     jetstream.ErrorCode = 10043
	codeDeleteFailed   jetstream.ErrorCode = 10057
	codeSequence       jetstream.ErrorCode = 10063 // the leader catches up
	codeRollup         jetstream.ErrorCode = 10111 // an invalid header Nats-Rollup
	codeStoreFailed    jetstream.ErrorCode = 10077 // a limit of the stream; the text tells which
	codeHeaderSize     jetstream.ErrorCode = 10097
	codeOffline        jetstream.ErrorCode = 10118
	codeInProcess      jetstream.ErrorCode = 10158 // the same message id is being stored
	codeNotReady       jetstream.ErrorCode = 10163
	codeTooMany        jetstream.ErrorCode = 10167 // too many requests
	codeIncomplete     jetstream.ErrorCode = 10176 // a batch of which messages are missing
	codeDuplicateBatch jetstream.ErrorCode = 10201 // a batch with a message id that is known
	codeBatchTooLarge  jetstream.ErrorCode = 10199
	codeTooManyBatches jetstream.ErrorCode = 10210

	// The texts of codeStoreFailed.
	textPerSubject = "maximum messages per subject exceeded"
	textMsgTooBig  = "message too large"
)

// apiError returns the error of the server in err, if there is one.
func apiError(err error) (*jetstream.APIError, bool) {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return e, true
	}
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		return e.APIError(), true
	}
	return nil, false
}

func hasCode(err error, codes ...jetstream.ErrorCode) bool {
	e, ok := apiError(err)
	return ok && slices.Contains(codes, e.ErrorCode)
}

// nameTaken reports whether the server refused a message because the name of its task is taken. A
// server alone checks the subject when it stores the message, a cluster before.
func nameTaken(err error) bool {
	if hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return true
	}
	e, ok := apiError(err)
	return ok && e.ErrorCode == codeStoreFailed && e.Description == textPerSubject
}

// transient reports whether the server may accept the same request soon.
func transient(err error) bool {
	if hasCode(err, codeUnavailable, codeNotLeader, codeSequence, codeInProcess, codeNotReady, codeTooMany, codeTooManyBatches, codeOffline, codeIncomplete) {
		return true
	}
	return errors.Is(err, natsgo.ErrNoResponders) || errors.Is(err, natsgo.ErrDisconnected) ||
		errors.Is(err, natsgo.ErrReconnectBufExceeded) || errors.Is(err, natsgo.ErrTimeout)
}

// notEnabled reports whether a server says that it has no JetStream.
func notEnabled(err error) bool {
	return hasCode(err, jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount)
}

// translate gives an error of the server the meaning that it has here. It leaves out nameTaken.
func (c *Client) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case hasCode(err, codeAccountLimit, codeServerLimit, codeMemoryLimit, codeStorageLimit):
		return wrapf("nats: the server has no room; let workers empty it, or raise its limit of storage, embed.Options.MaxStore or max_file_store: %w: %w", taskmanager.ErrQueueFull, err)
	case hasCode(err, codeHeaderSize, jetstream.JSErrCodeStreamMessageExceedsMaximum, codeBatchTooLarge):
		return wrapf("%w for the server; pass a reference to the data: %w", ErrTooLarge, err)
	case hasCode(err, codeStoreFailed):
		if e, _ := apiError(err); e.Description == textMsgTooBig {
			return wrapf("%w for stream %q; pass a reference to the data: %w", ErrTooLarge, c.cfg.namespace, err)
		}
		return wrapf("nats: stream %q is full; wait, or raise WithMaxTasks or WithMaxBytes: %w: %w", c.cfg.namespace, taskmanager.ErrQueueFull, err)
	case hasCode(err, jetstream.JSErrCodeStreamNotFound):
		return wrapf("%w: a stream of namespace %q has been deleted; open the client again to make it: %w", ErrNotFound, c.cfg.namespace, err)
	case notEnabled(err):
		return wrapf("%w: %w", ErrNoJetStream, err)
	case errors.Is(err, natsgo.ErrConnectionClosed):
		return wrapf("nats: the program has closed the connection of the client; connect and open a client again: %w", err)
	}
	return err
}

// named adds the name of a task to an error.
func named(name string, err error) error { return &namedError{name, err} }

// namedError is an error about a task.
type namedError struct {
	name string
	err  error
}

// Error returns the text of the error with the name.
func (e *namedError) Error() string {
	return once(fmt.Sprintf("nats: task %s: %s", quote(e.name), e.err.Error()))
}

// Unwrap returns the error without the name.
func (e *namedError) Unwrap() error { return e.err }

// ended returns the reason for the end of ctx, as an error that matches it.
func ended(ctx context.Context, doing string) error {
	return wrapf("nats: %s: %w", doing, context.Cause(ctx))
}

// checkContext returns an error for a context with which nothing can be done.
func checkContext(ctx context.Context, doing string) error {
	if ctx == nil {
		return taskmanager.ErrNilContext
	}
	if ctx.Err() != nil {
		return ended(ctx, doing)
	}
	return nil
}

const quoteLimit = 100

// quote returns a name for a message: quoted, and truncated.
func quote(name string) string {
	if len(name) > quoteLimit {
		cut := quoteLimit
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		return fmt.Sprintf("%q…", name[:cut])
	}
	return fmt.Sprintf("%q", name)
}

// list returns at most ten quoted names, and how many more there are.
func list(names []string) string {
	const most = 10
	quoted := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		quoted = append(quoted, quote(n))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
