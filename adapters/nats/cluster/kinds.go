package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

const (
	kindsTime  = 2500 * time.Millisecond // for a count, of the five seconds that a dashboard has for an answer
	kindsPause = 30 * time.Second        // after a count that takes longer
)

// kindCounter counts the tasks by kind, if that does not take too long: its cost is linear in the
// number of tasks that wait without a process for their kind. It is safe for concurrent use.
type kindCounter struct {
	count func(ctx context.Context) ([]nats.KindInfo, error)

	mu   sync.Mutex // guards next; not held during a count
	next time.Time  // before which there is no count
}

// kinds returns the kinds. It returns false if there are too many tasks to count them.
func (k *kindCounter) kinds(ctx context.Context) (list []nats.KindInfo, ok bool, err error) {
	k.mu.Lock()
	pausing := time.Now().Before(k.next)
	k.mu.Unlock()
	if pausing {
		return nil, false, nil
	}
	counting, stop := context.WithTimeout(ctx, kindsTime)
	defer stop()
	list, err = k.count(counting)
	if err != nil && counting.Err() != nil && ctx.Err() == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.next = time.Now().Add(kindsPause)
		return nil, false, nil
	}
	return list, err == nil, err
}
