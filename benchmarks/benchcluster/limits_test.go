package main

import (
	"context"
	"testing"
	"time"
)

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
