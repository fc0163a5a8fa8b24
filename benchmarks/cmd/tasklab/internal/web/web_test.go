package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/web"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func board(t *testing.T) *dashboard.Dashboard {
	t.Helper()
	m, err := taskmanager.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return dashboard.New(dashboard.Manager("tasks", m))
}

func TestServe(t *testing.T) {
	s, err := web.Serve("127.0.0.1:0", board(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := web.Serve(strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/"), board(t)); err == nil || !strings.Contains(err.Error(), "name another address") {
		t.Errorf("the same address twice: %v", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"": "<!doctype html>", "api/v1/meta": `"tasks"`} {
		answer, err := client.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // it was only read
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(strings.ToLower(string(body)), want) {
			t.Errorf("%q: status %d, %v, without %s in\n%s", path, answer.StatusCode, err, want, body)
		}
	}
	stream, err := client.Get(s.URL + "api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, stream.Body) // ends, with or without an error
	_ = stream.Body.Close()                 // it was only read
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080":   "",
		"127.1.2.3:0":      "",
		"[::1]:8080":       "",
		"localhost:8080":   "",
		":8080":            "other machines",
		"0.0.0.0:8080":     "other machines",
		"192.168.1.1:80":   "other machines",
		"example.com:8080": "other machines",
		"8080":             "an address is HOST:PORT",
	} {
		err := web.Loopback(address)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
