//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/proxy"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/submit"
)

// token is what clients of the servers must know.
const token = "e2e"

// settings are those of a cluster. Zero values have a default.
type settings struct {
	servers int           // 1; streams have as many replicas
	always  bool          // whether servers sync after each write, which tests that kill them need; slow disks delay everything then
	lease   time.Duration // two seconds
	crashes int           // 5

	firstDir string // of the first server, instead of a temporary one
	stay     uint64 // how many tasks stay stored that no worker runs
}

// cluster is what a test runs: servers, other processes, a client in the process of the test, and a ledger.
type cluster struct {
	settings

	t         testing.TB
	dir, path string // of the logs, and of the ledger
	account   *ledger.Writer
	book      *ledger.Reader
	servers   []*server
	conn      *natsgo.Conn
	js        jetstream.JetStream
	client    *nats.Client
	*submit.Submitter
}

// server is a server that can be started again.
type server struct {
	*process
	address string
	args    []string
}

// launch starts the servers and opens a client. Everything ends with the test.
func launch(t *testing.T, s settings) *cluster {
	t.Helper()
	need(t)
	s.servers, s.lease, s.crashes = max(s.servers, 1), max(s.lease, 0), max(s.crashes, 0)
	if s.lease == 0 {
		s.lease = 2 * time.Second
	}
	if s.crashes == 0 {
		s.crashes = 5
	}
	c := &cluster{settings: s, t: t, dir: t.TempDir()}
	c.path = filepath.Join(c.dir, "ledger")
	account, err := ledger.Open(c.path, "test")
	if err != nil {
		t.Fatal(err)
	}
	c.account, c.book = account, ledger.Follow(c.path)
	t.Cleanup(func() { // the last one: processes write until they end
		c.keepIfFailed()
		_ = account.Close()
	})
	c.startServers()
	c.conn = c.connect(c.url())
	if c.js, err = jetstream.New(c.conn); err != nil {
		t.Fatal(err)
	}
	c.client = c.open(c.conn)
	c.Submitter = &submit.Submitter{Client: c.client, Ledger: account}
	return c
}

func (c *cluster) startServers() {
	c.t.Helper()
	var routes []string
	for range c.settings.servers {
		routes = append(routes, "nats://"+freeAddress(c.t))
	}
	for i := range c.settings.servers {
		s := &server{address: freeAddress(c.t)}
		dir := c.firstDir
		if i > 0 || dir == "" {
			dir = c.t.TempDir()
		}
		s.args = []string{"-dir", dir, "-listen", s.address, "-token", token}
		if !c.always {
			s.args = append(s.args, "-sync", "1m")
		}
		if len(routes) > 1 {
			s.args = append(s.args, "-cluster-listen", strings.TrimPrefix(routes[i], "nats://"), "-routes", strings.Join(routes, ","))
		}
		s.process = c.spawn("server", fmt.Sprint(ledger.ServerPrefix, i+1), s.args...)
		c.servers = append(c.servers, s)
	}
	for _, s := range c.servers {
		s.awaitReady()
	}
}

// restart starts a server that has ended again, at its address and with its store.
func (c *cluster) restart(s *server) {
	c.t.Helper()
	s.process = c.start("server", s.name, s.args...)
}

// url returns the addresses of all servers.
func (c *cluster) url() string {
	var urls []string
	for _, s := range c.servers {
		urls = append(urls, "nats://"+token+"@"+s.address)
	}
	return strings.Join(urls, ",")
}

// connect connects the test to servers.
func (c *cluster) connect(url string, options ...natsgo.Option) *natsgo.Conn {
	c.t.Helper()
	options = append(append(nats.ConnOptions(nil), natsgo.ReconnectWait(50*time.Millisecond), natsgo.ReconnectJitter(0, 0)), options...)
	conn, err := natsgo.Connect(url, options...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.Close)
	return conn
}

// options are what all processes of the cluster open it with.
func (c *cluster) options() []nats.Option {
	return []nats.Option{nats.WithLease(c.lease), nats.WithCrashes(c.crashes), nats.WithReplicas(c.settings.servers)}
}

// open opens the cluster, as soon as the servers have agreed on leaders.
func (c *cluster) open(conn *natsgo.Conn) (client *nats.Client) {
	c.t.Helper()
	c.until("the cluster to open", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		client, err = nats.Open(ctx, conn, c.options()...)
		return err
	})
	c.t.Cleanup(client.Close)
	return client
}

// flags are the settings of the cluster for a child.
func (c *cluster) flags(url string, more ...string) []string {
	return append([]string{"-url", url, "-lease", c.lease.String(), "-crashes", fmt.Sprint(c.crashes), "-replicas", fmt.Sprint(c.settings.servers)}, more...)
}

// worker starts a worker.
func (c *cluster) worker(name string, more ...string) *process {
	c.t.Helper()
	return c.start("worker", name, c.flags(c.url(), more...)...)
}

// workerBehind starts a worker that reaches the first server through a proxy.
func (c *cluster) workerBehind(name string, more ...string) (*process, *proxy.Proxy) {
	c.t.Helper()
	p, err := proxy.Listen(c.servers[0].address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Close)
	return c.start("worker", name, c.flags("nats://"+token+"@"+p.Addr(), more...)...), p
}

