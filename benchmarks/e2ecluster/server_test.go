//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// submitAll submits tasks on four goroutines. The last sixth of them waits until release is called, so that they come after
// a fault. wait waits until all are accepted.
func (c *cluster) submitAll(n int, in job.Job) (release, wait func()) {
	var all sync.WaitGroup
	held := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	for g := range 4 {
		all.Go(func() {
			for i := g; i < n; i += 4 {
				if i >= n*5/6 {
					select {
					case <-held:
					case <-ctx.Done():
					}
				}
				in := in
				in.ID = fmt.Sprintf("load/%d.1", i)
				if _, err := c.Submit(ctx, fmt.Sprint("load/", i), in, nats.WithKind(job.Plain)); err != nil {
					c.t.Errorf("task %d: %v", i, err)
				}
			}
		})
	}
	return func() { close(held) }, func() {
		c.t.Helper()
		all.Wait()
		cancel()
	}
}

// report logs how often tasks ran.
func (c *cluster) report(n int) {
	c.t.Helper()
	c.t.Logf("%d accepted of %d, %d executions, %d of them second or later", len(c.find(ledger.Accepted, "")), n, len(c.runs("")),
		len(ledger.Select(c.runs(""), func(r ledger.Run) bool { return r.Attempt > 1 })))
}

// A server loses nothing that it has accepted, though it is stopped once and killed three times while tasks are submitted
// and run. A task that its consumer has forgotten is found by the audit. This shows nothing of the syncs, since the system
// has what a killed process has written: the tests of package embed cut the power.
func TestServerKilled(t *testing.T) {
	c := launch(t, settings{always: true})
	for i := range 2 {
		c.worker(fmt.Sprint("w", i), "-workers", "8", "-audit", "2s")
	}
	const n = 600
	release, wait := c.submitAll(n, job.Job{Work: 20 * time.Millisecond})
	ends := []func(){c.servers[0].terminate, nil, nil, nil}
	for i, end := range ends {
		c.await((i+1)*n/6, ledger.Accepted, "")
		if end == nil {
			c.servers[0].kill()
		} else {
			end()
			c.servers[0].wait()
		}
		if i == len(ends)-1 {
			release()
		}
		c.restart(c.servers[0])
	}
	wait()
	c.balance(patience)
	c.report(n)
}

// Three servers lose nothing that they have accepted when the leader of the tasks is killed, twice.
func TestLeaderKilled(t *testing.T) {
	c := launch(t, settings{servers: 3, always: true})
	for i := range 2 {
		c.worker(fmt.Sprint("w", i), "-workers", "8")
	}
	const n = 400
	release, wait := c.submitAll(n, job.Job{Work: 20 * time.Millisecond})
	for i := range 2 {
		c.await((i+1)*n/4, ledger.Accepted, "")
		s := c.leader()
		s.kill()
		if i == 1 {
			release()
		}
		c.awaitLeader(s.name)
		c.restart(s)
	}
	wait()
	c.balance(2 * patience)
	c.report(n)
}

// leader returns the server that leads the stream of tasks.
func (c *cluster) leader() *server {
	c.t.Helper()
	return c.awaitLeader("")
}

// awaitLeader returns the server that leads the stream of tasks, once it is another one than before.
func (c *cluster) awaitLeader(before string) (s *server) {
	c.t.Helper()
	c.until("a leader of the stream", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		info, err := c.stored(ctx)
		if err != nil {
			return err
		}
		for _, s = range c.servers {
			if info.Cluster != nil && s.name == info.Cluster.Leader && s.name != before {
				return nil
			}
		}
		return errors.New("there is none")
	})
	return s
}

// Sixty-four submitters in four processes race for each name, half of them under another kind, while the server
// that leads is killed. Exactly one of them is accepted. The race for the last fifth of the names begins when the server has
// been killed.
func TestSubmittersRace(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprintf("R%d", servers), func(t *testing.T) {
			c := launch(t, settings{servers: servers, always: true})
			const names, processes, each = 25, 4, 16
			var all []*process
			for i := range processes {
				all = append(all, c.start("submitter", fmt.Sprint("s", i),
					c.flags(c.url(), "-names", fmt.Sprint(names), "-submitters", fmt.Sprint(each))...))
			}
			for _, p := range all {
				p.send()
			}
			c.await(names/3, ledger.Accepted, "")
			s := c.leader()
			s.kill()
			for _, p := range all {
				p.send()
			}
			c.restart(s)
			for _, p := range all {
				p.wait()
			}
			killed := ledger.Select(c.find(ledger.Kill, ""), func(l ledger.Line) bool { return l.Process == s.name })[0]
			after := ledger.Select(c.find(ledger.Try, ""), func(l ledger.Line) bool { return l.At > killed.At })
			if least := names / 5 * processes * each; len(after) < least {
				t.Errorf("%d submits began after the kill, want at least %d", len(after), least)
			}
			info, err := c.stored(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			won, refused := c.find(ledger.Accepted, ""), c.find(ledger.Refused, "")
			if info.State.Msgs != names || len(won) != names || len(refused) != names*(processes*each-1) {
				t.Errorf("%d stored, %d accepted, %d refused, want %d names, each accepted once", info.State.Msgs, len(won), len(refused), names)
			}
			c.worker("w1")
			c.balance(patience)
			t.Logf("%d submits of %d names: %d accepted, %d refused; %d began after the kill", len(c.find(ledger.Try, "")), names, len(won), len(refused), len(after))
		})
	}
}

// A server that is slow, since it syncs thousands of messages that came at once, sends tasks long after it has begun to
// count their leases. A worker that gets one of those does not run it while another worker does.
func TestSlowServer(t *testing.T) {
	c := launch(t, settings{lease: time.Second, always: true, crashes: 1000})
	for i := range 2 {
		c.worker(fmt.Sprint("w", i), "-workers", "50")
	}
	const tasks, burst = 15, 3000
	flood := c.connect(c.url())
	stall := time.Duration(0)
	for i := range tasks {
		begun := time.Now()
		c.submit(fmt.Sprint("task/", i), job.Plain, job.Job{Work: 3 * time.Second})
		stall = max(stall, time.Since(begun))
		for n := range burst {
			if err := flood.Publish(fmt.Sprintf("tasks.run.normal.nobody.%d-%d", i, n), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.await(tasks, ledger.End, "")
	c.until("the flood to be removed", func(ctx context.Context) error {
		s, err := c.js.Stream(ctx, "tasks")
		if err != nil {
			return err
		}
		return s.Purge(ctx, jetstream.WithPurgeSubject("tasks.run.normal.nobody.*"))
	})
	c.balance(patience)
	t.Logf("%d executions of %d tasks; a submit took up to %v", len(c.runs("")), tasks, stall)
}
