package main

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"
)

var guard = flag.Bool("guard", false, "fail if package nats has become slow; for a machine without other load, and not with the race detector")

// TestSpeed bounds what a task costs with the server in the process and without a sync of each write, as
// a multiple of what it costs in the manager alone, at the same moment. The best of five rounds counts: other
// load on the machine only makes them slower. The limits are about twice what was measured.
func TestSpeed(t *testing.T) {
	if !*guard {
		t.Skip("a measurement: run it with -guard")
	}
	var single, run []float64
	var p50 []time.Duration
	for range 5 {
		f, err := measure(t.Context(), contender{durability: delayed, open: func(ctx context.Context) (system, error) {
			return openEmbedded(ctx, t.TempDir(), intervals[delayed], shape{})
		}}, planFor(delayed, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		single, run, p50 = append(single, f.yard/f.single), append(run, f.yard/f.run), append(p50, f.p50)
	}
	t.Logf("submit: %.0f, run: %.0f times as long as in the process; idle p50: %v", single, run, p50)
	if best, most := slices.Min(single), 150.0; best > most {
		t.Errorf("a submit takes %.0f times as long as in the process, want at most %.0f", best, most)
	}
	if best, most := slices.Min(run), 90.0; best > most {
		t.Errorf("a run takes %.0f times as long as in the process, want at most %.0f", best, most)
	}
	if best, most := slices.Min(p50), time.Millisecond; best > most {
		t.Errorf("with an idle worker a task starts %v after its submit (p50), want at most %v", best, most)
	}
}

// idle opens package nats with the server in the process.
func idle(t *testing.T) system {
	t.Helper()
	s, err := openEmbedded(t.Context(), t.TempDir(), intervals[delayed], shape{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestIdleWorkerIsQuiet bounds the messages of a worker with ten kinds that has nothing to do.
func TestIdleWorkerIsQuiet(t *testing.T) {
	const most = 1 // a second
	got, err := idleMessages(t.Context(), idle(t), 9, 6*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got > most {
		t.Errorf("an idle worker with ten kinds sends %.2f messages a second, want at most %d", got, most)
	}
}

// TestIdleWorkerIsSoonAwake bounds the time from the submit to the start of a task by a multiple of the
// time of the submit itself, since machines differ, and the race detector slows both.
func TestIdleWorkerIsSoonAwake(t *testing.T) {
	s := idle(t)
	submit, err := submitTime(t.Context(), s, 50)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runAll(t.Context(), s, 50); err != nil {
		t.Fatal(err)
	}
	p50, _, err := latencies(t.Context(), s, 100)
	if err != nil {
		t.Fatal(err)
	}
	if most := 10*submit + 5*time.Millisecond; p50 > most {
		t.Errorf("a task starts %v after its submit, want at most %v; a submit takes %v", p50, most, submit)
	}
}

// submitTime returns the average time of n submits.
func submitTime(ctx context.Context, s system, n int) (time.Duration, error) {
	took := time.Duration(0)
	for _, name := range names("submit", 0, n) {
		begin := time.Now()
		if err := s.submit(ctx, name); err != nil {
			return 0, err
		}
		took += time.Since(begin)
	}
	return took / time.Duration(n), nil
}
