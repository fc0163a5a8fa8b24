//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// loseLeader kills the server that leads the tasks after n of them were accepted, closes killed, and starts the server
// again.
func (c *cluster) loseLeader(n int, killed chan<- struct{}) {
	c.t.Helper()
	c.await(n, ledger.Accepted, "")
	s := c.leader()
	s.kill()
	close(killed)
	c.restart(s)
}

// awaitKill waits for what closes killed, or for the end of ctx.
func awaitKill(ctx context.Context, killed <-chan struct{}) {
	select {
	case <-killed:
	case <-ctx.Done():
	}
}

// Results arrive although the server that leads is killed, and a worker too.
func TestResults(t *testing.T) {
	c := launch(t, settings{servers: 3})
	first := c.worker("w0", "-workers", "4")
	c.worker("w1", "-workers", "4")
	const n, callers = 120, 6
	killed := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var all sync.WaitGroup
	for g := range callers {
		all.Go(func() {
			for i := g; i < n; i += callers {
				if i >= n*3/4 {
					awaitKill(ctx, killed)
				}
				if got, err := c.square(ctx, i); err != nil || got != i*i {
					t.Errorf("the square of %d is %d, %v", i, got, err)
				}
			}
		})
	}
	c.loseLeader(n/4, killed)
	c.await(n/2, ledger.Accepted, "")
	first.kill()
	all.Wait()
	c.balance(patience)
	c.report(n)
}

// square submits a task that squares a number, and waits for its result.
func (c *cluster) square(ctx context.Context, i int) (int, error) {
	name := fmt.Sprint("square/", i)
	line := ledger.Line{Event: ledger.Try, Name: name, ID: name + ".1"}
	c.account.Write(line)
	future, err := nats.Async[int](ctx, c.client, name, job.Job{ID: line.ID, N: i, Work: 20 * time.Millisecond},
		nats.WithKind(job.Square), nats.WithID(line.ID), nats.WithResult(time.Minute))
	if err != nil {
		return 0, err
	}
	line.Event = ledger.Accepted
	c.account.Write(line)
	return future.Result(ctx)
}

// Batches are stored as a whole, though the server that leads is killed while they are submitted. A batch whose
// outcome is unknown is submitted again with the same id.
func TestBatches(t *testing.T) {
	c := launch(t, settings{servers: 3})
	c.worker("w0", "-workers", "8")
	const batches, size = 20, 50
	killed := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		for b := range batches {
			if b >= batches*3/4 {
				awaitKill(ctx, killed)
			}
			if err := c.batch(ctx, b, size); err != nil {
				t.Errorf("batch %d: %v", b, err)
			}
		}
	})
	c.loseLeader(batches*size/4, killed)
	all.Wait()
	c.balance(patience)
	c.report(batches * size)
}

// batch submits a batch until its outcome is known.
func (c *cluster) batch(ctx context.Context, b, size int) error {
	items := make([]nats.Item[job.Job], size)
	note := func(e ledger.Event) {
		for _, item := range items {
			c.account.Write(ledger.Line{Event: e, Name: item.Name, ID: item.In.ID})
		}
	}
	for i := range items {
		name := fmt.Sprintf("batch/%d/%d", b, i)
		items[i] = nats.Item[job.Job]{Name: name, In: job.Job{ID: name + ".1"}}
	}
	note(ledger.Try)
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := nats.SubmitAll(try, c.client, items, nats.WithKind(job.Plain), nats.WithID(fmt.Sprint("batch-", b)))
		cancel()
		if err == nil {
			note(ledger.Accepted)
		}
		if err == nil || ctx.Err() != nil || !errors.Is(err, nats.ErrUnknownOutcome) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}
