package nats

import (
	"errors"
	"fmt"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Option configures the client that [Open] returns. If an option is given twice, the last one
// applies, except for [WithObserver].
type Option func(*config) error

// config holds the options of a client. It does not change after Open.
type config struct {
	namespace string
	replicas  int           // 0: not given
	lease     time.Duration // of a task that a worker has taken
	crashes   int
	maxTasks  int64         // 0: not given
	maxBytes  int64         // 0: not given
	deadFor   time.Duration // 0: not given
	codec     Codec
	observers []observe.Observer
	logger    taskmanager.Logger
	clock     func() time.Time
}

const (
	defaultNamespace = "tasks"
	defaultLease     = 30 * time.Second
	defaultCrashes   = 5
	defaultDeadFor   = 30 * 24 * time.Hour
)

func newConfig(opts []Option) (config, error) {
	cfg := config{namespace: defaultNamespace, lease: defaultLease, crashes: defaultCrashes, codec: JSON, clock: time.Now}
	var errs []error
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("nats: nil Option; leave it out"))
			continue
		}
		errs = append(errs, o(&cfg))
	}
	return cfg, errors.Join(errs...)
}

// WithNamespace sets the namespace: the prefix of all streams and subjects. Clients of different
// namespaces do not see each other's tasks. A namespace has 1 to 32 ASCII letters, digits and the
// characters - and _. The default is "tasks".
func WithNamespace(name string) Option {
	return func(c *config) error {
		if name == "" || len(name) > 32 || !validNamespace(name) {
			return fmt.Errorf("nats: WithNamespace(%s): use 1 to 32 ASCII letters, digits, - and _", quote(name))
		}
		c.namespace = name
		return nil
	}
}

func validNamespace(name string) bool {
	for i := range len(name) {
		if c := name[i]; !plain(c) || c == '/' {
			return false
		}
	}
	return true
}

// WithReplicas sets on how many servers of a cluster each task is stored: 1, 3 or 5. The namespace
// works while more than half of these servers run: with 3 replicas one server may fail, with 5 two.
// Other numbers are errors: an even number tolerates no more failures than the odd number below it,
// and JetStream stores at most 5 copies. Without this option, new streams have one replica, and
// existing streams keep theirs.
func WithReplicas(n int) Option {
	return func(c *config) error {
		if n != 1 && n != 3 && n != 5 {
			return fmt.Errorf("nats: WithReplicas(%d): use 1 (no copy), 3 (one server may fail) or 5 (two may fail)", n)
		}
		c.replicas = n
		return nil
	}
}

// WithLease sets the duration of a lease: how long the server waits for a sign of life of a worker
// before it delivers the worker's tasks to others. A worker extends its leases while it runs. A
// short lease detects dead workers sooner and costs more messages. All workers of a kind should use
// the same duration, since the server has one for each kind. It is at least 100 ms; the default is
// 30 s.
func WithLease(d time.Duration) Option {
	return func(c *config) error {
		if d < 100*time.Millisecond {
			return fmt.Errorf("nats: WithLease(%v): use at least 100ms", d)
		}
		c.lease = d
		return nil
	}
}

// WithCrashes sets how many crashes in a row make a task a dead letter. The default is 5. A crash
// is a delivery of the task that ends without a record:
//
//   - The process of the worker ended while the worker had the task.
//   - The worker lost the lease, because the process was paused or could not reach the server, and
//     could not record that afterwards.
//   - The delivery was lost together with a connection.
//   - The execution failed, and the worker could not record the failure within ten seconds, for
//     example because the server was full.
//
// The duration of an execution does not matter.
//
// When a process ends, the crash counts for all tasks that it had, since nothing shows which of
// them caused it. With n of 2 or more, the last crash is counted more strictly: only for a task
// whose execution had begun. A task that has one crash left waits for other such tasks, for a few
// seconds at most, so that the workers of a client execute one of them at a time. So a task that
// ends every process soon after its start becomes a dead letter alone. Another task may still
// become a dead letter if its process is ended n times in a row.
func WithCrashes(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("nats: WithCrashes(%d): use at least 1", n)
		}
		c.crashes = n
		return nil
	}
}

