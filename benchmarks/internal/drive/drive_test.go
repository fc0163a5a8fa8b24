package drive_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Timed runs all tasks, whatever the shares of the producers, and waits for the last one.
func TestTimed(t *testing.T) {
	s := drive.OpenChannel(3)
	for _, producers := range []int{1, 2, 7} {
		var ran atomic.Int32
		took, err := drive.Timed(s, producers, 100, func() { ran.Add(1) })
		if err != nil || took <= 0 || ran.Load() != 100 {
			t.Errorf("%d producers: %d tasks in %v, %v", producers, ran.Load(), took, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// An error of a producer is the error of Timed and of PingPong.
func TestErrors(t *testing.T) {
	fault := errors.New("a fault")
	s := drive.NewSession(func(func()) error { return fault }, func() error { return nil })
	for _, producers := range []int{1, 2} {
		if _, err := drive.Timed(s, producers, 10, nil); !errors.Is(err, fault) {
			t.Errorf("%d producers: %v", producers, err)
		}
	}
	if _, err := drive.PingPong(s, 10, 0); !errors.Is(err, fault) {
		t.Errorf("PingPong: %v", err)
	}
}

// Between the submits of PingPong, the pause passes. It does not count as latency.
func TestPingPong(t *testing.T) {
	s := drive.OpenChannel(1)
	const tasks, pause = 20, time.Millisecond
	begin := time.Now()
	l, err := drive.PingPong(s, tasks, pause)
	if took := time.Since(begin); err != nil || took < tasks*pause {
		t.Errorf("%v, %v", took, err)
	}
	if !(0 < l.P50 && l.P50 <= l.P99 && l.P99 <= l.P999) || l.P50 > pause.Seconds() {
		t.Errorf("the latencies are %+v", l)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

var sink *[1 << 16]byte

func TestAllocated(t *testing.T) {
	objects, bytes := drive.Allocated(func() {
		for range 100 {
			sink = new([1 << 16]byte)
		}
	})
	// The runtime may allocate too.
	if objects < 100 || objects > 200 || bytes < 100<<16 || bytes > 110<<16 {
		t.Errorf("%d objects, %d bytes", objects, bytes)
	}
}
