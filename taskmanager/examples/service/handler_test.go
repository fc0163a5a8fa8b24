package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// response is what a client sees of a reply.
type response struct {
	Code       int
	RetryAfter string
	Body       map[string]any // of a reply in JSON
}

// client sends requests to a handler.
type client struct{ http.Handler }

func (c client) do(method, name string) response {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(method, "/tasks/"+name, nil))
	r := response{Code: w.Code, RetryAfter: w.Header().Get("Retry-After")}
	_ = json.Unmarshal(w.Body.Bytes(), &r.Body) // errors are plain text
	return r
}

// inVirtualTime runs a test with a service whose tasks are the pretended work, of 10 s.
func inVirtualTime(t *testing.T, test func(t *testing.T, c client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := start()
		if err != nil {
			t.Fatal(err)
		}
		test(t, client{newHandler(m, pretend)})
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func check(t *testing.T, what string, want, got response) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestLifeOfATask(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c client) {
		if got := c.do("POST", "a"); got.Code != http.StatusAccepted || got.Body["name"] != "a" {
			t.Errorf("POST: got %v, want 202 and the name", got)
		}
		time.Sleep(2550 * time.Millisecond)
		check(t, "after a quarter", response{Code: 200, Body: map[string]any{
			"name": "a", "status": "running", "progress": 0.25,
		}}, c.do("GET", "a"))
		check(t, "the same name again", response{Code: 409}, c.do("POST", "a"))
		time.Sleep(time.Minute)
		check(t, "at the end", response{Code: 200, Body: map[string]any{
			"name": "a", "status": "finished", "progress": 1.0,
		}}, c.do("GET", "a"))
		check(t, "a name that nobody used", response{Code: 404}, c.do("GET", "b"))
	})
}

func TestDeleteCancels(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c client) {
		c.do("POST", "a")
		time.Sleep(time.Second)
		check(t, "DELETE", response{Code: 202}, c.do("DELETE", "a"))
		synctest.Wait()
		check(t, "GET", response{Code: 200, Body: map[string]any{
			"name": "a", "status": "finished", "progress": 0.1, "error": "taskmanager: the task was cancelled: context canceled",
		}}, c.do("GET", "a"))
		check(t, "DELETE again", response{Code: 404}, c.do("DELETE", "a"))
	})
}

func TestFullQueueTellsWhenToTryAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c client) {
		for n := range 4 + 16 { // the workers, and the limit of the queue
			if got := c.do("POST", fmt.Sprint(n)); got.Code != http.StatusAccepted {
				t.Fatalf("POST of task %d: got %v, want 202", n, got)
			}
			synctest.Wait()
		}
		check(t, "one too many", response{Code: 429, RetryAfter: "10"}, c.do("POST", "late"))
		time.Sleep(11 * time.Second)
		if got := c.do("POST", "late"); got.Code != http.StatusAccepted {
			t.Errorf("POST after Retry-After: got %v, want 202", got)
		}
	})
}
