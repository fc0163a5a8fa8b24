package nats

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	clockAge   = time.Minute      // of a reading, above which a new one is taken
	clockRetry = 5 * time.Second  // after a reading that failed or was poor
	clockTrip  = time.Second      // round trip, above which a reading is poor
	clockGood  = 10 * time.Minute // age of a reading below which it is better than a poor one
)

// serverClock tells the time of the server, which is the time in the headers of all tasks: the clocks
// of the processes may differ. It is safe for concurrent use, and never waits for the server.
//
// A reading is a pair of a local time and the server's time. Between readings the local clock
// counts, by its monotonic reading, so that a step of the wall clock has no effect.
type serverClock struct {
	local   func() time.Time
	refresh func() // starts a new reading, and does not wait for it

	mu       sync.Mutex
	at       time.Time // local time of the last reading
	server   time.Time // the server's time then; zero: there is no reading yet
	learning bool      // a new reading is being taken
	asked    time.Time // local time at which that was begun
}

func newServerClock(local func() time.Time) *serverClock {
	return &serverClock{local: local, refresh: func() {}}
}

// learn records that the server's clock showed server at some moment between two local times.
func (s *serverClock) learn(before, after, server time.Time) {
	if server.IsZero() { // an old server that does not tell its time
		server = before.Add(after.Sub(before) / 2)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.server.IsZero() && after.Sub(before) > clockTrip && after.Sub(s.at) < clockGood {
		return
	}
	s.at, s.server = before.Add(after.Sub(before)/2), server.Round(0)
}

// now returns the time on the server's clock.
func (s *serverClock) now() time.Time {
	_, server := s.both()
	return server
}

// both returns the time on both clocks, at the same moment.
func (s *serverClock) both() (local, server time.Time) {
	local = s.local()
	s.mu.Lock()
	old := !s.learning && local.Sub(s.at) > clockAge && local.Sub(s.asked) > clockRetry
	if old {
		s.learning, s.asked = true, local
	}
	server = s.server.Add(local.Sub(s.at))
	if s.server.IsZero() {
		server = local.Round(0)
	}
	s.mu.Unlock()
	if old {
		s.refresh()
	}
	return local, server
}

// toLocal converts a time on the server's clock to the local clock.
func (s *serverClock) toLocal(t time.Time) time.Time {
	local, server := s.both()
	return local.Add(t.Sub(server))
}

// toServer converts a time on the local clock to the server's clock.
func (s *serverClock) toServer(t time.Time) time.Time {
	local, server := s.both()
	return server.Add(t.Sub(local))
}

// learnFrom asks a stream for its information and learns the time from the answer.
func (s *serverClock) learnFrom(ctx context.Context, js jetstream.JetStream, stream string) (jetstream.Stream, error) {
	before := s.local()
	st, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	s.learn(before, s.local(), st.CachedInfo().TimeStamp)
	return st, nil
}

// learned ends a reading that now has started, whether it succeeded or not.
func (s *serverClock) learned() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learning = false
}
