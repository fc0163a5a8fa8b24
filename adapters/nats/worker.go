package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Worker runs tasks of the namespace of a client through a manager of this process. [NewWorker]
// makes it, [Handle] registers the handlers, and [Worker.Run] runs it, once. It is safe for
// concurrent use.
//
// The manager decides how many tasks run at once and in which order. Its middleware, observers and
// logger apply, and it may run other tasks too. The worker takes as many tasks as the manager has
// free workers, and in addition those of [WithAhead]. If the manager has [taskmanager.NoMaximum] of
// workers, it takes at most about 1,024 at a time, plus those of WithAhead. It takes no further ones
// while as many have ended and the server has not confirmed their ends.
type Worker struct {
	c    *Client
	m    *taskmanager.TaskManager
	cfg  workerConfig
	id   string // of this process and worker
	logs *rateLog

	// Run sets these before it starts goroutines.
	began  time.Time // by the server's clock
	puller *puller
	asks   *asker
	subs   []*natsgo.Subscription
	life   context.Context // of everything that settles tasks
	end    context.CancelFunc

	ends struct {
		mu    sync.Mutex
		list  []end         // tasks that have ended and are not settled yet, in their order
		ready chan struct{} // has a token if the list is not empty and nobody works on it
	}

	background struct {
		mu     sync.Mutex
		closed bool // nothing is added any more
		wg     sync.WaitGroup
	}

	transit atomic.Int64 // deliveries that need room and are not submitted yet

	drain, force, finished chan struct{} // closed by Drain, at the end of its context, and by Run
	drainOnce, forceOnce   sync.Once
	cut                    chan struct{}           // closed when the connection is closed for good
	left                   *taskmanager.DrainError // set before finished is closed

	// mu guards the rest, and the fields of deliveries that say so. No call is made while it is held, except by
	// describe. Each delivery is in held from its arrival until it is settled; byID has those of them that the
	// process answers for.
	mu       sync.Mutex
	kinds    map[string]*kind
	started  bool
	draining bool
	held     map[*delivery]struct{}
	ended    int // how many of held are over
	byID     map[string]*delivery
	cancels  map[string]time.Time // ids of cancelled tasks, and when that became known
	recent   map[string]int       // ids of tasks that have ended here, and their place in ring
	ring     [recentIDs]string
	next     int           // the place in ring of the next id
	emptied  chan struct{} // closed when held becomes empty; nil: nobody waits
	full     bool          // the puller waits for deliveries to be settled
}

// workerConfig holds the options of a worker.
type workerConfig struct {
	ahead      int
	name       string
	auditEvery time.Duration
}

// WorkerOption configures a worker. If an option is given twice, the last one applies.
type WorkerOption func(*workerConfig) error

// WithAhead makes the worker take n more tasks than can run, so that the discipline of its manager
// orders them, by priority or key for example. These tasks wait in this process even if other
// workers are idle. The default is 0.
func WithAhead(n int) WorkerOption {
	return func(c *workerConfig) error {
		c.ahead = n
		if n < 0 {
			return fmt.Errorf("nats: WithAhead(%d): use 0 or more", n)
		}
		return nil
	}
}

// WithProcessName sets the name of this process in [Client.Processes]. The default is the host name
// and the process id, as in host/42.
func WithProcessName(name string) WorkerOption {
	return func(c *workerConfig) error {
		c.name = clean(name, nameLimit)
		return nil
	}
}

// WithAuditEvery sets the interval at which the worker audits the namespace; see [Client.Audit].
// The minimum is 100 ms; the default is a minute.
func WithAuditEvery(d time.Duration) WorkerOption {
	return func(c *workerConfig) error {
		c.auditEvery = d
		if d < 100*time.Millisecond {
			return fmt.Errorf("nats: WithAuditEvery(%v): use at least 100ms", d)
		}
		return nil
	}
}

