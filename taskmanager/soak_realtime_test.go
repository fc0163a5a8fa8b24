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
	soakSlots   = 4 // number of managers at a time
	soakDrivers = 3 // number of goroutines that use each manager
	soakHang    = 30 * time.Second
)

// TestSoak uses the whole facade at random, in real time, on several managers at once. Each
// manager is replaced after a short time. The test checks invariants during the run and
// after the end of each manager. Run it with make soak.
//
// The seed repeats the actions, but not the scheduling of goroutines.
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
	// Without the watchdog a hang would last until the timeout of go test, without the seed.
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

// soak is the state that all managers of a run share.
type soak struct {
	t     *testing.T
	seed  uint64
	lives [soakSlots]atomic.Pointer[life]
	fails atomic.Int32
	shown atomic.Bool // the stacks of all goroutines have been reported

	mu       sync.Mutex
	counts   map[string]int
	slow     time.Duration // the longest wait of a task for its children
	failures []string      // repeated at the end
}

// random returns a random source that depends only on the seed and the parts.
func (s *soak) random(parts ...int) *rand.Rand {
	stream := uint64(1)
	for _, p := range parts {
		stream = stream*1_000_003 + uint64(p)
	}
	return rand.New(rand.NewPCG(s.seed, stream))
}

// count counts an event for the report.
func (s *soak) count(what string) {
	s.mu.Lock()
	s.counts[what]++
	s.mu.Unlock()
}

// report logs how often each event happened.
func (s *soak) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&text, "\n%9d  %s", s.counts[what], what)
	}
	s.t.Logf("longest wait of a task for others: %v%s", s.slow, &text)
	// Repeat the failures at the end of the output, where they are easy to find.
	for _, failure := range s.failures {
		s.t.Logf("failed: %.1000s", failure)
	}
}

// live starts one manager, uses it, ends it and checks it.
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
	x.pool.end(random)
	x.end(random)
	drivers.Wait()
	x.close()
	x.check()
	x.pool.check()
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
