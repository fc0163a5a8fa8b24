package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/observe"
)

// Client gives access to the tasks of one namespace. [Open] returns one. It is safe for concurrent
// use.
type Client struct {
	cfg   config
	nc    *natsgo.Conn
	js    jetstream.JetStream
	tasks jetstream.Stream // the outstanding tasks
	dead  jetstream.Stream // the dead letters

	state   jetstream.KeyValue // histories of tasks that have run, by name
	cancels jetstream.KeyValue // ids of cancelled tasks
	results jetstream.KeyValue // outcomes by id
	cron    jetstream.KeyValue // marks of schedules by name
	slots   jetstream.KeyValue // slots of keys, and the lock of the audit
	procs   jetstream.KeyValue // presence of worker processes

	clock     *serverClock
	log       logger
	alone     chan struct{} // holds a token while a worker of the client executes a suspect; see crash.go
	observers []observe.SubmitObserver

	// connected is a context that ends when the present connection is lost.
	connected atomic.Pointer[context.Context]

	// life ends with Close. What the client has started is counted in running, to which nothing is added
	// after that: both under mu.
	life    context.Context
	end     context.CancelFunc
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// openTimeout bounds Open if its context has no deadline, and each attempt of a request.
const openTimeout = 10 * time.Second

// Open returns a client for a namespace, and creates the streams of the namespace if they do not
// exist. It never changes streams of a newer version of this package. Existing streams of this
// version keep their settings, except those that an option sets explicitly.
//
// The errors are [ErrNoJetStream], [ErrLayout], [natsgo.ErrPermissionViolation] (see
// [Permissions]), the cause of the end of ctx, and errors of the server and of invalid options.
// Without a deadline in ctx, Open waits for the server for ten seconds.
//
// The caller makes the connection, with [ConnOptions], and closes it; [Client.Close] does not.
func Open(ctx context.Context, nc *natsgo.Conn, opts ...Option) (*Client, error) {
	if err := checkContext(ctx, "open"); err != nil {
		return nil, err
	}
	if nc == nil {
		return nil, errors.New("nats: Open: nil connection; make one with natsgo.Connect")
	}
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(nc.ConnectedServerVersion()); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("nats: open: %w", err)
	}
	c := &Client{cfg: cfg, nc: nc, js: js, log: logger{cfg.logger}, clock: newServerClock(cfg.clock), alone: make(chan struct{}, 1)}
	if c.observers, err = submitObservers(cfg.observers); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, openTimeout)
		defer stop()
	}
	ctx, stop := refusable(ctx, nc)
	defer stop()
	if err := refused(ctx, c.bindPatiently(ctx)); err != nil {
		return nil, wrapf("nats: open namespace %q: %w", cfg.namespace, err)
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.clock.refresh = c.readClock
	c.watchConnection()
	return c, nil
}

// watchConnection keeps the context of [Client.connection] until the client is closed.
func (c *Client) watchConnection() {
	lost := c.nc.StatusChanged(natsgo.DISCONNECTED, natsgo.RECONNECTING)
	ctx, end := context.WithCancel(c.life)
	c.connected.Store(&ctx)
	c.start(func(life context.Context) {
		defer c.nc.RemoveStatusListener(lost)
		defer func() { end() }()
		for {
			select {
			case <-lost:
			case <-life.Done():
				// Requests after Close do without.
				forever := context.WithoutCancel(life)
				c.connected.Store(&forever)
				return
			}
			old := end
			var next context.Context
			next, end = context.WithCancel(life)
			c.connected.Store(&next)
			old()
		}
	})
}

// limited returns a context for one request: it ends after d, and when the connection is lost, since no answer comes
// any more then.
func (c *Client) limited(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	detach := context.AfterFunc(c.connection(), cancel)
	return ctx, func() {
		detach()
		cancel()
	}
}

// connection returns a context that ends when the present connection is lost.
func (c *Client) connection() context.Context { return *c.connected.Load() }

// checkVersion returns an error for a server that does not have what the layout needs. It would ignore
// the settings that it does not know.
func checkVersion(version string) error {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); n < 2 && err != nil {
		return nil //nolint:nilerr // not connected at present, or a version of its own
	}
	if major < 2 || major == 2 && minor < 12 {
		return fmt.Errorf("nats: the server has version %s; use 2.12 or a newer one", clean(version, quoteLimit))
	}
	return nil
}

// submitObservers returns the observers of submits, with the one for the installed providers unless
// the user has given one.
func submitObservers(all []observe.Observer) (out []observe.SubmitObserver, err error) {
	given := false
	for _, o := range all {
		if s, ok := o.(observe.SubmitObserver); ok {
			out = append(out, s)
		}
		_, otel := o.(*observe.OTel)
		given = given || otel
	}
	if given {
		return out, nil
	}
	installed, err := observe.Installed()
	if err != nil {
		return nil, fmt.Errorf("nats: open: %w", err)
	}
	if installed != nil {
		out = append(out, installed)
	}
	return out, nil
}

// Close ends what the client has started: schedules, and calls that wait for results. It waits for
// their goroutines. It does not close the connection, and may be called more than once. Workers of
// the client are ended by [Worker.Drain].
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.running.Wait()
}

// start runs fn on a goroutine that Close ends, and waits for. It returns false after Close.
func (c *Client) start(fn func(ctx context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Go(func() { fn(c.life) })
	return true
}

// readClock takes a new reading of the server's clock in the background.
func (c *Client) readClock() {
	started := c.start(func(ctx context.Context) {
		defer c.clock.learned()
		ctx, stop := context.WithTimeout(ctx, openTimeout)
		defer stop()
		if _, err := c.clock.learnFrom(ctx, c.js, c.cfg.namespace); err != nil && ctx.Err() == nil {
			c.log.errorf("nats: read the clock of the server: %s", clean(err.Error(), errorLimit))
		}
	})
	if !started {
		c.clock.learned()
	}
}
