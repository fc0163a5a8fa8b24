package dashboard

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/histogram"
	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
)

// groups numbers kinds or keys in the order in which they appear. The first ones have a number of
// their own, and all others share the number groupLimit.
type groups struct {
	known atomic.Pointer[map[string]int] // never changes; a new name makes a new map
	mu    sync.Mutex                     // held to add a name
}

// otherGroups is the name of the row that all names beyond the limit share.
const otherGroups = "(other)"

// index returns the number of a name. Names that only differ beyond the limit of what is shown
// share one.
func (g *groups) index(name string) int {
	if len(name) > text.NameLimit {
		name = name[:text.NameLimit]
	}
	known := g.known.Load()
	if known != nil {
		if i, ok := (*known)[name]; ok {
			return i
		}
		if len(*known) >= groupLimit {
			return groupLimit
		}
	}
	return g.add(name)
}

func (g *groups) add(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := make(map[string]int)
	if old := g.known.Load(); old != nil {
		if i, ok := (*old)[name]; ok {
			return i
		}
		if len(*old) >= groupLimit {
			return groupLimit
		}
		known = maps.Clone(*old)
	}
	i := len(known)
	known[strings.Clone(name)] = i
	g.known.Store(&known)
	return i
}

// names returns the names in the order of their numbers.
func (g *groups) names() []string {
	known := g.known.Load()
	if known == nil {
		return nil
	}
	names := make([]string, len(*known))
	for name, i := range *known {
		names[i] = name
	}
	return names
}

// sums are the numbers of a kind, of a key or of all, over all stripes.
type sums struct {
	started, running, failed, cancelled, postponed, restarts uint64

	busy       time.Duration // run time so far, also of what runs
	waits      histogram.Counts
	executions histogram.Counts
}

// succeeded returns the number of executions that succeeded.
func (s *sums) succeeded() uint64 {
	return s.executions.Total() - s.failed - s.cancelled - s.postponed
}

// since returns what was added to s after the copy before was made.
func (s *sums) since(before *sums) sums {
	return sums{
		started: s.started - before.started, running: s.running,
		failed: s.failed - before.failed, cancelled: s.cancelled - before.cancelled,
		postponed: s.postponed - before.postponed, restarts: s.restarts - before.restarts,
		busy:  s.busy - before.busy,
		waits: s.waits.Since(&before.waits), executions: s.executions.Since(&before.executions),
	}
}

// addLocked adds a cell. now is the time since the epoch of the collector. The lock of the stripe is
// held, so the sum of the run times is exact.
func (s *sums) addLocked(k *cell, now time.Duration) {
	s.started += k.started
	s.running += uint64(k.running) //nolint:gosec // not negative
	s.busy += k.clock + time.Duration(k.running)*now
	s.failed += k.failed
	s.cancelled += k.cancelled
	s.postponed += k.postponed
	s.restarts += k.restarts
	s.waits.Plus(&k.waits)
	s.executions.Plus(&k.executions)
}

// add adds the cell that cellOf selects in each stripe, if there is one.
func (c *Collector) add(to *sums, cellOf func(s *stripe) *cell) {
	for i := range c.stripes {
		s := &c.stripes[i]
		s.mu.Lock()
		if k := cellOf(s); k != nil {
			to.addLocked(k, time.Since(c.epoch))
		}
		s.mu.Unlock()
	}
}

// total returns the numbers of all executions.
func (c *Collector) total() *sums {
	t := new(sums)
	for i := range groupLimit + 1 {
		c.add(t, func(s *stripe) *cell { return s.kinds[i] })
	}
	return t
}

// named are the numbers of one kind or key.
type named struct {
	name  string // as it was given, but for its length
	index int    // in the order in which they appeared
	*sums
}

// other reports whether the numbers are those of all names beyond the limit.
func (n *named) other() bool { return n.index == groupLimit }

// byKind returns the numbers of all kinds that have run.
func (c *Collector) byKind() []named {
	return c.byGroup(&c.kinds, func(s *stripe, i int) *cell { return s.kinds[i] })
}

// byKey returns the numbers of all keys that have run.
func (c *Collector) byKey() []named {
	return c.byGroup(&c.keys, func(s *stripe, i int) *cell { return s.keys[i] })
}

func (c *Collector) byGroup(g *groups, cellOf func(s *stripe, i int) *cell) []named {
	names := g.names()
	if len(names) == groupLimit {
		names = append(names, otherGroups)
	}
	var list []named
	for i, name := range names {
		n := named{name, i, new(sums)}
		if c.add(n.sums, func(s *stripe) *cell { return cellOf(s, i) }); n.started > 0 || n.executions.Total() > 0 {
			list = append(list, n)
		}
	}
	return list
}
