package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inVirtualTime returns what became of the tasks of both tenants under a setting.
func inVirtualTime(t *testing.T, s setting) (large, small result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		results, err := simulate(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		large, small = results[0], results[1]
	})
	if large.done+large.dropped != 500 || small.done+small.dropped != 25 {
		t.Errorf("got %+v and %+v, want the ends of 500 and 25 tasks", large, small)
	}
	return large, small
}

func TestFairServesTheSmallTenant(t *testing.T) {
	large, small := inVirtualTime(t, settings[1])
	if small.done != 25 || small.dropped != 0 || small.longest > 20*time.Millisecond {
		t.Errorf("the small tenant: got %+v, want 25 tasks done, each after 20 ms at most", small)
	}
	if large.done < 150 { // of 200 that two workers can do in a second
		t.Errorf("the large tenant: got %+v, want 150 tasks done at least", large)
	}
}

func TestFIFODoesNot(t *testing.T) {
	_, small := inVirtualTime(t, settings[0])
	if small.dropped == 0 || small.longest < 200*time.Millisecond {
		t.Errorf("the small tenant: got %+v, want some dropped, and a wait of 200 ms at least", small)
	}
}

func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 5 || !strings.Contains(lines[4], "Fair, DropWorst   small         25    25        0") {
			t.Errorf("got:\n%s", &out)
		}
	})
}
