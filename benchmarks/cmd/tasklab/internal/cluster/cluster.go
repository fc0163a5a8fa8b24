// Package cluster lets several processes share the job of the subcommand run: it connects them by a NATS
// server, which may be in the process itself, and has the task that a worker process executes.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/adapters/nats"
	source "github.com/seed56799101/taskmanager/adapters/nats/cluster"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Embedded is the word for a server in the process itself, where a URL is expected.
const Embedded = "embed"

// Variable is the environment variable that may have the URL. All users of a machine see the arguments of its processes,
// and so a secret in them. FromVariable is the word for it, where a URL is expected.
const (
	Variable     = "TASKLAB_CLUSTER"
	FromVariable = "env"
)

// Namespace is that of the tasks of this program. Other programs may use the same server.
const Namespace = "tasklab"

// DefaultLease is how long a worker process may be silent before others get its tasks.
const DefaultLease = 5 * time.Second

// lossy is the time between two syncs of a server whose data are not kept.
const lossy = time.Minute

// Cluster is a connection to a cluster. Close ends it.
type Cluster struct {
	// Client submits tasks and lists them.
	Client *nats.Client
	// URL is the address for worker processes. It may have a secret, so it does not belong into arguments; see Variable.
	URL string
	// Shown is the URL without secrets.
	Shown string

	conn   *natsgo.Conn
	server *embed.Server // nil if the server is elsewhere
	temp   string        // the directory of a server whose data are not kept
}

// CheckURL returns an error unless an address may be that of a server.
func CheckURL(address string) error {
	for one := range strings.SplitSeq(address, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return errors.New("it is neither embed nor the URL of a NATS server, such as nats://127.0.0.1:4222") // it may have a secret
		}
	}
	return nil
}

// Address returns the URL that a flag -cluster with the given value stands for, or an error that says what is wrong.
func Address(given string) (string, error) {
	if given != FromVariable {
		if err := CheckURL(given); err != nil {
			return "", fmt.Errorf("-cluster: %w", err)
		}
		return given, nil
	}
	address := os.Getenv(Variable)
	if address == "" {
		return "", errors.New(Variable + " is not set; set it to the URL that tasklab run -cluster embed prints, or to that of a NATS server, or give -cluster URL")
	}
	if err := CheckURL(address); err != nil {
		return "", fmt.Errorf("%s: %w", Variable, err)
	}
	return address, nil
}

// Join connects to the server at a URL.
func Join(ctx context.Context, address string, lease time.Duration, log taskmanager.Logger) (*Cluster, error) {
	conn, err := natsgo.Connect(address, append(nats.ConnOptions(log), natsgo.Name("tasklab"), natsgo.Timeout(5*time.Second))...)
	switch shown := redact(address); {
	case errors.Is(err, natsgo.ErrAuthorization), errors.Is(err, natsgo.ErrAuthExpired):
		return nil, fmt.Errorf("tasklab: -cluster: %s refuses the credentials; put them into the URL, as in nats://user:password@host:4222 or nats://token@host:4222: %w", shown, err)
	case err != nil:
		return nil, fmt.Errorf("tasklab: -cluster: no server answers at %s; start one with nats-server -js, or use -cluster embed: %w", shown, err)
	}
	c := &Cluster{URL: address, Shown: redact(address), conn: conn}
	return c, c.open(ctx, lease, log)
}

// Place is where an embedded server keeps its data and listens.
type Place struct {
	Dir    string // empty: a temporary directory that Close removes
	Listen string // host and port; the port 0 means any free one
}

// Embed starts a server in this process, and connects to it. Every program that knows its URL may use it.
func Embed(ctx context.Context, p Place, lease time.Duration, log taskmanager.Logger) (*Cluster, error) {
	options := embed.Options{Dir: p.Dir, Listen: p.Listen, Token: rand.Text()}
	c := new(Cluster)
	if p.Dir == "" {
		temp, err := os.MkdirTemp("", "tasklab-cluster-")
		if err != nil {
			return nil, fmt.Errorf("tasklab: %w", err)
		}
		c.temp, options.Dir, options.SyncInterval = temp, filepath.Join(temp, "data"), lossy
	}
	var err error
	if c.server, err = embed.Start(options); err != nil {
		if errors.Is(err, embed.ErrLocked) {
			err = fmt.Errorf("another run uses this -store; wait for it, or name another directory: %w", err)
		}
		return nil, errors.Join(fmt.Errorf("tasklab: the embedded server: %w", err), c.Close(ctx))
	}
	c.URL = c.server.URL()
	c.Shown = redact(c.URL)
	if c.conn, err = c.server.Conn(nats.ConnOptions(log)...); err != nil {
		return nil, errors.Join(fmt.Errorf("tasklab: the embedded server: %w", err), c.Close(ctx))
	}
	return c, c.open(ctx, lease, log)
}

// open opens the client. If that fails, it closes the cluster.
func (c *Cluster) open(ctx context.Context, lease time.Duration, log taskmanager.Logger) error {
	client, err := nats.Open(ctx, c.conn, nats.WithNamespace(Namespace), nats.WithLease(lease), nats.WithLogger(log))
	if err != nil {
		return errors.Join(fmt.Errorf("tasklab: -cluster: %s: %w", c.Shown, err), c.Close(ctx))
	}
	c.Client = client
	return nil
}

// Source shows the cluster in a dashboard, which must be closed before the cluster.
func (c *Cluster) Source() dashboard.ClusterSource { return source.Source(c.Client) }

// Close closes the connection, and stops the server if it is in this process. Workers must have been drained.
func (c *Cluster) Close(ctx context.Context) error {
	var faults []error
	if c.Client != nil {
		c.Client.Close()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	if c.server != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		faults = append(faults, c.server.Stop(ctx))
	}
	if c.temp != "" {
		faults = append(faults, os.RemoveAll(c.temp))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("tasklab: close the cluster: %w", err)
	}
	return nil
}

// redact returns the addresses without secrets.
func redact(address string) string {
	var shown []string
	for one := range strings.SplitSeq(address, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			return "the server"
		}
		u.User = nil
		shown = append(shown, u.String())
	}
	return strings.Join(shown, ",")
}
