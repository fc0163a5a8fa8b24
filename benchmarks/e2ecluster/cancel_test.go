//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// level returns one of the three levels.
func level(i int) nats.SubmitOption {
	return nats.WithPriority([]nats.Priority{nats.Low, nats.Normal, nats.High}[i%3])
}

// A task is cancelled in another process: while it runs, while it waits for a worker, while it is delayed, and
// when it is delivered after its worker has died. Its name is free then.
func TestCancel(t *testing.T) {
	c := launch(t, settings{lease: 4 * time.Second})
	w1 := c.worker("w1", "-workers", "1")
	c.submit("delayed", job.Again, job.Job{}, nats.WithDelay(time.Hour))
	c.awaitDeliveries(1, "w_normal_again") // while the worker has room, so that it has given the task back
	c.submit("running", job.Plain, job.Job{Work: time.Hour})
	c.await(1, ledger.Start, "running")
	c.submit("waiting", job.Plain, job.Job{})

	begun := time.Now()
	c.cancel("delayed")
	c.cancel("waiting")
	c.cancel("running")
	ended := c.await(1, ledger.Cancelled, "running")[0]
	between(t, "cancelling all three", ended.Time().Sub(begun), 0, 5*time.Second)
	c.balance(patience)

	for _, name := range []string{"running", "waiting", "delayed"} { // the names are free
		c.submit(name, job.Plain, job.Job{ID: name + ".2"})
	}
	c.balance(patience)

	w1.kill() // it is in the list of processes for a while, so that nobody knows whether it holds the task
	c.submit("delivered", job.Plain, job.Job{})
	c.cancel("delivered")
	c.worker("w2")
	c.balance(patience)
	if runs := c.runs("delivered"); len(runs) != 0 {
		t.Errorf("a cancelled task ran:\n%s", c.story("delivered"))
	}
	for _, r := range ledger.Select(c.runs(""), func(r ledger.Run) bool { return r.ID == "waiting.1" || r.ID == "delayed.1" }) {
		t.Errorf("a cancelled task ran:\n%s", c.story(r.Name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if found, err := c.client.Cancel(ctx, "nobody"); found || err != nil {
		t.Errorf("cancelling what is not there: %v, %v", found, err)
	}
	t.Logf("the task that ran ended %v after the three calls began", ended.Time().Sub(begun))
}

// A task that its worker took with it when it was killed is cancelled when it is delivered again.
func TestCancelOfATaskWhoseWorkerDied(t *testing.T) {
	c := launch(t, settings{})
	w1 := c.worker("w1")
	task := c.submit("orphan", job.Plain, job.Job{Work: time.Hour}, nats.WithResult(time.Minute))
	c.await(1, ledger.Start, "orphan")
	w1.kill()
	c.cancel("orphan")
	c.worker("w2")
	c.balance(patience)
	if runs := c.runs("orphan"); len(runs) != 1 {
		t.Errorf("a cancelled task ran again:\n%s", c.story("orphan"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := task.Wait(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the result of a cancelled task: %v", err)
	} else {
		t.Logf("the result: %v", err)
	}
}