// NewWorker returns a worker that runs tasks of the namespace of c through m. A process may have
// several workers, each with its own manager or with a common one. An error describes invalid
// arguments.
func NewWorker(c *Client, m *taskmanager.TaskManager, opts ...WorkerOption) (*Worker, error) {
	var errs []error
	if c == nil {
		errs = append(errs, errors.New("nats: NewWorker: nil client; make one with Open"))
	}
	if m == nil {
		errs = append(errs, errors.New("nats: NewWorker: nil manager; make one with taskmanager.Start"))
	}
	cfg := workerConfig{auditEvery: time.Minute}
	for _, o := range opts {
		if o == nil {
			errs = append(errs, errors.New("nats: nil WorkerOption; leave it out"))
			continue
		}
		errs = append(errs, o(&cfg))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	w := &Worker{
		c: c, m: m, cfg: cfg, id: nuid.Next(), logs: &rateLog{to: c.log},
		drain: make(chan struct{}), force: make(chan struct{}), finished: make(chan struct{}), cut: make(chan struct{}),
		kinds: make(map[string]*kind), held: make(map[*delivery]struct{}), byID: make(map[string]*delivery),
		cancels: make(map[string]time.Time), recent: make(map[string]int),
	}
	w.ends.ready = make(chan struct{}, 1)
	return w, nil
}

// ID returns the id of the worker, which is also the ID of its [Process].
func (w *Worker) ID() string { return w.id }

// Run takes tasks and runs them until one of these events:
//
//   - [Worker.Drain] is called. Run returns nil when everything is settled with the server.
//   - ctx ends. Run cancels the running tasks with the cause [ErrDraining] and gives them back.
//     When that is settled, it returns the cause of ctx, joined with a [*taskmanager.DrainError] if
//     tasks did not return.
//   - The manager is closed, drained or stopped. Run gives back the tasks that the manager does not
//     finish, and returns an error that wraps [taskmanager.ErrStopped].
//   - The connection is closed for good. Run cancels the running tasks, and returns an error that
//     wraps [natsgo.ErrConnectionClosed].
//
// Run returns an error at the start if no kind has a handler, if streams or permissions are
// missing, or if a kind limit is introduced or removed while other workers handle the kind and may
// run its tasks; drain these workers first. After the start, Run survives failures of the server
// and the connection, and logs them. A worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	if w == nil || w.c == nil {
		return errors.New("nats: Run: not a worker; make one with NewWorker")
	}
	if err := checkContext(ctx, "run a worker"); err != nil {
		return err
	}
	w.mu.Lock()
	switch {
	case w.started:
		w.mu.Unlock()
		return errors.New("nats: Run: the worker has run already; make another one with NewWorker")
	case len(w.kinds) == 0:
		w.mu.Unlock()
		return errors.New("nats: Run: no kind has a handler; register one with Handle")
	}
	w.started = true
	w.mu.Unlock()
	defer close(w.finished)
	w.life, w.end = context.WithCancel(context.WithoutCancel(ctx))
	defer w.end()
	stop := make(chan struct{})
	err := w.setUp(ctx)
	if errors.Is(err, ErrDraining) { // before anything ran
		err = nil
	} else if err == nil {
		settler := make(chan struct{})
		go func() { defer close(settler); w.settleEnds(stop) }()
		err = w.work(ctx)
		close(stop)
		<-settler
	}
	w.tearDown()
	return err
}

