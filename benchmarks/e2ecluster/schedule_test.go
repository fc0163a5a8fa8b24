//go:build linux

package e2ecluster_test

import (
	"fmt"
	"strconv"
	"strings"
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
	var before time.Time
	missed := 0
	for _, r := range runs {
		_, text, _ := strings.Cut(strings.TrimPrefix(r.ID, ledger.SchedulePrefix), "/")
		ns, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("the id of a run is %q", r.ID)
		}
		at := time.Unix(0, ns)
		if !before.IsZero() {
			if at.Sub(before) < time.Second {
				t.Errorf("the time %v ran after %v:\n%s", at, before, c.story("report"))
			}
			missed += int(at.Sub(before)/time.Second) - 1
		}
		before = at
	}
	if missed > 2 { // while a run lasts, the next one is skipped
		t.Errorf("%d times are missing:\n%s", missed, c.story("report"))
	}
	t.Logf("%d runs in %v of a schedule of one second: %s to %s", len(runs), span(runs), runs[0].ID, runs[len(runs)-1].ID)
}
