//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// The status comes from all processes. One that has died is named, and the rest of the answer is there.
func TestStatusWithADeadProcess(t *testing.T) {
	c := launch(t, settings{lease: 10 * time.Second})
	w1 := c.worker("w1", "-workers", "1")
	c.submit("on-w1", job.Plain, job.Job{Work: time.Hour})
	c.await(1, ledger.Start, "on-w1")
	c.worker("w2", "-workers", "1")
	c.submit("on-w2", job.Plain, job.Job{Work: time.Hour})
	c.await(1, ledger.Start, "on-w2")
	c.submit("waits", job.Plain, job.Job{})
	c.submit("later", job.Again, job.Job{}, nats.WithDelay(time.Hour))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ids := map[string]string{}
	processes, err := c.client.Processes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		ids[p.Name] = p.ID
	}
	all, err := c.client.TaskStatus(ctx)
	if err != nil {
		t.Errorf("while all live: %v", err)
	}
	check := func(name, process string, status taskmanager.WorkerStatus) {
		t.Helper()
		if s := all[name]; s.Process != ids[process] || s.Status != status {
			t.Errorf("%q: %v on %q, want %v on %s", name, s.Status, s.Process, status, process)
		}
	}
	check("on-w1", "w1", taskmanager.Running)
	check("on-w2", "w2", taskmanager.Running)
	check("waits", "", taskmanager.NotAssigned)
	check("later", "", taskmanager.NotAssigned)
	if s := all["on-w2"]; s.Progress != 0.5 || s.Description != "half" {
		t.Errorf("progress: %v %q", s.Progress, s.Description)
	}

	w1.kill()
	begun := time.Now()
	all, err = c.client.TaskStatus(ctx)
	took := time.Since(begun)
	partial, ok := errors.AsType[*nats.PartialError](err)
	if !ok || !slices.Equal(partial.Silent, []string{ids["w1"]}) {
		t.Errorf("after the death of %s: %v", ids["w1"], err)
	}
	check("on-w2", "w2", taskmanager.Running)
	if len(all) != 4 {
		t.Errorf("%d tasks, want 4: %v", len(all), all)
	}
	between(t, "the incomplete answer", took, 0, 5*time.Second)
	for _, name := range []string{"waits", "later", "on-w1", "on-w2"} {
		c.cancel(name)
	}
	c.worker("w3")
	c.balance(patience)
	t.Logf("after %v: %v", took, err)
}

// A consumer that has moved past stored tasks is found by the audit and made again, which delivers them.
func TestAuditOfAStrandedConsumer(t *testing.T) {
	c := launch(t, settings{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		t.Fatal(err)
	}
	// A consumer that gives up after one delivery stands in for one that has lost its place.
	stranded, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "w_normal_job", FilterSubject: "tasks.run.normal.job.*", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 200 * time.Millisecond, MaxDeliver: 1, MaxWaiting: 8192,
	})
	if err != nil {
		t.Fatal(err)
	}
	const n = 3
	for i := range n {
		c.submit(fmt.Sprint("stranded/", i), job.Plain, job.Job{})
	}
	batch, err := stranded.Fetch(n)
	if err != nil {
		t.Fatal(err)
	}
	for range batch.Messages() {
	}
	c.until("the consumer to be stranded", func(ctx context.Context) error {
		info, err := stranded.Info(ctx)
		if err == nil && (info.NumAckPending != 0 || info.NumPending != 0) {
			err = fmt.Errorf("%d pending, %d to acknowledge", info.NumPending, info.NumAckPending)
		}
		return err
	})
	begun := time.Now()
	c.worker("w1", "-audit", "1s")
	c.balance(patience)
	t.Logf("all %d ran %v after the worker started", n, time.Since(begun))
}
