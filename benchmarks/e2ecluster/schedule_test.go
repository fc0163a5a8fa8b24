//go:build linux

package e2ecluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// Five processes fire one schedule, and their clocks differ by three minutes. Each time runs once, also after one of
// them is killed.
func TestScheduleOfFiveProcesses(t *testing.T) {
	c := launch(t, settings{})
	c.worker("w1")
	var all []*process
	for i, ahead := range []time.Duration{-90 * time.Second, -1300 * time.Millisecond, 0, 700 * time.Millisecond, 90 * time.Second} {
		all = append(all, c.start("schedule", fmt.Sprint("clock", i),
			c.flags(c.url(), "-prefix", "report", "-every", "1s", "-clock", ahead.String())...))
	}
	const ticks = 9
	c.await(ticks/2, ledger.End, "report")
	all[2].kill()
	c.await(ticks, ledger.End, "report")
	for i, p := range all {
		if i != 2 {
			p.terminate()
		}
	}
	for _, p := range all {
		p.wait()
	}
	c.balance(patience)
	runs := c.runs("report")
	times := map[string]int{}
	for i, r := range runs {
		if times[r.ID]++; times[r.ID] > 1 {
			t.Errorf("%s ran %d times:\n%s", r.ID, times[r.ID], c.story("report"))
		}
		if i > 0 {
			between(t, "the time between two runs", since(runs[i-1].From, r.From), 600*time.Millisecond, 1900*time.Millisecond)
		}
	}
	t.Logf("%d runs in %v of a schedule of one second: %s to %s", len(runs), span(runs), runs[0].ID, runs[len(runs)-1].ID)
}
