package taskmanager_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak runs; 0 skips it")
	soakSeed = flag.Uint64("soakseed", 0, "the seed of TestSoak, to repeat a run; 0 draws one")
)

const (
	soakSlots   = 4 // managers at a time
	soakDrivers = 3 // goroutines that use each of them
	soakHang    = 30 * time.Second
)

// TestSoak uses all of the facade at random, in real time and on real threads, and on
// several managers at once, each of which is replaced every few moments. What must hold
// whatever happens is checked meanwhile and after the end of each manager. Run it with
// make soak.
//
// The seed repeats what is done, but not how the threads take turns.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it takes a while; make soak runs it")
	}
	before := goleak.IgnoreCurrent()
	s := &soak{t: t, seed: *soakSeed, counts: make(map[string]int)}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	t.Logf("to repeat: make soak SOAK=%v SEED=%d", *soakFor, s.seed)
	// A hang is a failure that no check would ever come to see.
	watchdog := time.AfterFunc(*soakFor+10*soakHang, func() { panic(fmt.Sprintf("the soak of seed %d hangs", s.seed)) })
	defer watchdog.Stop()

	ctx, cancel := context.WithTimeout(t.Context(), *soakFor)
	defer cancel()
	var slots sync.WaitGroup
	for slot := range soakSlots {
		slots.Go(func() {
			for life := 0; ctx.Err() == nil && !s.t.Failed(); life++ {
				s.live(ctx, slot, life)
			}
		})
	}
	slots.Wait()
	s.report()
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines are left: %v", err)
	}
}

// soak is what all managers of a run have in common.
type soak struct {
	t     *testing.T
	seed  uint64
	lives [soakSlots]atomic.Pointer[life]
	fails atomic.Int32
	shown atomic.Bool // the stacks of all goroutines

	mu       sync.Mutex
	counts   map[string]int
	slow     time.Duration // the longest wait of a task for its children
	failures []string      // what was reported, to say it once more at the end
}

// random is a source for one part of the run, that depends on nothing else.
func (s *soak) random(parts ...int) *rand.Rand {
	stream := uint64(1)
	for _, p := range parts {
		stream = stream*1_000_003 + uint64(p)
	}
	return rand.New(rand.NewPCG(s.seed, stream))
}

// count notes that something has happened, for the report.
func (s *soak) count(what string) {
	s.mu.Lock()
	s.counts[what]++
	s.mu.Unlock()
}

// report says what was done, and how often.
func (s *soak) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&text, "\n%9d  %s", s.counts[what], what)
	}
	s.t.Logf("longest wait of a task for others: %v%s", s.slow, &text)
	// Once more, below a long list, where whoever sees only the end of the output looks.
	for _, failure := range s.failures {
		s.t.Logf("failed: %.1000s", failure)
	}
}

// live has one manager used, ended and looked at.
func (s *soak) live(ctx context.Context, slot, number int) {
	random := s.random(slot, number)
	x, err := newLife(s, slot, number, random)
	if err != nil {
		s.t.Errorf("seed %d, slot %d, life %d: Start: %v", s.seed, slot, number, err)
		return
	}
	s.count("managers")
	s.lives[slot].Store(x)
	var drivers sync.WaitGroup
	for i := range soakDrivers {
		d := &driver{life: x, random: s.random(slot, number, i)}
		drivers.Go(d.drive)
	}
	rest(ctx, time.Duration(random.IntN(int(2*time.Second))))
	x.end(random)
	drivers.Wait()
	x.close()
	x.check()
}

// rest waits for a while, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
