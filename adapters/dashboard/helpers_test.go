package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// start starts a manager that stops at the end of the test.
func start(t testing.TB, opts ...taskmanager.Option) *taskmanager.TaskManager {
	t.Helper()
	m, err := taskmanager.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// show makes a dashboard that is closed at the end of the test.
func show(t testing.TB, opts ...dashboard.Option) *dashboard.Dashboard {
	t.Helper()
	d := dashboard.New(opts...)
	t.Cleanup(d.Close)
	return d
}

// watched starts a manager with a collector, and a dashboard of both.
func watched(t testing.TB, opts ...taskmanager.Option) (*taskmanager.TaskManager, *dashboard.Dashboard) {
	t.Helper()
	c := dashboard.NewCollector()
	m := start(t, append(opts, taskmanager.WithObserver(c))...)
	return m, show(t, dashboard.Manager("m", m, c))
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// submit submits a function, which must be accepted.
func submit(t testing.TB, m *taskmanager.TaskManager, name string, f func(ctx context.Context) error, opts ...taskmanager.TaskOption) *taskmanager.Handle {
	t.Helper()
	h, err := m.SubmitFunc(t.Context(), name, f, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// untilCancelled is an execution that takes as long as its context.
func untilCancelled(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func succeed(context.Context) error { return nil }

var errBroken = errors.New("it is broken")

func breakDown(context.Context) error { return errBroken }

// request is a request with headers, as name and value in turn. The header Host sets the host.
func request(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Host = "localhost"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

// do returns the answer of a handler.
func do(t testing.TB, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t, method, target, body, headers...))
	return w
}

// get returns the answer to a request for data, decoded.
func get[A any](t testing.TB, h http.Handler, place string) (answer A) {
	t.Helper()
	w := do(t, h, http.MethodGet, "/api/v1/"+place, "")
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d, %s", place, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("GET %s: %v in %s", place, err, w.Body)
	}
	return answer
}

// equal reports a difference.
func equal[V any](t testing.TB, what string, got, want V, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// pipes is a network in memory: a listener whose connections have no buffer, so a client that does not
// read stops the server at once.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// listen serves a handler, and returns a client that reaches it at http://localhost.
func listen(t testing.TB, h http.Handler) *http.Client {
	t.Helper()
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p) }()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return &http.Client{Transport: transport}
}

// stream is the answer to a request for events.
type stream struct {
	status int
	header http.Header
	body   io.ReadCloser
}

// open opens a stream of events, which is closed at the end of the test.
func open(t testing.TB, client *http.Client, place string) stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/api/v1/"+place, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return stream{resp.StatusCode, resp.Header, resp.Body}
}

// readAll reads a stream to its end.
func readAll(r io.Reader) (string, error) {
	b, err := io.ReadAll(r)
	return string(b), err
}
