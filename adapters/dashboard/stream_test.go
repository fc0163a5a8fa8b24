package dashboard_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// tick is the data of an event.
type tick struct {
	Now       float64
	State     string
	Point     []float64
	Decisions []struct{ Number, Target int }
	Counts    struct{ Accepted, Succeeded, Queued int }
}

// nextTick reads a stream up to the next tick. It reports false at the end of the stream.
func nextTick(t *testing.T, lines *bufio.Scanner) (v tick, ok bool) {
	t.Helper()
	for lines.Scan() {
		if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			return v, true
		}
	}
	return v, false
}

func TestEventsHaveATickEachSecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(0, 2))
		resp := open(t, listen(t, d), "events?m=m")
		equal(t, "media type", resp.header.Get("Content-Type"), "text/event-stream")
		lines := bufio.NewScanner(resp.body)
		lines.Buffer(nil, 1<<20)
		if _, ok := nextTick(t, lines); !ok {
			t.Fatal("there is no tick at the begin")
		}
		begin := time.Now()
		submit(t, m, "a", untilCancelled)
		var numbers []int
		for i := range 5 {
			if i == 3 {
				submit(t, m, "b", untilCancelled)
			}
			v, ok := nextTick(t, lines)
			if !ok {
				t.Fatal("the stream ends")
			}
			if got, want := time.Since(begin), time.Duration(i+1)*time.Second; got != want {
				t.Errorf("tick %d comes after %v, want %v", i, got, want)
			}
			for _, d := range v.Decisions {
				numbers = append(numbers, d.Number)
			}
		}
		equal(t, "numbers of the decisions since the first tick", numbers, []int{2, 3})
	})
}

func TestAStreamEndsSoThatRightsAreCheckedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		begin := time.Now()
		resp := open(t, listen(t, d), "events")
		body, err := readAll(resp.body)
		if err != nil {
			t.Error(err)
		}
		equal(t, "duration of the stream", time.Since(begin), 30*time.Minute)
		if n := strings.Count(body, "event: tick\n"); n < 1790 || n > 1801 {
			t.Errorf("%d ticks in 30 minutes", n)
		}
	})
}

func TestStreamsAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		client := listen(t, d)
		var streams []stream
		for range 32 {
			resp := open(t, client, "events")
			equal(t, "status", resp.status, http.StatusOK)
			streams = append(streams, resp)
		}
		refused := open(t, client, "events")
		body, _ := readAll(refused.body)
		if refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" || !strings.Contains(body, "32 streams") {
			t.Errorf("stream 33: status %d, headers %v, %s", refused.status, refused.header, body)
		}
		if err := streams[0].body.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second) // the server finds out when it writes
		equal(t, "status after one has left", open(t, client, "events").status, http.StatusOK)
	})
}

// A client that does not read is cut off, and delays neither other clients nor the samples.
func TestASlowReader(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		client := listen(t, d)
		slow, quick := open(t, client, "events"), open(t, client, "events")
		lines := bufio.NewScanner(quick.body)
		lines.Buffer(nil, 1<<20)
		for range 4 {
			before := time.Now()
			if _, ok := nextTick(t, lines); !ok || time.Since(before) > time.Second {
				t.Fatalf("a tick took %v", time.Since(before))
			}
		}
		time.Sleep(time.Minute)
		if body, err := readAll(slow.body); err == nil || strings.Count(body, "event: tick") > 30 {
			t.Errorf("the slow client is served for ever: error %v, %d bytes", err, len(body))
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		client := listen(t, d)
		resp := open(t, client, "events")
		d.Close()
		d.Close()
		if _, err := readAll(resp.body); err != nil {
			t.Error(err)
		}
		equal(t, "status of a stream after Close", open(t, client, "events").status, http.StatusServiceUnavailable)
		equal(t, "status of the page after Close", do(t, d, http.MethodGet, "/", "").Code, http.StatusOK)
	})
}

// When the manager has stopped, sampling ends by itself, and streams continue.
func TestTheEndOfTheManager(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := dashboard.NewCollector()
		m, err := taskmanager.Start(taskmanager.WithObserver(c))
		if err != nil {
			t.Fatal(err)
		}
		d := show(t, dashboard.Manager("m", m, c))
		resp := open(t, listen(t, d), "events")
		lines := bufio.NewScanner(resp.body)
		lines.Buffer(nil, 1<<20)
		submit(t, m, "a", succeed)
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		var last tick
		for range 6 {
			v, ok := nextTick(t, lines)
			if !ok {
				t.Fatal("the stream ended")
			}
			last = v
		}
		equal(t, "state", last.State, "stopped")
		equal(t, "succeeded", last.Counts.Succeeded, 1)
		points := get[struct{ Columns [][]float64 }](t, d, "series?seconds=60").Columns[0]
		equal(t, "samples", len(points), 1)
	})
}

// unflushable is the writer of a middleware that hides the methods of the writer below.
type unflushable struct{ http.ResponseWriter }

func TestAMiddlewareThatCannotFlush(t *testing.T) {
	_, d := watched(t)
	w := httptest.NewRecorder()
	d.ServeHTTP(unflushable{w}, request(t, http.MethodGet, "/api/v1/events", ""))
	if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), "Unwrap") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}
