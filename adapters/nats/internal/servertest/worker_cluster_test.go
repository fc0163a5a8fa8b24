package servertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

// TestDrainInACluster drains workers while tasks are under way to them from another server. Each such task would
// otherwise stand still until its lease has ended.
func TestDrainInACluster(t *testing.T) {
	t.Parallel()
	servers := serveCluster(t)
	const tasks, kinds = 4000, 8
	var ran ledger
	var workers []*testWorker
	for _, s := range servers {
		c := open(t, connect(t, s), nats.WithReplicas(3), nats.WithLease(never))
		if workers == nil {
			for batch := range tasks / 500 {
				items := make([]nats.Item[string], 500)
				for i := range items {
					items[i].Name = fmt.Sprint("task ", batch*500+i)
					items[i].Options = []nats.SubmitOption{nats.WithKind(fmt.Sprint("kind", i%kinds))}
				}
				if _, err := nats.SubmitAll(soon(t), c, items); err != nil {
					t.Fatal(err)
				}
			}
		}
		w := newWorker(t, c, 64)
		for i := range kinds {
			handle(t, w, fmt.Sprint("kind", i), func(_ context.Context, _ string) error {
				ran.add("")
				return nil
			})
		}
		workers = append(workers, w)
	}
	for i, w := range workers {
		before := len(ran.all())
		w.run(t)
		if i == len(workers)-1 {
			break
		}
		ran.waitFor(t, before+1)
		if drained, err := w.drain(t); drained != nil || err != nil {
			t.Fatalf("worker %d: Drain returned %v, and Run %v", i, drained, err)
		}
	}
	ran.waitFor(t, tasks) // no lease ends by then
}