// work pulls until the worker is to end, and then settles what is here. It returns the result of Run.
func (w *Worker) work(ctx context.Context) error {
	pulling, halt := context.WithCancel(ctx)
	defer halt()
	pulled := make(chan error, 1)
	go func() { pulled <- w.puller.run(pulling) }()
	present, leave := context.WithCancel(w.life)
	var helpers sync.WaitGroup
	helpers.Go(func() { w.stayPresent(present) })
	helpers.Go(func() { w.followConnection(present) })
	helpers.Go(func() { w.auditRegularly(pulling) })
	ticking, quiet := context.WithCancel(w.life)
	helpers.Go(func() { w.tick(ticking) })

	var result error
	select {
	case <-w.drain:
	case <-ctx.Done():
	case <-w.cut:
	case result = <-pulled:
		pulled <- result
	}
	halt()
	result = w.resultOf(ctx, <-pulled)
	w.mu.Lock()
	w.draining = true
	w.mu.Unlock()
	w.stopPulling()
	left := w.settleAll(ctx)
	leave()
	quiet()
	helpers.Wait()
	w.left = left
	if left != nil && result != nil {
		return errors.Join(result, left)
	}
	return result
}

// resultOf returns the result of Run for an end of the puller.
func (w *Worker) resultOf(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, taskmanager.ErrStopped):
		return fmt.Errorf("nats: the manager of the worker has ended: %w", taskmanager.ErrStopped)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	select {
	case <-w.cut:
		return fmt.Errorf("nats: the connection of the worker is closed: %w", natsgo.ErrConnectionClosed)
	default:
		return nil
	}
}

// stopPulling ends the subscription for tasks. Tasks that arrive until then are given back.
func (w *Worker) stopPulling() {
	if !w.c.nc.IsConnected() || w.puller.sub.Drain() != nil {
		_ = w.puller.sub.Unsubscribe() // nothing comes
		return
	}
	closed := w.puller.sub.StatusChanged(natsgo.SubscriptionClosed)
	timer := time.NewTimer(settleTimeout)
	defer timer.Stop()
	for w.puller.sub.IsValid() {
		select {
		case <-closed:
			return
		case <-timer.C:
			return
		}
	}
}

// spawn runs f on a goroutine that tearDown waits for. It does nothing afterwards.
func (w *Worker) spawn(f func()) {
	w.background.mu.Lock()
	defer w.background.mu.Unlock()
	if !w.background.closed {
		w.background.wg.Go(f)
	}
}

// tearDown ends what setUp has begun, and waits for all goroutines but those of handlers.
func (w *Worker) tearDown() {
	for _, s := range w.subs {
		_ = s.Unsubscribe() // an error means that the connection is closed
	}
	w.end()
	w.background.mu.Lock()
	w.background.closed = true
	w.background.mu.Unlock()
	w.background.wg.Wait()
	if w.puller != nil && w.puller.sub != nil {
		_ = w.puller.sub.Unsubscribe()
	}
	if w.asks != nil {
		_ = w.asks.sub.Unsubscribe()
	}
}

// Drain ends the worker: it takes no more tasks, and waits for the running ones. When ctx ends, it
// cancels them with the cause [ErrDraining] and gives them back, so that other workers run them.
// They have a tenth of the lease to return, and at least 100 ms. A [*taskmanager.DrainError] names
// the tasks that have not returned in that time. The worker gives up their leases, so they run
// elsewhere when these have expired.
//
// Drain returns when everything is settled with the server, or five seconds after that time if this
// is not possible. It may be called more than once, and before Run, which then returns at once.
// Drain does not drain the manager. A handler that calls Drain of its own worker waits for itself:
// pass a context that ends, or call Drain elsewhere.
func (w *Worker) Drain(ctx context.Context) error {
	if w == nil || w.c == nil {
		return errors.New("nats: Drain: not a worker; make one with NewWorker")
	}
	if ctx == nil {
		return taskmanager.ErrNilContext
	}
	w.drainOnce.Do(func() { close(w.drain) })
	w.mu.Lock()
	started := w.started
	w.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-w.finished:
	case <-ctx.Done():
		w.forceOnce.Do(func() { close(w.force) })
		<-w.finished
	}
	if w.left != nil {
		left := *w.left
		if ctx.Err() != nil {
			left.Err = context.Cause(ctx)
		}
		return &left
	}
	return nil
}
