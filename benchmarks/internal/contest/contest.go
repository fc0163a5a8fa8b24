// Package contest measures goroutine pools, ours and others, on the same work.
package contest

// Service is what a pool does for a task.
type Service string

// The services. A pool is compared with pools of the same service, or of a lesser one.
const (
	Runs    Service = "runs it"
	Batches Service = "runs batches of 64"
	Names   Service = "knows it by name"
	Answers Service = "returns its result"
)

// Contender is a way to run tasks.
type Contender struct {
	Name    string
	Service Service
	Ours    bool
	// Queues says that a submit never waits for a worker, so that a task may submit
	// others.
	Queues bool
	// Open makes a pool. In a round, the producers submit equal shares of the tasks.
	Open func(workers, producers, tasks int) (Session, error)
}

// open makes the pool for a workload.
func (c Contender) open(w Workload) (Session, error) {
	return c.Open(w.Workers, w.Producers, max(w.Tasks, w.Producers*w.names))
}

// Session is a pool in use.
type Session interface {
	// Submit submits a task n times. It returns when the pool has accepted all of them,
	// or returned all results. Producers are numbered from 0; each calls Submit on a
	// goroutine of its own.
	Submit(producer, n int, task func()) error
	// Close ends an idle pool.
	Close() error
}

// batch is how many tasks a contender submits at once, if it can.
const batch = 64

// Yardstick is the contender that the others are compared with.
const Yardstick = "buffered channel"

// All returns the contenders, each in the newest release of its module.
func All() []Contender { return append(ours(), peers()...) }

// session is a Session made of functions.
type session struct {
	submit func(task func()) error
	close  func() error
}

// Submit calls submit n times.
func (s session) Submit(_, n int, task func()) error {
	for range n {
		if err := s.submit(task); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the pool.
func (s session) Close() error { return s.close() }
