package nats

import (
	"strconv"
	"strings"
	"time"
)

// source is a consumer from which a worker pulls, and what the worker knows about it. At most one
// request is outstanding at a time: either a poll, which brings what is there at once, or a wait, which
// stays until tasks arrive or it expires. The mutex of the puller guards all fields that change.
//
// The server does not say which request a task answers. A task for which no request is known answers one that was
// taken for lost.
type source struct {
	kind    *kind
	durable string
	filter  string
	limited bool
	level   Priority
	next    string // the subject of requests

	created time.Time // of the consumer, by the server's clock; zero: no task is older and has a history
	made    time.Time // of the consumer: another time shows that it was made again
	checked time.Time // when the consumer was looked at
	passed  uint64    // the highest number of a delivery of the consumer
	request request
	emptyAt time.Time // when the source was found empty; zero: it brought all that it was asked for last
	retryAt time.Time // not to be asked before, after errors
	fails   int       // errors in a row
	gone    bool      // the consumer may not exist any more
	batch   int       // how many tasks the next wait asks for
	number  uint64    // of the last request
	full    bool      // the last poll brought all that it asked for, so there is probably more

	anchor *delivery   // see puller.hold
	raise  *time.Timer // releases the anchor
}

// request is a pull request.
type request struct {
	token   string
	left    int // tasks that it may still bring; 0: there is no request
	got     int
	poll    bool
	sure    bool // the consumer had been looked at, so it remembers what it has delivered
	sent    time.Time
	heard   time.Time     // when something of it was heard last
	beat    time.Duration // how often something must be heard; 0: no promise
	expires time.Time     // zero: never
}

// backoff bounds the waits after errors.
const (
	firstBackoff = 50 * time.Millisecond
	mostBackoff  = 5 * time.Second
	// emptyFor and mostEmptyFor bound how long a source counts as empty while others have tasks.
	emptyFor     = 10 * time.Millisecond
	mostEmptyFor = 200 * time.Millisecond
	// mostBatch bounds what a wait asks for.
	mostBatch = 8
)

// open begins a request for n tasks and returns its token.
func (s *source) open(r request, index int) string {
	s.number++
	r.token = strconv.Itoa(index) + "-" + strconv.FormatUint(s.number, 36)
	r.heard = r.sent
	r.sure = r.sent.Sub(s.checked) <= checkEvery
	s.request = r
	return r.token
}

// asking reports whether a request is outstanding.
func (s *source) asking() bool { return s.request.left > 0 }

// arrived records a task. polled reports whether the task answers a poll, for which room is kept, and sure
// whether the consumer is known to be the one of before.
func (s *source) arrived(now time.Time) (polled, sure bool) {
	s.fails = 0
	r := &s.request
	if r.left == 0 {
		return false, false
	}
	r.left--
	r.got++
	r.heard = now
	if r.left == 0 && !r.poll {
		s.batch = min(2*s.batch, mostBatch)
	}
	if r.left == 0 {
		s.emptyAt, s.full = time.Time{}, r.poll
	}
	return r.poll, r.sure
}

// answer is the meaning of a status message.
type answer int

const (
	answerIgnored answer = iota // of an earlier request, or a sign of life
	answerEmpty                 // there is nothing at the moment
	answerGone                  // the consumer does not exist
	answerFailed                // the server cannot answer now
)

// status records a status message for the request with the token.
func (s *source) status(token, code, text string, now time.Time) answer {
	if !s.asking() || s.request.token != token {
		return answerIgnored
	}
	s.request.heard = now
	switch {
	case code == "100":
		return answerIgnored
	case code == "404", code == "408":
		if !s.request.poll && s.request.got == 0 {
			s.batch = 1
		}
		s.request.left, s.fails, s.emptyAt, s.full = 0, 0, now, false
		return answerEmpty
	case code == "503", strings.Contains(text, "Consumer Deleted"):
		s.fail(now)
		s.gone = true
		return answerGone
	}
	s.fail(now)
	return answerFailed
}

// fail ends the request and delays the next one.
func (s *source) fail(now time.Time) {
	s.lose()
	wait := min(firstBackoff<<min(s.fails, 10), mostBackoff)
	s.fails++
	s.retryAt = now.Add(wait)
}

// lose ends a request of which nothing is known any more.
func (s *source) lose() {
	s.request.left, s.full = 0, false
}

// silent reports whether the request should have been heard of.
func (s *source) silent(now time.Time) bool {
	r := &s.request
	switch {
	case r.left == 0:
		return false
	case r.beat > 0 && now.Sub(r.heard) > 5*r.beat/2:
		return true
	}
	return !r.expires.IsZero() && now.Sub(r.expires) > 5*time.Second
}
