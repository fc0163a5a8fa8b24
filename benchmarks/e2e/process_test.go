package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	collectorPath  = flag.String("collector", "", "the `path` of the OpenTelemetry Collector")
	prometheusPath = flag.String("prometheus", "", "the `path` of Prometheus")
	jaegerPath     = flag.String("jaeger", "", "the `path` of Jaeger")
	picturePath    = flag.String("picture", "", "draw a trace from Jaeger to this `file`")
)

// patience is the time limit for everything that a backend does.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(status)
	}))
}

// need skips the test if the path of its backend is not given.
func need(t *testing.T, path, target string) {
	t.Helper()
	if path == "" {
		t.Skip("it needs a backend; run make " + target)
	}
}

// process is a running backend.
type process struct {
	command *exec.Cmd
	output  *output
	ended   chan struct{}
}

// output keeps what a program writes. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns everything that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launch starts a program and waits until it is ready. The program is stopped when the test
// ends.
func launch(t *testing.T, ready func(ctx context.Context) error, path string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(path, args...), output: new(output), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.Dir = t.TempDir()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), p.output)
		}
	})
	poll(t, filepath.Base(path)+" to be ready", func(ctx context.Context) error {
		select {
		case <-p.ended:
			return fatalError{errors.New("it has ended")}
		default:
			return ready(ctx)
		}
	})
	return p
}

// stop asks the program to end, and waits until it has written everything.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended before
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("%s does not stop", p.command.Path)
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// fatalError is an error after which poll gives up.
type fatalError struct{ error }

// poll calls try until it succeeds.
func poll(t *testing.T, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		_, fatal := errors.AsType[fatalError](err)
		if fatal || ctx.Err() != nil {
			t.Fatalf("waited for %s: %v", what, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// address returns an unused address of the loopback interface.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// listens returns a function that fails unless a program listens at an address.
func listens(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// get decodes an answer in JSON.
func get(ctx context.Context, url string, into any) error {
	body, err := fetch(ctx, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}

// fetch reads an answer.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, err
}

// write writes a configuration file.
func write(t *testing.T, name string, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
