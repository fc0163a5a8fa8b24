//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// bound is a limit of a kind, or of a key of a kind.
type bound struct {
	kind, key string
	limit     int
}

func (b bound) String() string {
	if b.key == "" {
		return b.kind
	}
	return b.kind + "/" + b.key
}

// chaosKey returns the i-th key.
func chaosKey(i int) string { return fmt.Sprint("key/", i) }

// chaosBounds returns all limits.
func chaosBounds() []bound {
	bounds := []bound{{kind: job.Few, limit: chaosFew}}
	for i := range chaosKeys {
		bounds = append(bounds, bound{job.Keyed, chaosKey(i), chaosKeyLimit})
	}
	return bounds
}

// quiet is the end of TestChaos, when all workers run and nothing is at fault. For each limit there are two tasks more
// than may run at once, and none of them ends by itself. So exactly the limit runs, and two tasks wait. One of those is
// cancelled and never runs; the other one runs once a task that ran is cancelled.
func (c *chaos) quiet() {
	c.occupyAll()
	bounds := chaosBounds()
	for _, b := range bounds {
		for i := range b.limit + 2 {
			c.submit(quietName(b, i), b.kind, job.Job{Work: time.Hour}, nats.WithKey(b.key))
		}
	}
	var first, never, then, rest []string // to cancel
	for _, b := range bounds {
		running := c.awaitRunning(b)
		waiting := slices.DeleteFunc(quietNames(b), func(name string) bool { return slices.Contains(running, name) })
		never, then = append(never, waiting[0]), append(then, waiting[1])
		first, rest = append(first, running[0]), append(rest, running[1:]...)
	}
	// Workers that would exceed a limit have time to do so while another task runs.
	c.submit("quiet/beside", job.Plain, job.Job{})
	c.await(1, ledger.End, "quiet/beside")
	c.cancelAll(never)
	c.cancelAll(first)
	for _, name := range then {
		c.await(1, ledger.Start, name)
	}
	c.cancelAll(append(rest, then...))
	c.empty(patience)
	for _, name := range never {
		if len(c.runs(name)) != 0 {
			c.t.Errorf("%q was cancelled while it waited, and ran:\n%s", name, c.story(name))
		}
	}
}

func quietName(b bound, i int) string { return fmt.Sprint("quiet/", b, "/", i) }

// quietNames returns the names of the tasks that quiet submits for a limit.
func quietNames(b bound) (names []string) {
	for i := range b.limit + 2 {
		names = append(names, quietName(b, i))
	}
	return names
}

// awaitRunning waits until as many tasks of quiet run as a limit allows, and returns their names. More of them may start,
// but those whose names it returns do not end: another one that runs is one too many, which checkLimits reports.
func (c *chaos) awaitRunning(b bound) (names []string) {
	c.until(fmt.Sprintf("%d tasks of %s", b.limit, b), func(context.Context) error {
		names = slices.DeleteFunc(quietNames(b), func(name string) bool { return len(c.find(ledger.Start, name)) == 0 })
		if len(names) < b.limit {
			return fmt.Errorf("%q run", names)
		}
		return nil
	})
	return names[:b.limit]
}

// cancelAll cancels tasks at once, which must be there. Each call may wait for workers that were killed a while ago.
func (c *chaos) cancelAll(names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all sync.WaitGroup
	faults := make([]error, len(names))
	for i, name := range names {
		all.Go(func() {
			found, err := c.Cancel(ctx, name)
			if err == nil && !found {
				err = errors.New("it is not there")
			}
			if err != nil {
				faults[i] = fmt.Errorf("cancel %q: %w", name, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		c.t.Fatal(err)
	}
}
