package dashboard_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// dial connects to a server with this handler in memory.
func dial(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	conn, err := listen(t, h).Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A client that sends requests and reads no answer is cut off, however short the answers are.
func TestAClientThatReadsNoAnswers(t *testing.T) {
	allow := func(*http.Request, dashboard.Action, string) error { return nil }
	for place, want := range map[string]time.Duration{
		"GET /api/v1/history?limit=200": 5 * time.Second,
		"GET /api/v1/history":           5 * time.Second,
		"GET /api/v1/nothing":           5 * time.Second,
		"GET /":                         5 * time.Second,
		"GET /tasks":                    5 * time.Second, // a redirect
		"POST /api/v1/actions":          5 * time.Second, // without an answer
	} {
		t.Run(strings.ReplaceAll(place, "/", " "), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := start(t, taskmanager.WithHistory(300))
				d := show(t, dashboard.Manager("m", m), dashboard.Actions(allow, dashboard.Pause))
				for i := range 200 {
					run(t, m, fmt.Sprint("broken", i), func(context.Context) error { panic(strings.Repeat("x", 2000)) })
				}
				conn := dial(t, d)
				begin, body := time.Now(), ""
				if strings.HasPrefix(place, "POST") {
					body = `{"manager":"m","action":"pause"}`
				}
				if err := conn.SetDeadline(begin.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				var err error
				for err == nil {
					_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", place, len(body), body)
				}
				equal(t, "time until the client is cut off", time.Since(begin), want)
			})
		})
	}
}

// The limit for an answer does not end a connection that its client uses again later.
func TestAConnectionIsUsedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		conn := dial(t, d)
		answers := bufio.NewReader(conn)
		for _, place := range []string{"/", "/api/v1/meta", "/api/v1/nothing", "/tasks", "/api/v1/overview"} {
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", place); err != nil {
				t.Fatalf("GET %s: %v", place, err)
			}
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("GET %s: %v", place, err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatalf("GET %s: %v", place, err)
			}
			_ = resp.Body.Close()
			time.Sleep(time.Minute)
		}
	})
}
