package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The service has what the dashboard is there to show: waits, restarts, failures, panics, skipped runs.
func TestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := open(1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		s.work(ctx, 40)
		counts := s.images.Counts()
		if counts.Succeeded < 3000 || counts.Failed < 10 {
			t.Errorf("the tasks of images: %+v", counts)
		}
		if peak := s.images.Snapshot().Workers; peak <= 2 {
			t.Errorf("images has %d workers in the end", peak)
		}
		skipped := 0
		for schedule := range s.images.Schedules() {
			skipped += schedule.Skipped()
		}
		if skipped == 0 {
			t.Error("no run of a schedule was skipped")
		}
		if n := s.mails.Counts(); n.Succeeded == 0 || n.Delayed == 0 {
			t.Errorf("the tasks of mails: %+v", n)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

// notify is a writer that tells when it has been written to.
type notify struct {
	mu   sync.Mutex
	text bytes.Buffer
	once sync.Once
	done chan struct{}
}

func (n *notify) Write(b []byte) (int, error) {
	defer n.once.Do(func() { close(n.done) })
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notify) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// The command prints its address, serves there, and ends with the context.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &notify{done: make(chan struct{})}
	var stderr bytes.Buffer
	status := make(chan subcommand.Status, 1)
	go func() { status <- Subcommand.Execute(ctx, []string{"-listen", "127.0.0.1:0"}, out, &stderr) }()
	<-out.done
	_, rest, _ := strings.Cut(out.String(), "http://")
	url, _, _ := strings.Cut(rest, "\n")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + url + "api/v1/meta")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // it was only read
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		Managers []struct{ Name string }
		Actions  []string
	}
	if err := json.Unmarshal(body, &meta); err != nil || len(meta.Managers) != 2 || len(meta.Actions) != 4 {
		t.Errorf("meta: %v, %s", err, body)
	}
	cancel()
	if got := <-status; got != subcommand.OK || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", got, stderr.String())
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-listen 0.0.0.0:80", "add -read-only"},
		{"-listen 80", "an address is HOST:PORT"},
		{"-rate 0", "-rate is 0; it must be positive"},
		{"-duration -1s", "-duration is -1s; it must not be negative"},
	} {
		var stderr bytes.Buffer
		if got := Subcommand.Execute(t.Context(), strings.Fields(c.args), io.Discard, &stderr); got != subcommand.BadUsage || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: status %d, stderr %q, want %q", c.args, got, stderr.String(), c.want)
		}
	}
	if _, err := Subcommand.Parse(strings.Fields("-listen 0.0.0.0:0 -read-only"), io.Discard); err != nil {
		t.Error(err)
	}
}
