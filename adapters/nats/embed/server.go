package embed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
)

// startLimit is how long a server may take to read its directory and to listen.
const startLimit = time.Minute

// Server is a running NATS server. Its methods are safe for concurrent use.
type Server struct {
	server          *server.Server
	lock            *flock.Flock
	owner           []natsgo.Option // what connections of this process present
	url, clusterURL string
	dir             string
	log             *serverLog
	ending          chan struct{} // closed when the server is to stop
	healer          sync.WaitGroup
	stop            sync.Once
	stopped         chan struct{}

	mu    sync.Mutex
	conns []*natsgo.Conn // of Conn; nil once the server stops
	ended bool           // no connection is made any more
}

// Start starts a server and waits until it accepts connections, for up to a minute. It reports all
// invalid options at once. The error is [ErrLocked] if another server uses the directory, and
// [ErrClusterMismatch] if the directory does not fit Options.Cluster.
//
// A server of a cluster accepts connections before the cluster works; see [Server.Ready].
func Start(o Options) (*Server, error) {
	owner := &server.User{Username: "owner-" + rand.Text(), Password: rand.Text()}
	so, err := o.serverOptions(owner)
	if err != nil {
		return nil, err
	}
	lock, err := lockDirectory(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := fits(o.Dir, o.Cluster != nil); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	s := &Server{
		lock: lock, dir: o.Dir, ending: make(chan struct{}), stopped: make(chan struct{}),
		log: &serverLog{to: o.Logger, broken: make(chan struct{}, 1), disabled: make(chan struct{}, 1)},
	}
	switch {
	case o.Token != "":
		s.owner = []natsgo.Option{natsgo.Token(o.Token)}
	case o.Users != nil:
		s.owner = []natsgo.Option{natsgo.UserInfo(owner.Username, owner.Password)}
	}
	if s.server, err = run(so, s.log); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	s.url, s.clusterURL = o.urls(s.server)
	config := *s.server.JetStreamConfig()
	config.StoreDir = o.Dir // the server appends a directory to it
	s.healer.Go(func() { s.heal(config) })
	return s, nil
}

// urls are the addresses of a server that listens, with the secrets.
func (o Options) urls(s *server.Server) (clients, cluster string) {
	if o.Listen != "" {
		u := url.URL{Scheme: "nats", Host: reachable(s.Addr())}
		if o.TLS != nil {
			u.Scheme = "tls"
		}
		if o.Token != "" {
			u.User = url.User(o.Token)
		}
		clients = u.String()
	}
	if o.Cluster != nil {
		u := url.URL{Scheme: "nats", Host: reachable(s.ClusterAddr()), User: url.UserPassword(o.Cluster.User, o.Cluster.Password)}
		cluster = u.String()
	}
	return clients, cluster
}

// reachable is an address at which this machine reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

// run starts a server and waits until it accepts connections.
func run(so *server.Options, log *serverLog) (*server.Server, error) {
	s, err := server.NewServer(so)
	if err != nil {
		return nil, fmt.Errorf("embed: the server refuses its options: %w", err)
	}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	// The server looks every 25 ms whether it is ready, but does not notice that it has failed. On a busy machine
	// even a server that is ready may answer no, if the time is over before it looks.
	ready := false
	for end := time.Now().Add(startLimit); !ready && log.failure() == nil && time.Now().Before(end); {
		ready = s.ReadyForConnections(30 * time.Millisecond)
	}
	err = log.failure()
	if err == nil && !ready {
		err = fmt.Errorf("embed: the server is not ready after %v", startLimit)
	}
	if err != nil {
		s.Shutdown()
		return nil, err
	}
	return s, nil
}

// Conn returns a new connection that does not use the network. It may do everything, unless opts
// name one of [Options.Users]. Close it before [Server.Stop], which closes all connections that are
// left.
func (s *Server) Conn(opts ...natsgo.Option) (*natsgo.Conn, error) {
	// There is no network that could be slow, so only a busy machine lets it wait.
	all := append(append([]natsgo.Option{natsgo.Timeout(10 * time.Second)}, s.owner...), natsgo.InProcessServer(s.server))
	nc, err := natsgo.Connect("", append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embed: cannot connect: %w", err)
	}
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.conns = append(deleteClosed(s.conns), nc)
	}
	s.mu.Unlock()
	if ended {
		nc.Close()
		return nil, errors.New("embed: cannot connect: the server is stopped")
	}
	return nc, nil
}

func deleteClosed(conns []*natsgo.Conn) []*natsgo.Conn {
	open := conns[:0]
	for _, nc := range conns {
		if !nc.IsClosed() {
			open = append(open, nc)
		}
	}
	clear(conns[len(open):])
	return open
}

// URL returns the URL for other processes, with the token if there is one, or "" if the server does
// not listen. If the server listens on all interfaces, the host of the URL is 127.0.0.1; on other
// machines, replace it with the name of this one.
func (s *Server) URL() string { return s.url }

// ClusterURL returns the URL for the [Cluster.Routes] of the other servers, with the password, or
// "" without a cluster. The host is as in [Server.URL].
func (s *Server) ClusterURL() string { return s.clusterURL }

// Ready waits until the server can store tasks. A single server is ready at once. A server of a
// cluster is ready when most servers are connected and it is up to date. If ctx ends first, the
// error wraps its cause.
func (s *Server) Ready(ctx context.Context) error {
	// The server has no event for it.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !s.ready() {
		select {
		case <-tick.C:
		case <-s.stopped:
			return errors.New("embed: the server is stopped")
		case <-ctx.Done():
			return fmt.Errorf("embed: the cluster is not ready; most of its servers must run, and reach one another: %w", context.Cause(ctx))
		}
	}
	return nil
}

func (s *Server) ready() (ok bool) {
	// The method of the server panics while JetStream ends, in Stop or after a failed write.
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	// A single server is always current.
	return s.server.JetStreamEnabled() && s.server.JetStreamIsCurrent()
}

// Stop stops the server and releases its directory. If ctx ends first, the error wraps its cause,
// and the server continues to stop. Further calls wait for the same end.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		s.mu.Lock()
		conns := s.conns
		s.ended, s.conns = true, nil
		s.mu.Unlock()
		close(s.ending)
		go func() {
			defer close(s.stopped)
			s.healer.Wait()
			for _, nc := range conns {
				nc.Close()
			}
			s.server.Shutdown()
			s.server.WaitForShutdown()
			_ = s.lock.Unlock() // the system releases it at the end of the process otherwise
		}()
	})
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("embed: the server is still stopping: %w", context.Cause(ctx))
	}
}
