//go:build linux

package e2ecluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// Over three processes, no more tasks of a key run than the limit, also after one of the processes was killed.
func TestKeyLimit(t *testing.T) {
	c := launch(t, settings{})
	const limit, busy, free = 2, 24, 24
	held := c.hold(limit, job.Keyed, nats.WithKey("acme"))
	for i := range busy {
		c.submit(fmt.Sprint("busy/", i), job.Keyed, job.Job{Work: 60 * time.Millisecond}, nats.WithKey("acme"))
	}
	for i := range free {
		c.submit(fmt.Sprint("free/", i), job.Keyed, job.Job{Work: 60 * time.Millisecond}, nats.WithKey(fmt.Sprint("other/", i)))
	}
	var workers []*process
	for i := range 3 {
		workers = append(workers, c.worker(fmt.Sprint("w", i), "-key-limit", fmt.Sprint(limit)))
	}
	c.letGo(held)
	c.await(busy, ledger.End, "")
	workers[0].kill()
	c.balance(patience)
	runs := c.runs("")
	acme := ledger.Select(runs, func(r ledger.Run) bool { return r.Text == "acme" })
	if peak := ledger.Peak(acme); peak != limit {
		t.Errorf("at most %d tasks of the key at once, want %d", peak, limit)
	}
	t.Logf("%d tasks of one key with a limit of %d, at most %d at once, took %v; the last of the others ended %v after the first started",
		busy, limit, ledger.Peak(acme), span(acme), span(ledger.Select(runs, func(r ledger.Run) bool { return r.Text != "acme" })))
}

// hold submits n tasks that last until they are cancelled, so that n run at once for certain. It returns their names.
func (c *cluster) hold(n int, kind string, options ...nats.SubmitOption) (names []string) {
	c.t.Helper()
	for i := range n {
		names = append(names, fmt.Sprint("held/", i))
		c.submit(names[i], kind, job.Job{Stays: 1000}, options...)
	}
	return names
}

// letGo cancels tasks when all of them run.
func (c *cluster) letGo(names []string) {
	c.t.Helper()
	for _, name := range names {
		c.await(1, ledger.Start, name)
	}
	for _, name := range names {
		c.cancel(name)
	}
}

// span returns the time from the first start to the last end.
func span(runs []ledger.Run) time.Duration {
	if len(runs) == 0 {
		return 0
	}
	from, to := runs[0].From, runs[0].To
	for _, r := range runs {
		from, to = min(from, r.From), max(to, r.To)
	}
	return since(from, to).Round(time.Millisecond)
}

// Over three processes, no more tasks of a kind run than the limit.
func TestKindLimit(t *testing.T) {
	c := launch(t, settings{})
	const limit, n = 3, 45
	held := c.hold(limit, job.Few)
	for i := range n {
		c.submit(fmt.Sprint("few/", i), job.Few, job.Job{Work: 80 * time.Millisecond}, level(i))
	}
	for i := range 3 {
		c.worker(fmt.Sprint("w", i), "-kind-limit", fmt.Sprint(limit))
	}
	c.submit("beside", job.Plain, job.Job{})
	c.letGo(held)
	c.balance(patience)
	few := ledger.Select(c.runs(""), func(r ledger.Run) bool { return r.Kind == job.Few })
	if peak := ledger.Peak(few); peak != limit {
		t.Errorf("at most %d tasks of the kind at once, want %d", peak, limit)
	}
	t.Logf("%d tasks of 80ms with a limit of %d, at most %d at once, took %v", n, limit, ledger.Peak(few), span(few))
}