// submit submits a task that has to be accepted. Its id is its name with a number.
func (c *cluster) submit(name, kind string, in job.Job, options ...nats.SubmitOption) *nats.Task {
	c.t.Helper()
	if in.ID == "" {
		in.ID = name + ".1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	task, err := c.Submit(ctx, name, in, append(options, nats.WithKind(kind))...)
	if err != nil {
		c.t.Fatalf("submit %q: %v", name, err)
	}
	return task
}

// cancel cancels the task of a name, which must be there.
func (c *cluster) cancel(name string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if found, err := c.Cancel(ctx, name); err != nil || !found {
		c.t.Fatalf("cancel %q: %v, %v", name, found, err)
	}
}

// until calls try until it succeeds.
func (c *cluster) until(what string, try func(context.Context) error) {
	c.t.Helper()
	c.untilWithin(patience, what, try)
}

func (c *cluster) untilWithin(limit time.Duration, what string, try func(context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error // that the end of the wait did not cause
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			c.t.Fatalf("waited %v for %s: %v\n%s", limit, what, errors.Join(last, err), c.tail())
		}
		last = err
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// lines returns the ledger so far.
func (c *cluster) lines() []ledger.Line {
	c.t.Helper()
	lines, err := c.book.Lines()
	if err != nil {
		c.t.Fatal(err)
	}
	return lines
}

// await waits for n lines of an event and returns all of them. The name "" stands for all names.
func (c *cluster) await(n int, e ledger.Event, name string) []ledger.Line {
	c.t.Helper()
	var found []ledger.Line
	c.until(fmt.Sprintf("%d lines %q of %q", n, e, name), func(context.Context) error {
		found = c.find(e, name)
		if len(found) < n {
			return fmt.Errorf("there are %d", len(found))
		}
		return nil
	})
	return found
}

// find returns the lines of an event. The name "" stands for all names.
func (c *cluster) find(e ledger.Event, name string) []ledger.Line {
	c.t.Helper()
	return ledger.Select(c.lines(), func(l ledger.Line) bool { return l.Event == e && (name == "" || l.Name == name) })
}

// runs returns the executions of a name, or of all names with "".
func (c *cluster) runs(name string) []ledger.Run {
	c.t.Helper()
	return ledger.Select(ledger.Runs(c.lines()), func(r ledger.Run) bool { return name == "" || r.Name == name })
}

// stored returns the state of the stream of tasks.
func (c *cluster) stored(ctx context.Context) (*jetstream.StreamInfo, error) {
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		return nil, err
	}
	return s.Info(ctx)
}

// deadLetters returns all dead letters.
func (c *cluster) deadLetters() []nats.DeadLetter {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	letters, err := c.js.Stream(ctx, "tasks_DEAD")
	if err != nil {
		c.t.Fatal(err)
	}
	var all []nats.DeadLetter
	for d, err := range c.client.DeadLetters(ctx, "") {
		if err != nil {
			c.t.Fatal(err)
		}
		// The client estimates how the clocks differ. Here they are the same.
		m, err := letters.GetMsg(ctx, d.Seq)
		if err != nil {
			c.t.Fatal(err)
		}
		d.At = m.Time
		all = append(all, d)
	}
	return all
}

// empty waits until no task is stored but those that stay.
func (c *cluster) empty(limit time.Duration) {
	c.t.Helper()
	c.untilWithin(limit, "all tasks to end", c.isEmpty)
}

// isEmpty returns an error while tasks are stored that do not stay.
func (c *cluster) isEmpty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	info, err := c.stored(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs != c.stay {
		return fmt.Errorf("%d are stored: %s", info.State.Msgs, c.some(ctx))
	}
	return nil
}

// some returns some subjects that are stored.
func (c *cluster) some(ctx context.Context) string {
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		return err.Error()
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return err.Error()
	}
	var names []string
	for subject := range info.State.Subjects {
		names = append(names, subject)
	}
	slices.Sort(names)
	return strings.Join(names[:min(10, len(names))], " ")
}

// balance waits until no task is stored, and fails unless the ledger balances.
func (c *cluster) balance(limit time.Duration) {
	c.t.Helper()
	c.empty(limit)
	var dead []ledger.Dead
	for _, d := range c.deadLetters() {
		dead = append(dead, ledger.Dead{Name: d.Name, ID: d.ID, Reason: d.Reason, At: d.At.UnixNano()})
	}
	lines := c.lines()
	for i, f := range ledger.Balance(lines, dead) {
		c.t.Errorf("%s", f.Text)
		if i < 5 {
			c.t.Log(c.story(f.Name))
		}
	}
}

// awaitLog waits until the log of a process has a text.
func (c *cluster) awaitLog(process, text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("%q in the log of %s", text, process), func(context.Context) error {
		if !strings.Contains(string(c.log(process)), text) {
			return errors.New("it is not there")
		}
		return nil
	})
}

// log returns the log of a process so far.
func (c *cluster) log(process string) []byte {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, process+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// story returns the last lines about a name, and those about the processes between them.
func (c *cluster) story(name string) string {
	const most = 150
	lines := ledger.Select(c.lines(), func(l ledger.Line) bool { return l.Name == name || l.Name == "" })
	for len(lines) > 0 && lines[len(lines)-1].Name == "" {
		lines = lines[:len(lines)-1]
	}
	return text(lines[max(0, len(lines)-most):])
}

// text returns lines as the reader of a failed test sees them.
func text(lines []ledger.Line) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// tail returns the last lines of the ledger.
func (c *cluster) tail() string {
	lines := c.lines()
	return text(lines[max(0, len(lines)-30):])
}

// keepIfFailed copies the ledger and the logs to where the flags say.
func (c *cluster) keepIfFailed() {
	if !c.t.Failed() || *keep == "" {
		return
	}
	to := filepath.Join(*keep, strings.ReplaceAll(c.t.Name(), "/", "_"))
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(c.dir))); err != nil {
		c.t.Log(err)
		return
	}
	c.t.Logf("the ledger and the logs are in %s", to)
}

// freeAddress returns an unused address of the loopback interface.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