// WithMaxTasks limits the number of outstanding tasks of the namespace. Submits beyond the limit
// return [taskmanager.ErrQueueFull]. The limit is stored with the namespace: it applies until
// another client sets a different one. A negative n removes it.
func WithMaxTasks(n int64) Option {
	return func(c *config) error {
		if n == 0 {
			return errors.New("nats: WithMaxTasks(0): use at least 1, or a negative number for no limit")
		}
		c.maxTasks = max(n, -1)
		return nil
	}
}

// WithMaxBytes limits the size of the outstanding tasks of the namespace, including their headers,
// in bytes. Otherwise it is like [WithMaxTasks]. Dead letters do not count.
func WithMaxBytes(n int64) Option {
	return func(c *config) error {
		if n == 0 {
			return errors.New("nats: WithMaxBytes(0): use at least 1, or a negative number for no limit")
		}
		c.maxBytes = max(n, -1)
		return nil
	}
}

// WithDeadFor sets how long dead letters are kept. The default is 30 days, the minimum one second.
// Like the limit of [WithMaxTasks], the duration is stored with the namespace.
func WithDeadFor(d time.Duration) Option {
	return func(c *config) error {
		if d < time.Second {
			return fmt.Errorf("nats: WithDeadFor(%v): use at least 1s", d)
		}
		c.deadFor = d
		return nil
	}
}

// WithCodec sets the codec of payloads and results. The default is [JSON].
func WithCodec(codec Codec) Option {
	return func(c *config) error {
		c.codec = codec
		return validCodec(codec)
	}
}

// WithObserver adds observers of submits: those that implement [observe.SubmitObserver]. An
// [observe.OTel] emits the spans of submits. Without one, the client uses the OpenTelemetry
// providers that are installed when the program calls [Open]. Executions are reported to the
// observers of the worker's manager.
func WithObserver(observers ...observe.Observer) Option {
	return func(c *config) error {
		for _, o := range observers {
			if o == nil {
				return errors.New("nats: WithObserver: nil observer; leave it out")
			}
		}
		c.observers = append(c.observers, observers...)
		return nil
	}
}

// WithLogger sets the logger. The default, nil, logs nothing. Payloads are never logged.
func WithLogger(l taskmanager.Logger) Option {
	return func(c *config) error {
		c.logger = l
		return nil
	}
}

// WithClock sets the clock of this process, for tests. The default is [time.Now]. The package
// compares it with the server's clock, and compensates for the difference. It does not affect
// timeouts.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("nats: WithClock: nil clock; pass time.Now")
		}
		c.clock = now
		return nil
	}
}

// ConnOptions returns options for [natsgo.Connect] that suit this package: after the loss of a
// connection, the client reconnects without a limit of attempts, with random waits between them.
// Events are logged to l, which may be nil. Add your own options for credentials and TLS:
//
//	nc, err := natsgo.Connect(url, append(nats.ConnOptions(log), natsgo.UserCredentials(file))...)
//
// The first connection is not retried, so wrong credentials are reported at once. If the
// credentials become invalid later, the server closes the connection. The client then tries to
// reconnect until it succeeds, and logs an error at most every ten seconds. Meanwhile submits wait
// for a connection as long as their contexts permit.
func ConnOptions(l taskmanager.Logger) []natsgo.Option {
	log := logger{l}
	refusals := &rateLog{to: log}
	return []natsgo.Option{
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(250 * time.Millisecond),
		natsgo.ReconnectJitter(250*time.Millisecond, time.Second),
		natsgo.IgnoreAuthErrorAbort(), // credentials may be exchanged while the server restarts
		natsgo.PingInterval(10 * time.Second),
		natsgo.MaxPingsOutstanding(2),
		natsgo.DisconnectErrHandler(func(_ *natsgo.Conn, err error) {
			if err != nil {
				log.errorf("nats: connection lost: %s", clean(err.Error(), errorLimit))
			}
		}),
		natsgo.ReconnectHandler(func(nc *natsgo.Conn) { log.infof("nats: connected again to %s", nc.ConnectedUrlRedacted()) }),
		natsgo.ErrorHandler(func(_ *natsgo.Conn, sub *natsgo.Subscription, err error) {
			if badCredentials(err) {
				refusals.errorf("credentials", "nats: the server refuses the credentials of the connection, which is tried again until they are valid; correct those of this program or those of the server: %s", clean(err.Error(), errorLimit))
				return
			}
			subject := ""
			if sub != nil {
				subject = " of subscription " + quote(sub.Subject)
			}
			log.errorf("nats: error%s: %s", subject, clean(err.Error(), errorLimit))
		}),
	}
}
