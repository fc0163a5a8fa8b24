package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Bounds on the streams to browsers.
const (
	streamLimit = 32               // for each manager
	writeTime   = 5 * time.Second  // for each write, after which a client that does not read is cut off
	streamTime  = 30 * time.Minute // after which a stream ends, so that the rights of its user are checked again
	retryAfter  = 10               // seconds until a client that found no room may try again
)

// viewers are the streams of a manager. It is safe for concurrent use.
type viewers struct {
	mu    sync.Mutex // guards the rest
	ticks map[chan []byte]struct{}
}

// join returns a channel for ticks, unless there are too many streams. It has room for one tick: a slow
// client misses those that follow.
func (v *viewers) join() (ticks chan []byte, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.ticks) >= streamLimit {
		return nil, false
	}
	if v.ticks == nil {
		v.ticks = make(map[chan []byte]struct{})
	}
	ticks = make(chan []byte, 1)
	v.ticks[ticks] = struct{}{}
	return ticks, true
}

func (v *viewers) leave(ticks chan []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.ticks, ticks)
}

// none reports whether there is no stream.
func (v *viewers) none() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.ticks) == 0
}

// send sends a tick to all streams that have room for it.
func (v *viewers) send(tick []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for ticks := range v.ticks {
		select {
		case ticks <- tick:
		default:
		}
	}
}

// sendTick sends the state of the manager and the decisions since the last tick to all streams.
func (x *managed) sendTick() {
	news, _ := x.decisions.after(x.announced)
	if len(news) > 0 {
		x.announced = news[len(news)-1].number
	}
	if !x.viewers.none() {
		x.viewers.send(tick(x.overview(news)))
	}
}

// tick returns the event of a tick. All clients get the same bytes.
func tick(o overviewAnswer) []byte {
	data, err := json.Marshal(o)
	if err != nil {
		data = []byte("null") // no number of a point is infinite
	}
	return fmt.Appendf(nil, "event: tick\ndata: %s\n\n", data)
}

// serveEvents sends ticks to a client, until it leaves, the dashboard is closed, or the time for a
// stream is over. Then the browser makes a new stream.
func (d *Dashboard) serveEvents(w http.ResponseWriter, r *http.Request) {
	args, err := arguments(r)
	if err != nil {
		fail(w, err)
		return
	}
	x, err := d.manager(args.Get("m"))
	if err != nil {
		fail(w, err)
		return
	}
	if isClosed(d.closed) {
		fail(w, &failure{http.StatusServiceUnavailable, "the dashboard is closed"})
		return
	}
	ticks, ok := x.viewers.join()
	if !ok {
		w.Header().Set("Retry-After", fmt.Sprint(retryAfter))
		fail(w, &failure{http.StatusServiceUnavailable, fmt.Sprintf("there are %d streams of this manager already; close another window, or ask for the overview instead", streamLimit)})
		return
	}
	defer x.viewers.leave(ticks)
	s := &stream{w: w, http1: r.ProtoMajor == 1, control: http.NewResponseController(w)}
	if err := s.begin(); err != nil {
		fail(w, err)
		return
	}
	o, _ := x.getOverview(nil)
	if s.write([]byte("retry: 3000\n\n")) && s.write(tick(o.(overviewAnswer))) {
		d.stream(r, x, s, ticks)
	}
}

// stream sends ticks until the stream ends. After the end of the manager there are no samples, and the
// stream makes its ticks itself.
func (d *Dashboard) stream(r *http.Request, x *managed, s *stream, ticks <-chan []byte) {
	end := time.NewTimer(streamTime)
	defer end.Stop()
	sampled, own := d.sampled, (<-chan time.Time)(nil)
	for {
		var event []byte
		select {
		case event = <-ticks:
		case <-sampled:
			t := time.NewTicker(fineStep)
			defer t.Stop()
			sampled, own = nil, t.C
			continue
		case <-own:
			event = tick(x.overview(nil))
		case <-r.Context().Done():
			return
		case <-d.closed:
			return
		case <-end.C:
			return
		}
		if !s.write(event) {
			return
		}
	}
}

// stream writes events.
type stream struct {
	w       http.ResponseWriter
	http1   bool
	control *http.ResponseController
}

// begin sends the head of the answer.
func (s *stream) begin() error {
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("X-Accel-Buffering", "no") // of proxies that would collect events
	if s.http1 {
		s.w.Header().Set("Connection", "close") // the deadline of the last write would end the next request
	}
	s.deadline()
	if err := s.control.Flush(); errors.Is(err, http.ErrNotSupported) {
		return &failure{http.StatusNotImplemented, "the writer of a middleware cannot flush, so there is no stream; give it the method Unwrap() http.ResponseWriter"}
	}
	return nil
}

// write writes an event, and reports whether the client has it.
func (s *stream) write(event []byte) bool {
	s.deadline()
	_, err := s.w.Write(event)
	return err == nil && s.control.Flush() == nil
}

// deadline limits the time for a write. The writer of a middleware may not support that; then the
// limits of the server hold.
func (s *stream) deadline() { _ = s.control.SetWriteDeadline(time.Now().Add(writeTime)) }
