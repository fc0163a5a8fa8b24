package run

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
)

const crewEvery = time.Second

// lonely is how long a run has been without a process that reads when it says so. Tests shorten it.
var lonely = 3 * time.Second

// crew looks at the processes that read files for a run. It is safe for concurrent use.
type crew struct {
	client                *nats.Client
	peakWorkers, peakBusy atomic.Int64

	mu   sync.Mutex // guards the rest
	last progress.View
	n    int       // processes
	seen time.Time // when there was a process, or the watch began
}

func newCrew(client *nats.Client) *crew { return &crew{client: client, seen: time.Now()} }

// watch looks at the processes until ctx ends.
func (c *crew) watch(ctx context.Context) {
	tick := time.NewTicker(crewEvery)
	defer tick.Stop()
	for {
		c.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks for the processes.
func (c *crew) look(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	processes, err := c.client.Processes(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.last.Note = "the cluster does not answer; the run waits for it"
		return
	}
	var v progress.View
	c.n = 0
	for _, p := range processes {
		if slices.Contains(p.Kinds, cluster.Kind) {
			v.Workers += p.Workers
			v.Busy += p.Running
			c.n++
			c.seen = time.Now()
		}
	}
	if time.Since(c.seen) >= lonely {
		v.Note = "no process reads files yet; the run waits for tasklab worker"
	}
	c.last = v
	c.peakWorkers.Store(max(c.peakWorkers.Load(), int64(v.Workers)))
	c.peakBusy.Store(max(c.peakBusy.Load(), int64(v.Busy)))
}

// size describes the processes.
func (c *crew) size() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	processes := "processes"
	switch c.n {
	case 0:
		return "no process reads yet"
	case 1:
		processes = "process"
	}
	return fmt.Sprintf("%s in %d %s", output.Count(c.last.Workers, "worker"), c.n, processes)
}

// view returns what the last look found.
func (c *crew) view() progress.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
