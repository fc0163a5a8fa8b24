package worker

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// embedded starts a server.
func embedded(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Embed(t.Context(), cluster.Place{Listen: "127.0.0.1:0"}, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// process is the subcommand while it runs.
type process struct {
	stdin  *io.PipeWriter
	out    *notify
	errs   bytes.Buffer
	status chan subcommand.Status
}

// start executes the subcommand.
func start(ctx context.Context, t *testing.T, args ...string) *process {
	t.Helper()
	stdin, writer := io.Pipe()
	p := &process{stdin: writer, out: &notify{written: make(chan struct{}, 9)}, status: make(chan subcommand.Status, 1)}
	s := Subcommand
	s.New = func() subcommand.Command {
		c := newCommand()
		c.stdin = stdin
		return c
	}
	go func() { p.status <- s.Execute(ctx, args, p.out, &p.errs) }()
	t.Cleanup(func() { _ = writer.Close() })
	return p
}

// notify is a writer that tells when it has been written to.
type notify struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func (n *notify) Write(b []byte) (int, error) {
	defer func() { n.written <- struct{}{} }()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notify) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// A worker works until it is interrupted, or until its standard input ends. Its URL is an argument or a variable.
func TestEnds(t *testing.T) {
	c := embedded(t)
	for _, attached := range []bool{false, true} {
		ctx, interrupt := context.WithCancel(t.Context())
		args := []string{"-cluster", c.URL, "-name", "reader", "-lease", "1s"}
		if attached {
			t.Setenv(cluster.Variable, c.URL)
			args = append(args[2:], "-attached")
		}
		p := start(ctx, t, args...)
		<-p.out.written
		if !attached {
			_ = p.stdin.Close() // it does not matter
			interrupt()
		}
		_ = p.stdin.Close()
		if got := <-p.status; got != subcommand.OK || p.errs.Len() > 0 {
			t.Errorf("attached %t: status %d, %s", attached, got, &p.errs)
		}
		want := "reader reads files for " + c.Shown + ". Press Ctrl-C to end.\nreader has read 0 files.\n"
		if got := p.out.String(); got != want {
			t.Errorf("attached %t: %q, want %q", attached, got, want)
		}
		interrupt()
	}
}

// The secret in the URL is not shown, and the process is in the list of processes.
func TestPresence(t *testing.T) {
	c := embedded(t)
	p := start(t.Context(), t, "-cluster", c.URL, "-name", "reader", "-attached", "-max", "3")
	<-p.out.written
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var list []nats.Process
	for len(list) == 0 {
		<-tick.C
		var err error
		if list, err = c.Client.Processes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := list[0]; got.Name != "reader" || got.Workers != 3 || len(got.Kinds) != 1 || got.Kinds[0] != cluster.Kind {
		t.Errorf("the process is %+v", got)
	}
	_ = p.stdin.Close()
	<-p.status
	_, secret, _ := strings.Cut(c.URL, "//")
	secret, _, _ = strings.Cut(secret, "@")
	if strings.Contains(p.out.String()+p.errs.String(), secret) {
		t.Errorf("the output has the secret: %s", p.out)
	}
}

func TestFlags(t *testing.T) {
	t.Setenv(cluster.Variable, "")
	for _, tt := range []struct{ args, want string }{
		{"", "TASKLAB_CLUSTER is not set; set it to the URL that tasklab run -cluster embed prints"},
		{"-cluster env", "TASKLAB_CLUSTER is not set"},
		{"-cluster embed", "-cluster: it is neither embed nor the URL"},
		{"-cluster nats://h:1 -dir /nowhere/at/all", "-dir: stat /nowhere/at/all"},
		{"-cluster nats://h:1 -min 3 -max 2 -retries -1 -lease 1ms", "-min, 3, exceeds -max, 2"},
		{"-cluster nats://h:1 -retries -1", "-retries is -1"},
		{"-cluster nats://h:1 -lease 1ms", "-lease is 1ms"},
		{"-cluster nats://h:1 -name=", "-name is empty"},
		{"-cluster nats://h:1 -pace -1s", "-pace is -1s"},
	} {
		var stderr bytes.Buffer
		if got := Subcommand.Execute(t.Context(), strings.Fields(tt.args), io.Discard, &stderr); got != subcommand.BadUsage || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%s: status %d, %s, want %s", tt.args, got, &stderr, tt.want)
		}
	}
	var stderr bytes.Buffer
	if got := Subcommand.Execute(t.Context(), []string{"-cluster", "nats://127.0.0.1:1"}, io.Discard, &stderr); got != subcommand.Failed || !strings.Contains(stderr.String(), "no server answers at nats://127.0.0.1:1") {
		t.Errorf("status %d, %s", got, &stderr)
	}
}
