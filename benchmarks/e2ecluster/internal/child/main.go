// Child is one process of a cluster: a server, a worker, a group of submitters, a request that
// submits one task, or a schedule. It says "READY" and an
// address on the standard output once it works, and ends when its standard input does, so that none outlives its
// test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// settings are the flags of all roles.
type settings struct {
	process, ledger, url, otlp     string
	dir, listen, token             string
	clusterListen, routes          string
	sync, lease, grace, every      time.Duration
	clock, backoff, audit          time.Duration
	crashes, replicas              int
	workers, attempts, names       int
	keyLimit, kindLimit, submitter int
	maxStore                       int64
	prefix                         string
}

func flags(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	f.StringVar(&s.process, "process", "", "the name of this process in the ledger")
	f.StringVar(&s.ledger, "ledger", "", "the `path` of the ledger")
	f.StringVar(&s.url, "url", "", "the addresses of the servers")
	f.StringVar(&s.otlp, "otlp", "", "the `URL` to which spans go")
	f.StringVar(&s.dir, "dir", "", "server: the directory of the store")
	f.StringVar(&s.listen, "listen", "", "server: the address for clients")
	f.StringVar(&s.token, "token", "", "server: what clients must know")
	f.StringVar(&s.clusterListen, "cluster-listen", "", "server: the address for other servers")
	f.StringVar(&s.routes, "routes", "", "server: the addresses of the other servers")
	f.DurationVar(&s.sync, "sync", 0, "server: how often it syncs; 0 means after each write")
	f.Int64Var(&s.maxStore, "max-store", 0, "server: how many bytes it stores")
	f.DurationVar(&s.lease, "lease", 2*time.Second, "the lease of a task")
	f.IntVar(&s.crashes, "crashes", 5, "after how many crashes a task is dead")
	f.IntVar(&s.replicas, "replicas", 1, "the replicas of each stream")
	f.DurationVar(&s.clock, "clock", 0, "how far the clock of this process is ahead")
	f.IntVar(&s.workers, "workers", 4, "worker: how many tasks run at once")
	f.DurationVar(&s.grace, "grace", time.Second, "worker: how long it drains")
	f.DurationVar(&s.backoff, "backoff", 500*time.Millisecond, "worker: the delay of the kind again")
	f.IntVar(&s.attempts, "attempts", 3, "worker: the attempts of the kind again")
	f.IntVar(&s.keyLimit, "key-limit", 2, "worker: the limit of the kind keyed")
	f.IntVar(&s.kindLimit, "kind-limit", 3, "worker: the limit of the kind few")
	f.DurationVar(&s.audit, "audit", 0, "worker: how often it audits; 0 means the default")
	f.IntVar(&s.names, "names", 100, "submitter: the names that all race for")
	f.IntVar(&s.submitter, "submitters", 8, "submitter: how many submit at once")
	f.StringVar(&s.prefix, "prefix", "race/", "submitter: the start of the names; request, schedule: the name")
	f.DurationVar(&s.every, "every", time.Second, "schedule: the time between two runs")
	return s, f.Parse(args)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: child server|worker|submitter|request|schedule [flags]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func run(role string, args []string) error {
	s, err := flags(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	w, err := ledger.Open(s.ledger, s.process)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	commands := make(chan struct{}, 1)
	go follow(commands)
	if role == "server" {
		return serve(ctx, s)
	}
	shutdown, err := traces(ctx, s)
	if err != nil {
		return err
	}
	c, err := connect(ctx, s)
	if err != nil {
		return err
	}
	switch role {
	case "worker":
		err = work(ctx, s, c, w)
	case "submitter":
		err = race(ctx, s, c, w, commands)
	case "request":
		err = request(ctx, s, c, w)
	case "schedule":
		err = repeat(ctx, s, c)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	c.Close()
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, shutdown(last))
}

// follow sends for each line of the standard input, and ends the process at its end: then the test has ended.
func follow(commands chan<- struct{}) {
	var b [1]byte
	for {
		if _, err := io.ReadFull(os.Stdin, b[:]); err != nil {
			os.Exit(3)
		}
		if b[0] == '\n' {
			commands <- struct{}{}
		}
	}
}

func ready(text string) { fmt.Println("READY", text) }

// connect opens the cluster. It tries for a while, because the servers may be starting.
func connect(ctx context.Context, s settings) (*nats.Client, error) {
	log := logging.Slog(slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", s.process))
	options := append(nats.ConnOptions(log), natsgo.Name(s.process), natsgo.ReconnectWait(50*time.Millisecond),
		natsgo.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond), natsgo.Timeout(5*time.Second))
	nc, err := natsgo.Connect(strings.TrimSpace(s.url), options...)
	if err != nil {
		return nil, err
	}
	open := []nats.Option{nats.WithLease(s.lease), nats.WithCrashes(s.crashes), nats.WithReplicas(s.replicas), nats.WithLogger(log)}
	if s.clock != 0 {
		open = append(open, nats.WithClock(func() time.Time { return time.Now().Add(s.clock) }))
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		try, stop := context.WithTimeout(ctx, 5*time.Second)
		c, err := nats.Open(try, nc, open...)
		stop()
		if err == nil || ctx.Err() != nil || errors.Is(err, nats.ErrLayout) {
			return c, err
		}
		fmt.Fprintln(os.Stderr, "open:", err)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
