// Package contest has pools of goroutines, ours and those of others, do the same work, and
// measures them.
package contest

// Service is what a pool does with a task.
type Service string

// The services. Pools are compared with those that do the same, or less.
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
	// Queues says that a submit does not wait for a worker, however many tasks wait.
	// So a task may submit others, too.
	Queues bool
	// Open makes a pool of some workers, for rounds of so many tasks, by so many producers
	// with names for equal shares of them.
	Open func(workers, producers, tasks int) (Session, error)
}

// open makes a pool for a workload.
func (c Contender) open(w Workload) (Session, error) {
	return c.Open(w.Workers, w.Producers, max(w.Tasks, w.Producers*w.names))
}

// Session is a pool that is in use.
type Session interface {
	// Submit has a task executed n times, and returns when the pool has taken them all, or
	// given all the results. Producers have numbers from 0 on; each calls it on a goroutine
	// of its own.
	Submit(producer, n int, task func()) error
	// Close ends the pool, which has nothing to do any more.
	Close() error
}

// batch is how many tasks those contenders submit at once that take several.
const batch = 64

// Yardstick is the contender that the others are measured against.
const Yardstick = "buffered channel"

// All lists the contenders, each in the newest release of its module.
func All() []Contender { return append(ours(), peers()...) }

// session is one made of functions.
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
