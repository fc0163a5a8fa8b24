//go:build !race

package dashboard

import (
	"slices"
	"testing"
	"time"
)

// TestTickTakesLittle: a sample of a manager with 48 busy workers, and the event for its viewers, take less than
// half a millisecond, once a second. So a dashboard costs a thousandth of a processor.
func TestTickTakesLittle(t *testing.T) {
	m, c := busyManager(t)
	x := newManaged(given{name: "m", m: m, collector: c})
	ticks, ok := x.viewers.join()
	if !ok {
		t.Fatal("there is no room for a viewer")
	}
	defer x.viewers.leave(ticks)
	var all []time.Duration
	for range 201 {
		begin := time.Now()
		x.sample()
		x.sampleKeys()
		x.sendTick()
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	if median := all[len(all)/2]; median > 500*time.Microsecond {
		t.Errorf("a tick takes %v (from %v to %v)", median, all[0], all[len(all)-1])
	}
}
