package nats

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// The headers of a task. Its name and its kind are in the subject.
const (
	headVersion      = "Task-Version"
	headID           = "Task-Id"
	headNotBefore    = "Task-Not-Before"    // Unix time in ns, by the server's clock
	headDeadline     = "Task-Deadline"      // likewise
	headTimeout      = "Task-Timeout"       // ns
	headQueueTimeout = "Task-Queue-Timeout" // ns
	headKey          = "Task-Key"           // encoded
	headDescription  = "Task-Description"   // encoded
	headCost         = "Task-Cost"
	headResult       = "Task-Result" // for how long the result is kept, in ns
	headCodec        = "Task-Codec"  // unless it is json

	// In dead letters only.
	headLevel        = "Task-Level"
	headDeadReason   = "Task-Dead-Reason"
	headDeadAttempts = "Task-Dead-Attempts"
	headDeadProcess  = "Task-Dead-Process"

	headMsgID       = "Nats-Msg-Id"
	headExpectedSeq = "Nats-Expected-Last-Subject-Sequence"
	headExpectedFor = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// traceHeaders are the headers of the W3C Trace Context and Baggage recommendations.
var traceHeaders = []string{"traceparent", "tracestate", "baggage"}

// wireVersion is the version of the format of tasks. A worker gives a task of a newer version back.
const wireVersion = 1

// The limits, in bytes of the encoded text. The control line of the protocol ends at 4 KiB.
const (
	nameLimit        = 512
	kindLimit        = 64
	keyLimit         = 512
	descriptionLimit = 4 << 10
	idLimit          = 512
)

// Priority is the level of a task: a coarse priority. See [WithPriority].
type Priority int

// The levels.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// levels holds the levels in the order in which workers look for tasks.
var levels = [...]Priority{High, Normal, Low}

// token returns the level as it is in subjects.
func (p Priority) token() string {
	switch p {
	case High:
		return "high"
	case Low:
		return "low"
	case Normal:
	}
	return "normal"
}

// String returns the name of the level: high, normal or low.
func (p Priority) String() string {
	if p < Low || p > High {
		return fmt.Sprintf("Priority(%d)", int(p))
	}
	return p.token()
}

func parseLevel(token string) (Priority, error) {
	for _, p := range levels {
		if p.token() == token {
			return p, nil
		}
	}
	return 0, fmt.Errorf("level %s is neither high, normal nor low", quote(token))
}

// subject returns the subject of a task.
func (c *Client) subject(p Priority, kind, name string) string {
	return c.cfg.namespace + ".run." + p.token() + "." + encode(kind) + "." + encode(name)
}

// anySubject returns the filter for the task of a name, whatever its kind and level.
func (c *Client) anySubject(name string) string {
	return c.cfg.namespace + ".run.*.*." + encode(name)
}

// deadSubject returns the subject of dead letters of a name.
func (c *Client) deadSubject(kind, name string) string {
	return c.cfg.namespace + ".dead." + encode(kind) + "." + encode(name)
}

// deadFilter returns the filter for the dead letters of a kind; of all kinds, if that is empty.
func (c *Client) deadFilter(kind string) string {
	if kind == "" {
		return c.cfg.namespace + ".dead.*.*"
	}
	return c.cfg.namespace + ".dead." + encode(kind) + ".*"
}

// parseSubject inverts subject.
func (c *Client) parseSubject(s string) (p Priority, kind, name string, err error) {
	rest, ok := strings.CutPrefix(s, c.cfg.namespace+".run.")
	t := strings.Split(rest, ".")
	if !ok || len(t) != 3 {
		return 0, "", "", fmt.Errorf("nats: %s is not the subject of a task", quote(s))
	}
	p, err1 := parseLevel(t[0])
	kind, err2 := decode(t[1])
	name, err3 := decode(t[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, "", "", fmt.Errorf("nats: %s is not the subject of a task: %w", quote(s), err)
	}
	if kind == "" || name == "" {
		return 0, "", "", fmt.Errorf("nats: %s is not the subject of a task: its kind or its name is empty", quote(s))
	}
	return p, kind, name, nil
}

// parseDeadSubject inverts deadSubject.
func (c *Client) parseDeadSubject(s string) (kind, name string, err error) {
	rest, ok := strings.CutPrefix(s, c.cfg.namespace+".dead.")
	k, n, ok2 := strings.Cut(rest, ".")
	kind, err1 := decode(k)
	name, err2 := decode(n)
	if !ok || !ok2 || err1 != nil || err2 != nil {
		return "", "", fmt.Errorf("nats: %s is not the subject of a dead letter", quote(s))
	}
	return kind, name, nil
}

// envelope is what a message says about a task, apart from the payload. Times are those of the
// server's clock; zero times, durations and numbers mean that the attribute is not set.
type envelope struct {
	ID                    string
	Level                 Priority
	Kind, Name            string
	NotBefore, Deadline   time.Time
	Timeout, QueueTimeout time.Duration
	Key, Description      string
	Cost                  int64
	Result                time.Duration
	Codec                 string // never empty
	Trace                 natsgo.Header
}

// versionError is the error of a message in a newer format.
type versionError struct{ Version int }

// Error names the version.
func (e *versionError) Error() string {
	return fmt.Sprintf("nats: the task has format %d, and this program knows %d; update the program", e.Version, wireVersion)
}

// header returns the headers of the task: those of Task-… and of the trace, not those that address
// the server. It does not change e.Trace.
func (e envelope) header() natsgo.Header {
	h := make(natsgo.Header, 8)
	h[headVersion] = []string{"1"}
	h[headID] = []string{e.ID}
	setTime(h, headNotBefore, e.NotBefore)
	setTime(h, headDeadline, e.Deadline)
	setInt(h, headTimeout, int64(e.Timeout))
	setInt(h, headQueueTimeout, int64(e.QueueTimeout))
	setInt(h, headCost, e.Cost)
	setInt(h, headResult, int64(e.Result))
	if e.Key != "" {
		h[headKey] = []string{encode(e.Key)}
	}
	if e.Description != "" {
		h[headDescription] = []string{encode(e.Description)}
	}
	if e.Codec != "" && e.Codec != JSON.Name() {
		h[headCodec] = []string{e.Codec}
	}
	for _, k := range traceHeaders {
		if v := e.Trace.Get(k); v != "" {
			h[k] = []string{v}
		}
	}
	return h
}

func setTime(h natsgo.Header, key string, t time.Time) {
	if !t.IsZero() {
		h[key] = []string{strconv.FormatInt(unixNano(t), 10)}
	}
}

// never is later than any time that matters. Times after 2262 are not representable in ns, and what is
// added to a time must be so too.
var never = time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC)

// unixNano returns a time in ns. It is at least 1, since 0 means no time, and at most that of never.
func unixNano(t time.Time) int64 {
	switch {
	case t.After(never):
		return never.UnixNano()
	case t.Before(time.Unix(0, 1)):
		return 1
	}
	return t.UnixNano()
}

func setInt(h natsgo.Header, key string, n int64) {
	if n != 0 {
		h[key] = []string{strconv.FormatInt(n, 10)}
	}
}

// parse reads a stored task. The error is a *versionError for a newer format; any other one means
// that no version of this package has written the message.
func (c *Client) parse(subject string, h natsgo.Header) (envelope, error) {
	level, kind, name, err := c.parseSubject(subject)
	if err != nil {
		return envelope{}, err
	}
	e, err := parseHeader(h)
	if err != nil {
		return envelope{}, err
	}
	e.Level, e.Kind, e.Name = level, kind, name
	return e, nil
}

// parseHeader reads what is not in the subject.
func parseHeader(h natsgo.Header) (e envelope, err error) {
	version, err := strconv.Atoi(h.Get(headVersion))
	switch {
	case err != nil || version < 1:
		return e, fmt.Errorf("nats: header %s is %s, not a version", headVersion, quote(h.Get(headVersion)))
	case version > wireVersion:
		return e, &versionError{version}
	}
	r := headerReader{h: h}
	e = envelope{
		ID:           h.Get(headID),
		NotBefore:    r.time(headNotBefore),
		Deadline:     r.time(headDeadline),
		Timeout:      time.Duration(r.positive(headTimeout)),
		QueueTimeout: time.Duration(r.positive(headQueueTimeout)),
		Key:          r.text(headKey),
		Description:  r.text(headDescription),
		Cost:         r.positive(headCost),
		Result:       time.Duration(r.positive(headResult)),
		Codec:        h.Get(headCodec),
	}
	if e.Codec == "" {
		e.Codec = JSON.Name()
	}
	if e.ID == "" {
		r.err = errors.Join(r.err, fmt.Errorf("nats: header %s is missing", headID))
	}
	for _, k := range traceHeaders {
		if v := h.Get(k); v != "" {
			if e.Trace == nil {
				e.Trace = natsgo.Header{}
			}
			e.Trace.Set(k, v)
		}
	}
	return e, r.err
}

// headerReader reads headers, and keeps the errors.
type headerReader struct {
	h   natsgo.Header
	err error
}

func (r *headerReader) fail(key string) {
	r.err = errors.Join(r.err, fmt.Errorf("nats: header %s is %s, which is not valid", key, quote(r.h.Get(key))))
}

// int returns an integer, and 0 without the header.
func (r *headerReader) int(key string) int64 {
	text := r.h.Get(key)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.fail(key)
	}
	return n
}

// positive returns an integer that must not be negative.
func (r *headerReader) positive(key string) int64 {
	n := r.int(key)
	if n < 0 {
		r.fail(key)
		return 0
	}
	return n
}

func (r *headerReader) time(key string) time.Time {
	n := r.int(key)
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

func (r *headerReader) text(key string) string {
	token := r.h.Get(key)
	if token == "" {
		return ""
	}
	text, err := decode(token)
	if err != nil {
		r.fail(key)
	}
	return text
}
